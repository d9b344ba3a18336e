-- Everything the shard says, in one step: a reader sees the old cells or the new ones, and nothing of an earlier owner stays.
local no = refused()
if no then return no end
if redis.call('EXISTS', KEYS[4]) == 1 then
  redis.call('RENAME', KEYS[4], KEYS[2])
  redis.call('PERSIST', KEYS[2])
else
  redis.call('DEL', KEYS[2])
end
stamp()
announce(redis.call('HINCRBY', KEYS[3], 'seq', 1))
return 'ok'

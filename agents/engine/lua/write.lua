-- New absolute values of some cells; an empty value removes its cell. ARGV from 9 on: field, value, ...
local no = refused()
if no then return no end
for i = 9, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[2], ARGV[i])
  else redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
end
stamp()
announce(redis.call('HINCRBY', KEYS[3], 'seq', 1))
return 'ok'

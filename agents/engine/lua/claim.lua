-- Take the shard, unless a newer owner has it.
local owner = redis.call('GET', KEYS[1])
if owner and epoch_of(owner) > epoch_of(ARGV[1]) then return 'fenced' end
redis.call('SET', KEYS[1], ARGV[1])
if owner and string.match(owner, ':(.*)$') == ARGV[3] then return 'kept' end
return 'taken'

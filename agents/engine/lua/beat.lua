-- Everything read until now is in.  ARGV: 9 everything that Kafka had at this system time is in, too.
local no = refused()
if no then return no end
stamp()
redis.call('HSET', KEYS[3], 'current_us', ARGV[9])
announce(tonumber(redis.call('HGET', KEYS[3], 'seq') or '0'))
return 'ok'

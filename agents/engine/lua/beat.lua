-- Nothing new: everything read until now is in.
local no = refused()
if no then return no end
stamp()
announce(tonumber(redis.call('HGET', KEYS[3], 'seq') or '0'))
return 'ok'

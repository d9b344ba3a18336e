-- New absolute values of some cells; an empty value removes its cell. They are read from the announcement's tail, where
-- they are MessagePack as msgspec writes it, which cmsgpack does not read: "set", then an array of binaries.
local no = refused()
if no then return no end
local tail, set, gone = ARGV[8], {}, {}
local function size(at, bytes)
  local sum = 0
  for i = at, at + bytes - 1 do sum = sum * 256 + string.byte(tail, i) end
  return sum
end
local SIZE_BYTES = {[0xc4] = 1, [0xc5] = 2, [0xc6] = 4}
local at = 5 + (({[0xdc] = 3, [0xdd] = 5})[string.byte(tail, 5)] or 1)
local function binary()
  local bytes = SIZE_BYTES[string.byte(tail, at)]
  local begin = at + 1 + bytes
  at = begin + size(at + 1, bytes)
  return string.sub(tail, begin, at - 1)
end
while at <= #tail do
  local cell, value = binary(), binary()
  if value == '' then
    gone[#gone + 1] = cell
  else
    set[#set + 1] = cell
    set[#set + 1] = value
  end
end
if #set > 0 then redis.call('HSET', KEYS[2], unpack(set)) end
if #gone > 0 then redis.call('HDEL', KEYS[2], unpack(gone)) end
stamp()
announce(redis.call('HINCRBY', KEYS[3], 'seq', 1))
return 'ok'

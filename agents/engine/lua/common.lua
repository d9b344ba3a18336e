-- KEYS: 1 owner, 2 cells, 3 meta, 4 staged.  ARGV: 1 our token "epoch:worker".
-- An owner with a lower epoch, or none, means claim again; one with a higher epoch fences us for good.
local function epoch_of(token) return tonumber(string.match(token, '^%d+')) end
local function refused()
  local owner = redis.call('GET', KEYS[1])
  if owner == ARGV[1] then return false end
  if owner and epoch_of(owner) > epoch_of(ARGV[1]) then return 'fenced' end
  return 'lost'
end
-- ARGV: 2 fingerprint, 3 worker, 4 watermark, 5 updated, 6 channel, 7 head of the announcement, 8 its tail
local function stamp()
  redis.call('HSET', KEYS[3], 'fingerprint', ARGV[2], 'worker', ARGV[3], 'watermark_us', ARGV[4], 'updated_us', ARGV[5],
    'epoch', string.match(ARGV[1], '^%d+'))
end
local function announce(seq)
  redis.call('PUBLISH', ARGV[6], ARGV[7] .. cmsgpack.pack(seq) .. ARGV[8])
end

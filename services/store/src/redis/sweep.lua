-- Frees some buckets of a dropped generation. ARGV[1] how many at most. Answers 0 when nothing is left.
local dropped = KEYS[1] .. ':dropped'
local left = redis.call('HGETALL', dropped)
if #left == 0 then return 0 end
local generation = left[1]
local segment, newest, bucket = string.match(left[2], '(%d+) (%d+) (%d+)')
segment, newest, bucket = tonumber(segment), tonumber(newest), tonumber(bucket)
local names = {}
while #names < tonumber(ARGV[1]) and segment <= newest do
  names[#names + 1] = KEYS[1] .. ':' .. generation .. ':' .. segment .. ':' .. bucket
  bucket = bucket + 1
  if bucket == BUCKETS then segment, bucket = segment + 1, 0 end
end
redis.call('UNLINK', unpack(names))
if segment > newest then
  redis.call('HDEL', dropped, generation)
else
  redis.call('HSET', dropped, generation, segment .. ' ' .. newest .. ' ' .. bucket)
end
return 1

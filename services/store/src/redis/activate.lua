-- Puts a generation in use and drops the others: what they count at once, their guards later.
local base, generation = KEYS[1], ARGV[1]
local run = redis.call('HGET', base .. ':' .. generation, 'run')
if not run then return 'these counters are gone' end
if run ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return 'Redis was restarted, and may have lost what was counted last'
end
redis.call('SET', base .. ':use', generation)
for _, other in ipairs(redis.call('SMEMBERS', base .. ':generations')) do
  if other ~= generation then
    local meta = base .. ':' .. other
    local segments = redis.call('HMGET', meta, 'first', 'newest')
    if segments[1] then
      redis.call('HSET', base .. ':dropped', other, segments[1] .. ' ' .. segments[2] .. ' 0')
    end
    redis.call('UNLINK', meta)
    redis.call('SREM', base .. ':generations', other)
  end
end
return 1

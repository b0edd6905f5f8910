-- Makes an empty generation beside the one in use, and answers its number. Numbers grow, also over the loss of everything.
local base = KEYS[1]
local time = redis.call('TIME')
local generation = time[1] * 1000000 + time[2]
for _, other in ipairs(redis.call('SMEMBERS', base .. ':generations')) do
  generation = math.max(generation, tonumber(other) + 1)
end
for _, other in ipairs(redis.call('HKEYS', base .. ':dropped')) do
  generation = math.max(generation, tonumber(other) + 1)
end
local name = string.format('%.0f', generation)
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
redis.call('SADD', base .. ':generations', name)
redis.call('HSET', base .. ':' .. name, 'run', run, 'first', 0, 'newest', 0, 'guards', 0, 'forgotten', 0, 'swept', 0, 'types', 0)
return generation

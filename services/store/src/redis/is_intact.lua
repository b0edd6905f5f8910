-- Answers 1 where the counters in use are there and this server has run ever since they were begun.
local used = redis.call('GET', KEYS[1] .. ':use')
local run = used and redis.call('HGET', KEYS[1] .. ':' .. used, 'run')
if run and run == string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then return 1 end
return 0

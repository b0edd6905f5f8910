-- Counts a batch of events, all of it or none.
--
-- KEYS[1] the base of all names of keys
-- ARGV[1] the generation to count into, '' for the one in use
-- ARGV[2] how many guards to keep
-- ARGV[3] when the latest event happened, as 18 digits
-- ARGV[4] jobs, ARGV[5] dead letters, packed as batch.rs tells
-- ARGV[6] and on: names of types
--
-- Answers 1, or why the counters must be rebuilt; then nothing was changed.
--
-- Guards stand in segments, the newest with the highest number. Any event of a job brings its guard into the newest. When that holds half of the guards to keep, another is begun; when there are more than two, the oldest is
-- emptied bucket by bucket along with the batches that follow: guards of jobs that have not ended move to the newest, the
-- others are dropped, and 'forgotten' notes up to when their events may have happened. An event from before then whose job
-- has no guard may have been counted: only a rebuild can tell. A generation that is being built drops nothing.
--
-- No event is trusted to come from the future: 'forgotten' never goes beyond the present of this server.

local base, into = KEYS[1], ARGV[1]
local used = redis.call('GET', base .. ':use')
local generation = into ~= '' and into or used
if not generation then return 'there are no counters' end
local meta = base .. ':' .. generation
local stored = redis.call('HMGET', meta, 'run', 'first', 'newest', 'guards', 'forgotten', 'swept', 'types', 'at')
if not stored[1] then return 'these counters are gone' end
if stored[1] ~= string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') then
  return 'Redis was restarted, and may have lost what was counted last'
end
local first, newest = tonumber(stored[2]), tonumber(stored[3])
local guards, forgotten = tonumber(stored[4]), tonumber(stored[5])
local swept, types = tonumber(stored[6]), tonumber(stored[7])
local jobs, letters, keep = ARGV[4], ARGV[5], tonumber(ARGV[2])
local building = generation ~= used

local function key(segment, bucket) return meta .. ':' .. segment .. ':' .. bucket end

-- Look everything up first, so that nothing is changed where the answer is no.
local function find(id, bucket)
  for segment = newest, first, -1 do
    local value = redis.call('HGET', key(segment, bucket), id)
    if value then return tonumber(value), segment end
  end
end

local known, places = {}, {}
local count = #jobs / 32
for n = 0, count - 1 do
  local id, bucket = struct.unpack('>c16I2', jobs, n * 32 + 1)
  local value, segment = find(id, bucket)
  if value then
    known[n], places[n] = value, segment
  elseif forgotten > 0 and struct.unpack('>I8', jobs, n * 32 + 25) <= forgotten then
    return 'an event is older than the jobs that are remembered'
  end
end
local new_letters = {}
for n = 0, #letters / 26 - 1 do
  local id, bucket, at = struct.unpack('>c16I2I8', letters, n * 26 + 1)
  -- Also where a job has the same id.
  id = id .. 'd'
  if not find(id, bucket) then
    if forgotten > 0 and at <= forgotten then
      return 'a dead letter is older than those that are remembered'
    end
    new_letters[#new_letters + 1] = { id, bucket }
  end
end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local changes = {}
local function add(field, step)
  if step ~= 0 then changes[field] = (changes[field] or 0) + step end
end

-- A type is known by its number from the first job on that is counted under it.
local numbers = {}
local function type_number(index)
  if index == 0 then return 0 end
  local number = numbers[index]
  if number then return number end
  local name = ARGV[5 + index]
  number = tonumber(redis.call('HGET', meta, 'type:' .. name) or 0)
  if number == 0 and types < MAX_TYPES then
    types = types + 1
    number = types
    redis.call('HSET', meta, 'type:' .. name, number)
  end
  numbers[index] = number
  return number
end

local function place(sequence)
  local attempt, step = math.floor(sequence / 10), sequence % 10
  if attempt == 0 then return STATUSES_BEFORE[step], 0 end
  return STATUSES_WITHIN[step], attempt
end

for n = 0, count - 1 do
  local id, bucket, sequence, type_index = struct.unpack('>c16I2I4I2', jobs, n * 32 + 1)
  local value = known[n]
  local before = value and math.floor(value / 256)
  if not before or before < sequence then
    local number = value and value % 256 or type_number(type_index)
    local status, attempt = place(sequence)
    if before then
      local old_status, old_attempt = place(before)
      add('status:' .. old_status, -1)
      add('retries', -math.max(old_attempt - 1, 0))
      if ENDS[old_status] then add('count:' .. number .. ':' .. old_status, -1) end
    else
      add('count:' .. number .. ':total', 1)
    end
    add('status:' .. status, 1)
    add('retries', math.max(attempt - 1, 0))
    if ENDS[status] then add('count:' .. number .. ':' .. status, 1) end
    value = sequence * 256 + number
  end
  if value ~= known[n] or places[n] ~= newest then
    if places[n] ~= newest then
      if places[n] then redis.call('HDEL', key(places[n], bucket), id) end
      guards = guards + 1
    end
    redis.call('HSET', key(newest, bucket), id, value)
  end
end
for _, letter in ipairs(new_letters) do
  redis.call('HSET', key(newest, letter[2]), letter[1], DEAD_LETTER)
  guards = guards + 1
end
add('dead_letters', #new_letters)
for field, step in pairs(changes) do
  if step ~= 0 then redis.call('HINCRBY', meta, field, step) end
end

-- Begin a segment.
if guards >= keep / 2 then
  newest = newest + 1
  guards = 0
end

-- Empty the oldest, a stretch of buckets for each batch; as fast as the newest fills, and twice that.
if not building and newest - first >= 2 then
  if swept == 0 then
    local high = tonumber(redis.call('HGET', meta, 'high:' .. first) or 0)
    forgotten = math.max(forgotten, high)
  end
  local stretch = math.ceil(2 * BUCKETS * (count + #new_letters) / (keep / 2))
  for bucket = swept, math.min(swept + math.max(stretch, 16), BUCKETS) - 1 do
    local name = key(first, bucket)
    local list = redis.call('HGETALL', name)
    for n = 1, #list, 2 do
      local value = tonumber(list[n + 1])
      if value ~= DEAD_LETTER and not ENDS[place(math.floor(value / 256))] then
        redis.call('HSET', key(newest, bucket), list[n], list[n + 1])
        guards = guards + 1
      end
    end
    redis.call('UNLINK', name)
  end
  swept = swept + math.max(stretch, 16)
  if swept >= BUCKETS then
    redis.call('HDEL', meta, 'high:' .. first)
    first, swept = first + 1, 0
  end
end

local latest = tonumber(ARGV[3])
local high = 'high:' .. newest
local seen = math.max(tonumber(redis.call('HGET', meta, high) or 0), math.min(latest, now))
local at = ARGV[3]
if stored[8] and stored[8] > at then at = stored[8] end
redis.call('HSET', meta, 'at', at, high, string.format('%.0f', seen), 'types', types, 'first', first,
  'newest', newest, 'guards', guards, 'forgotten', string.format('%.0f', forgotten), 'swept', swept)
return 1

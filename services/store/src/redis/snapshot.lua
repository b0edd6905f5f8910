-- All fields of the generation in use; an empty list where there is none.
local used = redis.call('GET', KEYS[1] .. ':use')
if not used then return {} end
return redis.call('HGETALL', KEYS[1] .. ':' .. used)

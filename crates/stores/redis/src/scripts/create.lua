-- KEYS: the record; if it has a principal and they are on one server: the principal's index.
-- ARGV: now, the record, for how many milliseconds (0: it is over already), its handle, when it was entered.
local record, span, handle, made, done = ARGV[2], ARGV[3], ARGV[4], ARGV[5], 'created'
if state == 'live' then return {'exists'} end
if state == 'corrupt' then return {'corrupt'} end
if span == '0' then return {done} end
if string.byte(record, 3) == 0 then
  redis.call('SET', KEYS[1], record, 'PX', span)
  return {done}
end

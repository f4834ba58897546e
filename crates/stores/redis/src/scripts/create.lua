-- KEYS: the record; if it has a principal and they are on one server: the principal's index.
-- ARGV: now, the record, for how many milliseconds (0: it is over already), its handle, when it was entered.
local now, record, span = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local state = look(KEYS[1], now)
if state == 'live' then return {'exists'} end
if state == 'corrupt' then return {'corrupt'} end
if span == '0' then return {'created'} end
local bound, some = true, {}
if principal_of(record) ~= '' then
  bound, some = bind(record, ARGV[4], ARGV[5], now)
end
if not bound then return {'enter first'} end
redis.call('SET', KEYS[1], record, 'PX', span)
return {'created', unpack(some)}

-- KEYS: the record; if it has a principal and they are on one server: the principal's index. ARGV: now, the expected
-- version (eight bytes), the record, for how many milliseconds (0: it is over already), its handle, when it was
-- entered, whether the caller waits for replicas ('1').
local now, expected, record, span = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local state, head = look(KEYS[1], now)
if state == 'corrupt' then return {'corrupt'} end
if state ~= 'live' then return {'gone'} end
if string.sub(head, 9, 16) ~= expected then
  -- It may be an earlier try that wrote what is there, and WAIT waits for nothing but what its own connection wrote.
  if ARGV[7] == '1' then redis.call('SETRANGE', KEYS[1], 0, 'S') end
  return {'conflict', redis.call('GET', KEYS[1])}
end
if span == '0' then
  redis.call('DEL', KEYS[1])
  return {'replaced'}
end
local principal, bound, some = principal_of(record), true, {}
-- The index knows a session by its principal and by its absolute deadline; only where one of them is new it is written.
if principal ~= '' and (principal ~= principal_of(head) or number(record, 32) > number(head, 32)) then
  bound, some = bind(record, ARGV[5], ARGV[6], now)
end
if not bound then return {'enter first'} end
redis.call('SET', KEYS[1], record, 'PX', span)
return {'replaced', unpack(some)}

-- KEYS: the record; if it has a principal and they are on one server: the principal's index. ARGV: now, the expected
-- version (eight bytes), the record, for how many milliseconds (0: it is over already), its handle, when it was
-- entered, whether the caller waits for replicas ('1').
local record, span, handle, made, done = ARGV[3], ARGV[4], ARGV[5], ARGV[6], 'replaced'
if state == 'corrupt' then return {'corrupt'} end
if state ~= 'live' then return {'gone'} end
if version ~= ARGV[2] then
  -- It may be an earlier try that wrote what is there, and WAIT waits for nothing but what its own connection wrote.
  if ARGV[7] == '1' then redis.call('SETRANGE', KEYS[1], '0', 'S') end
  return {'conflict', redis.call('GET', KEYS[1])}
end
if span == '0' then
  redis.call('DEL', KEYS[1])
  return {done}
end
-- The index knows a session by its principal and by its absolute deadline; only where one of them is new it is written.
-- Where neither is, the server has refused to write the record before, and says here why.
local named = string.byte(record, 3)
if named == 0 or string.sub(record, 41, 40 + named) == principal and struct.unpack('>I8', record, 33) <= absolute then
  redis.call('SET', KEYS[1], record, 'PX', span)
  return {done}
end

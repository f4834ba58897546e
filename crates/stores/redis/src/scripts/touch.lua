-- KEYS: the record. ARGV: now, the version (eight bytes), the idle deadline (eight bytes).
local now, version, deadline = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local state, head = look(KEYS[1], now)
if state == 'corrupt' then return {'corrupt'} end
if state ~= 'live' then return {'gone'} end
if string.sub(head, 9, 16) == version and larger(deadline, string.sub(head, 25, 32)) then
  redis.call('SETRANGE', KEYS[1], 24, deadline)
  redis.call('PEXPIRE', KEYS[1], milliseconds(math.min(number(deadline, 0), number(head, 32)) - now))
end
return {'touched'}

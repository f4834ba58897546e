-- The index of a principal: a sorted set of entries, each scored by the moment after which its session is over for
-- sure. An entry is the 16 bytes of a handle and the 8 of the microsecond at which it was made, by this server's clock,
-- so that a session that is bound again gets another entry.

local HOUR = 3600000

local function microseconds()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- The number in the eight bytes of `bytes` after the first `at`.
local function number(bytes, at)
  local number = struct.unpack('>I8', bytes, at + 1)
  return number
end

-- Milliseconds as the server takes them.
local function milliseconds(span)
  return string.format('%.0f', math.min(span, 2 ^ 53))
end

-- Makes an entry; drops those whose sessions are over. Returns its microsecond, and where there are many entries a few
-- of them at random with their scores, for somebody to look whether they are still of use. Clocks that differ by an hour do no harm.
local function enter(index, handle, absolute, now)
  local made = microseconds()
  -- First what a server without room refuses, for once a script has written it is let through.
  redis.call('ZADD', index, string.format('%.0f', absolute), handle .. struct.pack('>I8', made))
  redis.call('ZREMRANGEBYSCORE', index, '-inf', milliseconds(math.max(now - HOUR, 0)))
  local span = math.min(absolute - now + HOUR, 2 ^ 53)
  if redis.call('PTTL', index) < span then redis.call('PEXPIRE', index, milliseconds(span)) end
  if redis.call('ZCARD', index) <= 16 then return made, {} end
  return made, redis.call('ZRANDMEMBER', index, 8, 'WITHSCORES')
end

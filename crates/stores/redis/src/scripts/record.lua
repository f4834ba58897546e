-- Where a record has its numbers (Record::to_bytes), and what it is at `now`. Part of every script on records.

-- The number in the eight bytes of `bytes` after the first `at`: exact up to 2^53, which in milliseconds is the year
-- 287396.
local function number(bytes, at)
  local number = struct.unpack('>I8', bytes, at + 1)
  return number
end

-- Whether eight bytes hold a larger number than eight others. `<` on strings would follow the server's language.
local function larger(bytes, than)
  local high, low = struct.unpack('>I4I4', bytes)
  local than_high, than_low = struct.unpack('>I4I4', than)
  return high > than_high or high == than_high and low > than_low
end

-- Milliseconds as the server takes them.
local function milliseconds(span)
  return string.format('%.0f', math.min(span, 2 ^ 53))
end

local function is_record(key, head)
  if #head < 40 or string.sub(head, 1, 2) ~= 'S\1' then return false end
  local principal, label, body = struct.unpack('>BBI4', head, 3)
  return redis.call('STRLEN', key) == 40 + principal + label + body
end

-- 'missing', 'corrupt', 'expired' or 'live'; and of a record the first bytes, with all of its principal.
local function look(key, now)
  local head = redis.pcall('GETRANGE', key, 0, 40 + 255 - 1)
  if type(head) == 'table' then
    if string.find(head.err, 'WRONGTYPE', 1, true) then return 'corrupt' end
    return redis.call('GETRANGE', key, 0, 0)
  end
  if head == '' and redis.call('EXISTS', key) == 0 then return 'missing' end
  if not is_record(key, head) then return 'corrupt' end
  if now < math.min(number(head, 24), number(head, 32)) then return 'live', head end
  return 'expired', head
end

local function principal_of(record)
  return string.sub(record, 41, 40 + string.byte(record, 3))
end

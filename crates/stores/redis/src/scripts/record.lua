-- Where a record has its numbers (Record::to_bytes), and what KEYS[1] is at ARGV[1]. Part of every script on one record.
-- It has no functions: a server makes them anew whenever it runs a script, which costs more than calling them. It also
-- takes numbers faster when they are text.
local now = tonumber(ARGV[1])
-- All of a short record; of any other the first bytes, with all of its principal: more would cost more than STRLEN.
local head = redis.pcall('GETRANGE', KEYS[1], '0', '294')
-- 'missing', 'corrupt', 'expired' or 'live'; and what is of use of one of the last two. The deadlines are exact up to
-- 2^53, which in milliseconds is the year 287396.
local state, principal, version, idle, absolute = 'corrupt', '', '', 0, 0
if type(head) == 'table' then
  if not string.find(head.err, 'WRONGTYPE', 1, true) then return redis.call('GETRANGE', KEYS[1], '0', '0') end
elseif head == '' and redis.call('EXISTS', KEYS[1]) == 0 then
  state = 'missing'
elseif #head >= 40 then
  local magic, named, label, body, _
  magic, named, label, body, version, _, idle, absolute = struct.unpack('>c2BBI4c8c8I8I8', head)
  local size = #head < 295 and #head or redis.call('STRLEN', KEYS[1])
  if magic == 'S\1' and size == 40 + named + label + body then
    principal = string.sub(head, 41, 40 + named)
    state = now < idle and now < absolute and 'live' or 'expired'
  end
end

-- A swap in the common case: a record of the expected version that lives, and whose index has nothing new to know.
--
-- It knows where a record has its numbers, as record.lua does, but asks for no more than it needs: a server hashes every
-- byte of a string that a script sees. A function, for it is called for one record or for many.
local call, sub, numbers = redis.pcall, string.sub, struct.unpack
local now = tonumber(ARGV[1])

-- Takes the expected version (eight bytes), the record, and for how many milliseconds. Returns whether it was replaced;
-- otherwise nothing was written.
local function swapped(key, expected, record, span)
  local named = string.byte(record, 3)
  local head = call('GETRANGE', key, '0', named == 0 and '39' or '294')
  if #head < 40 + named then return false end
  local magic, had, label, body, version, _, idle, absolute = numbers('>c2BBI4c8c8I8I8', head)
  if magic ~= 'S\1' or version ~= expected or now >= idle or now >= absolute then return false end
  if call('STRLEN', key) ~= 40 + had + label + body then return false end
  -- As replace.lua asks it.
  if named ~= 0 and (named ~= had or sub(record, 41, 40 + named) ~= sub(head, 41, 40 + named)
    or numbers('>I8', record, 33) > absolute) then return false end
  -- With the same deadlines it has its time to live already, and a server keeps that in a table of its own.
  if sub(record, 25, 40) == sub(head, 25, 40) then return not call('SET', key, record, 'KEEPTTL').err end
  return not call('SET', key, record, 'PX', span).err
end

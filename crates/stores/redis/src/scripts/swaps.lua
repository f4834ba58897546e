-- Swaps of many sessions. KEYS: the records. ARGV: now, and for each record the expected version (eight bytes), the
-- record, for how many milliseconds. Answers with a character for each: '1' if it was replaced, '0' if nothing was
-- written, because it is not the common case: a record of that version that lives, and whose index has nothing new to
-- know. A refusal for one key must not end the script when others are written.
--
-- It knows where a record has its numbers, as record.lua does, but asks for no more than it needs: a server hashes every
-- byte of a string that a script sees, and a call costs it more than most of these strings. That a record has its whole
-- length was seen by who read it, to swap it.
local call, sub, byte, unpack = redis.pcall, string.sub, string.byte, struct.unpack
local now, answers = tonumber(ARGV[1]), {}
for at = 1, #KEYS do
  local key, expected, record, answer = KEYS[at], ARGV[3 * at - 1], ARGV[3 * at], '0'
  local named = byte(record, 3)
  local head = call('GETRANGE', key, '0', named == 0 and '39' or '294')
  if #head >= 40 + named then
    local magic, had, _, _, version, _, idle, absolute = unpack('>c2BBI4c8c8I8I8', head)
    local lives = magic == 'S\1' and version == expected and now < idle and now < absolute
    -- As replace.lua asks it.
    if lives and (named == 0 or named == had
      and sub(record, 41, 40 + named) == sub(head, 41, 40 + named) and unpack('>I8', record, 33) <= absolute) then
      local done
      -- With the same deadlines it has its time to live already, and a server keeps that in a table of its own.
      if sub(record, 25, 40) == sub(head, 25, 40) then
        done = call('SET', key, record, 'KEEPTTL')
      else
        done = call('SET', key, record, 'PX', ARGV[3 * at + 1])
      end
      if not done.err then answer = '1' end
    end
  end
  answers[at] = answer
end
return {table.concat(answers)}

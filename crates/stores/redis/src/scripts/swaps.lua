-- Swaps of many sessions. KEYS: the records. ARGV: now, and for each record what `swapped` takes. Answers with a
-- character for each: '1' if it was replaced, '0' if nothing was written. A refusal for one must not end the script when
-- others are written.
local answers = {}
for at = 1, #KEYS do
  answers[at] = swapped(KEYS[at], ARGV[3 * at - 1], ARGV[3 * at], ARGV[3 * at + 1]) and '1' or '0'
end
return {table.concat(answers)}

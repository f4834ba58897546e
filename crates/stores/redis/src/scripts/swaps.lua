-- Swaps of many sessions. KEYS: the records. ARGV: now, and for each record the expected version (eight bytes), the
-- record, for how many milliseconds. Answers with a character for each: '1' if it was replaced, '0' if nothing was
-- written. What follows up to the end of the loop sees one key as any other script does, and a refusal for one key must
-- not end the script when others are written. What refuses GETRANGE does so for the first.
local keys, answers, KEYS, redis = KEYS, {}, {}, {call = redis.pcall, pcall = redis.pcall}
for at = 1, #keys do
KEYS[1] = keys[at]

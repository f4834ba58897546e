-- Removes entries whose records are not their principal's, or have a later entry. One that was made a moment ago may have
-- its record yet to come. KEYS: the index. ARGV: how old an entry must be, in microseconds; then the entries.
local oldest = microseconds() - tonumber(ARGV[1])
for at = 2, #ARGV do
  if #ARGV[at] ~= 24 or number(ARGV[at], 16) <= oldest then redis.call('ZREM', KEYS[1], ARGV[at]) end
end
return {'tidied'}

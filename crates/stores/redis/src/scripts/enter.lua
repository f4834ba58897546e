-- Where index and record are on different servers: enters a session before its record is written.
-- KEYS: the index. ARGV: now, the handle, the absolute deadline (eight bytes).
local made, some = enter(KEYS[1], ARGV[2], number(ARGV[3], 0), tonumber(ARGV[1]))
return {string.format('%.0f', made), unpack(some)}

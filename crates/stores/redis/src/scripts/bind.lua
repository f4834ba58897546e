-- Has the index know of a record before it is written. Part of the scripts that write one.

-- An entry that was made longer ago, in microseconds, is not relied on: it may be taken for left over by now.
local LATE = 300000000

-- Enters the session into the index, if that is here (KEYS[2]). If it is elsewhere, says whether `made`, when the
-- caller entered it there, is recent.
local function bind(record, handle, made, now)
  if KEYS[2] then
    local _, some = enter(KEYS[2], handle, number(record, 32), now)
    return true, some
  end
  return microseconds() - tonumber(made) < LATE, {}
end

-- The end of the scripts that write a record, where its index has to know of it first. If that is elsewhere (no
-- KEYS[2]), the caller has entered the session there, at `made`.

-- An entry that was made longer ago, in microseconds, is not relied on: it may be taken for left over by now.
local LATE = 300000000

local some, _ = {}, nil
if KEYS[2] then
  _, some = enter(KEYS[2], handle, number(record, 32), now)
elseif microseconds() - tonumber(made) >= LATE then
  return {'enter first'}
end
redis.call('SET', KEYS[1], record, 'PX', span)
return {done, unpack(some)}

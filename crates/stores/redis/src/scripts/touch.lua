-- KEYS: the record. ARGV: now, the version (eight bytes), the idle deadline (eight bytes).
if state == 'corrupt' then return {'corrupt'} end
if state ~= 'live' then return {'gone'} end
if version == ARGV[2] then
  -- By halves, which are exact. `<` on strings would follow the server's language.
  local high, low = struct.unpack('>I4I4', ARGV[3])
  local present_high, present_low = struct.unpack('>I4I4', head, 25)
  if high > present_high or high == present_high and low > present_low then
    local span = math.min(high * 2 ^ 32 + low, absolute) - now
    redis.call('SETRANGE', KEYS[1], '24', ARGV[3])
    redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.min(span, 2 ^ 53)))
  end
end
return {'touched'}

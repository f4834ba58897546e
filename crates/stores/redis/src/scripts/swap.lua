-- The end of the loop: only the common case, where no index has to be written.
local record, answer = ARGV[3 * at], '0'
if state == 'live' and version == ARGV[3 * at - 1] then
  local named = string.byte(record, 3)
  if named == 0 or string.sub(record, 41, 40 + named) == principal and struct.unpack('>I8', record, 33) <= absolute then
    if not redis.pcall('SET', KEYS[1], record, 'PX', ARGV[3 * at + 1]).err then answer = '1' end
  end
end
answers[at] = answer
end
return {table.concat(answers)}

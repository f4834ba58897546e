-- The common case of a swap; what follows is about all others, and says what was wrong.
if swapped(KEYS[1], ARGV[2], ARGV[3], ARGV[4]) then return {'replaced'} end

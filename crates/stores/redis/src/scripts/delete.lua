-- KEYS: the record. ARGV: now, whether the caller waits for replicas ('1').
-- It may be an earlier try that removed it, and WAIT waits for nothing but what its own connection wrote. A server
-- without room refuses to write: then nobody knows whether replicas have what that try did.
if state == 'missing' and ARGV[2] == '1' then redis.call('SET', KEYS[1], '') end
redis.call('UNLINK', KEYS[1])
return {(state == 'live' or state == 'corrupt') and 'deleted' or 'gone'}

# Ends the server in the folder $1 with the signal $2, and removes the folder.
runs() { [ -n "$server" ] && grep -qaF "$1/data" "/proc/$server/cmdline" 2>/dev/null; }

server=$(cat "$1/pid" 2>/dev/null)
if runs "$1"; then
    kill -CONT "$server"
    kill -"$2" "$server"
fi
tries=0
while runs "$1"; do
    sleep 0.02
    tries=$((tries + 1))
    if [ $tries -gt 500 ]; then kill -KILL "$server"; fi
done
# PostgreSQL's shared memory outlives a killed server; the file that names it is there only then.
segment=$(sed -n '7s/.* //p' "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$segment" ]; then ipcrm -m "$segment" 2>/dev/null; fi
# Processes that are just ending may still add a file.
tries=0
until rm -rf "$1" 2>/dev/null || [ $tries -gt 100 ]; do
    sleep 0.05
    tries=$((tries + 1))
done

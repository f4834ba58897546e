# Waits until nobody uses the server in the folder $1, for $3 seconds on end; then runs the script $5 with the
# signal $4 while holding the lock $2.
exec 8<"$1/kept" && flock -s 8 || exit
while flock "$1/users" true 2>/dev/null; do
    sleep "$3"
    exec 9<"$2"
    flock 9
    if flock -n "$1/users" true 2>/dev/null; then
        exec sh -c "$5" end "$1" "$4"
    fi
    exec 9<&-
done

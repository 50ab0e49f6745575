# Runs a command and ends it when the process that started this one is gone, however that one ended.
# usage: sh -c "$(cat guard.sh)" guard <signal> <folder to delete, or ''> <command> [arguments]
# stdin is a pipe that the starter holds open: a line means "stop it", its end means "the starter is dead".
# fd 3 tells the starter the command's process id, then its exit code. The folder is deleted only when
# the starter is dead: otherwise that is the starter's business.
signal=$1 folder=$2
shift 2
exec 5<&0 </dev/null
"$@" 3>&- 5<&- &
child=$!
trap '' PIPE
echo "$child" >&3
(
  read -r _ <&5
  kill -s "$signal" "$child"
) 3>&- 2>/dev/null &
watcher=$!
wait "$child" 2>/dev/null
code=$?
kill "$watcher" 2>/dev/null
wait "$watcher" 2>/dev/null
echo "$code" 2>/dev/null >&3
if ! read -r _ <&5 && [ -n "$folder" ]; then rm -rf -- "$folder"; fi
exit "$code"

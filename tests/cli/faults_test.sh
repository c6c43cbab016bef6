#!/bin/bash
# Outputs are complete or absent, whatever the system refuses: no room, no right, a reader that goes away.
set -u
. "$(dirname "$0")/lib.sh"

# A limit on the size of files stands for a disk that is full: the write fails in the middle.
limited() { ( ulimit -f 64; "$@" ); }
"$MLSCOPE" keygen -o "$work/key" --quiet
expect 5 limited "$MLSCOPE" seal "$demo" --key-file "$work/key" -o "$work/cut.sealed"
has_err "cannot write"
expect 5 limited "$MLSCOPE" compile "$demo" -o "$work/cut.mlmodelc"
has_err "cannot write"
[ "$(ls "$work" | sort | tr '\n' ' ')" = "key " ] || complain "something is left: $(ls "$work")"

# A full device.
for command in "inspect --mil" "inspect --json" "profile --json --runs 1"; do
    # shellcheck disable=SC2086 # words
    "$MLSCOPE" $command "$demo" >/dev/full 2>"$work/.err"
    code=$?
    { [ $code != 0 ] && [ $code -lt 128 ]; } || complain "a full device gave exit code $code: $command"
    grep -q "^mlscope: " "$work/.err" || complain "a full device gave no error: $command"
done

# A reader that goes away has seen what it wanted.
"$MLSCOPE" inspect --mil "$demo" 2>"$work/.err" | head -1 >/dev/null
code=${PIPESTATUS[0]}
[ "$code" = 0 ] || complain "a reader that went away gave exit code $code"

# Where nothing can be written.
if [ "$(id -u)" != 0 ]; then
    mkdir "$work/locked" && chmod 500 "$work/locked"
    expect 5 "$MLSCOPE" seal "$demo" --key-file "$work/key" -o "$work/locked/x"
    expect 5 "$MLSCOPE" run "$demo" --random-seed 1 --output-dir "$work/locked/out"
fi
expect 5 "$MLSCOPE" run "$demo" --random-seed 1 --output-dir /proc/nowhere
expect 5 "$MLSCOPE" seal "$demo" --key-file "$work/key" -o /proc/nowhere
finish

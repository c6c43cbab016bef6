#!/bin/bash
# Reads and writes that move a part only, and a wall clock that jumps an hour at each look: the same results, and no event lost.
set -u
. "$(dirname "$0")/lib.sh"
rough=$MLS_BUILD/tests/librough_system.so
[ -e "$rough" ] || { echo "skipped: no $rough"; exit 77; }
key=$PWD/tests/demo/digits.key sealed=$PWD/tests/demo/digits.sealed
roughly() { expect 0 env LD_PRELOAD="$rough" "$MLSCOPE" "$@"; }
same() { diff -r "$1" "$2" >/dev/null || complain "another result: $command_line"; }

expect 0 "$MLSCOPE" run "$demo" --random-seed 1 --quiet --output-dir "$work/outputs"
roughly run "$demo" --random-seed 1 --quiet --output-dir "$work/rough"
same "$work/outputs" "$work/rough"
roughly run "$sealed" --key-file "$key" --random-seed 1 --quiet --output-dir "$work/rough-sealed"
same "$work/outputs" "$work/rough-sealed"
env LD_PRELOAD="$rough" "$MLSCOPE" run "$sealed" --key-fd 0 --random-seed 1 --quiet --output-dir "$work/rough-pipe" < <(cat "$key")
same "$work/outputs" "$work/rough-pipe"

# Two sealed files of one model differ by their nonces: what they hold must not.
roughly seal "$demo" --key-file "$key" --quiet -o "$work/rough.sealed"
expect 0 "$MLSCOPE" run "$work/rough.sealed" --key-file "$key" --random-seed 1 --quiet --output-dir "$work/of-rough-sealed"
same "$work/outputs" "$work/of-rough-sealed"

for verb in "compile" "compress --palettize 4"; do
    # shellcheck disable=SC2086 # words
    expect 0 "$MLSCOPE" $verb "$demo" --quiet -o "$work/smooth"
    # shellcheck disable=SC2086
    roughly $verb "$demo" --quiet -o "$work/written"
    same "$work/smooth" "$work/written"
    rm -rf "$work/smooth" "$work/written"
done

roughly record "$demo" --runs 20 --quiet -o "$work/rough.recording"
expect 0 "$MLSCOPE" "$work/rough.recording" --once
has_out " operations"
start=$SECONDS
roughly profile "$demo" --threads 1 --concurrency 2 --runs 200 --json
grep -q '"lost_events": *0' "$work/.out" || complain "events lost: $(grep -o '"lost[a-z_]*": *[0-9]*' "$work/.out" | tr '\n' ' ')"
[ $((SECONDS - start)) -lt 60 ] || complain "it waited for the wall clock: $((SECONDS - start)) s"
roughly profile "$demo" --threads 1 --rate 100 --runs 50 --json
has_keys ops
finish

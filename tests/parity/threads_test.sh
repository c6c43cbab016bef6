#!/bin/bash
# Results do not depend on the number of threads: the same bits with one to seven, for the tiny programs, the demo, and the
# third-party packages that have reference outputs.
set -u
here=$(dirname "$0")
. "$here/common.sh"

# model, further arguments of `run`
check_threads() {
    rm -rf "$work"/threads*
    for n in 1 2 3 7; do
        "$MLSCOPE" run "$@" --random-seed 1 --threads $n --output-dir "$work/threads$n" --quiet || { failed=1; return; }
        diff -r "$work/threads1" "$work/threads$n" >/dev/null || { echo "FAILED: $1 differs on $n threads" >&2; failed=1; }
    done
}

for case in "$here"/cases/*/; do
    check_threads "${case}model.mlpackage"
done
check_threads "$here/../demo/digits.mlpackage"
for folder in "$MLS_SHARED"/expected/*/; do
    [ -f "$folder/case.json" ] || continue
    check_threads "$MLS_SHARED/$(sed -nE 's/.*"model": *"([^"]*)".*/\1/p' "$folder/case.json")"
done
[ $failed = 0 ] && echo "one to seven threads give the same bits"
exit $failed

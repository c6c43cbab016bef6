#!/bin/bash
# The third-party packages against reference outputs that were not made by mlscope: as folder and sealed, with every instruction set.
set -u
here=$(dirname "$0")
[ -d "$MLS_SHARED/expected" ] || { echo "skipped: no $MLS_SHARED/expected"; exit 77; }
. "$here/common.sh"
"$MLSCOPE" keygen -o "$work/key" --quiet || exit 1
for folder in "$MLS_SHARED"/expected/*/; do
    folder=${folder%/}
    model=$MLS_SHARED/$(sed -nE 's/.*"model": *"([^"]*)".*/\1/p' "$folder/case.json")
    bound=90
    "$MLSCOPE" inspect "$model" --json | grep -q '"fp16"' && bound=40
    for isa in generic avx2 avx512 amx; do
        check_case "$folder" "$model" $bound --cpu $isa
    done
    rm -f "$work/sealed"
    "$MLSCOPE" seal "$model" --key-file "$work/key" -o "$work/sealed" --quiet || failed=1
    check_case "$folder" "$model" $bound
    mv "$work/out" "$work/plain"
    check_case "$folder" "$work/sealed" $bound --key-file "$work/key"
    diff -r "$work/plain" "$work/out" >/dev/null || { echo "FAILED: sealed and folder differ: $folder" >&2; failed=1; }
    rm -rf "$work/plain"
done
[ $failed = 0 ] && echo "all references are met"
exit $failed

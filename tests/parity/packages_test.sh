#!/bin/bash
# The complete third-party packages without reference outputs (reference_test.sh has the others), with random inputs: finite, the
# same with every instruction set within the bounds of their precision, and the same bits sealed and as a folder.
set -u
here=$(dirname "$0")
[ -d "$MLS_SHARED/models" ] || { echo "skipped: no $MLS_SHARED/models"; exit 77; }
. "$here/common.sh"
"$MLSCOPE" keygen -o "$work/key" --quiet || exit 1

run() { # model, output folder, further arguments
    local model=$1 out=$2
    shift 2
    "$MLSCOPE" run "$model" --random-seed 1 --output-dir "$out" --quiet "$@" || { echo "FAILED to run: $model $*" >&2; failed=1; }
}

same() { # folder, folder, bound, what
    "$compare" "$1" "$2" "$3" finite >"$work/report" 2>&1 || { echo "FAILED: $4" >&2; cat "$work/report" >&2; failed=1; }
}

n=0
covered=$(cat "$MLS_SHARED"/expected/*/case.json 2>/dev/null)
while read -r manifest; do
    model=$(dirname "$manifest")
    # Complete: the weights are there, or the program needs none.
    "$MLSCOPE" inspect "$model" --json >"$work/inspect.json" 2>/dev/null || continue
    n=$((n + 1))
    grep -qF "\"${model#"$MLS_SHARED"/}\"" <<<"$covered" && continue
    bound=90
    grep -q '"fp16"' "$work/inspect.json" && bound=40
    rm -rf "$work"/generic "$work"/avx2 "$work"/avx512 "$work"/best "$work"/sealed "$work/file.sealed"
    run "$model" "$work/best"
    for isa in generic avx2 avx512; do
        run "$model" "$work/$isa" --cpu $isa
        same "$work/generic" "$work/$isa" $bound "$model --cpu $isa"
    done
    same "$work/generic" "$work/best" $bound "$model"
    "$MLSCOPE" seal "$model" --key-file "$work/key" -o "$work/file.sealed" --quiet || failed=1
    run "$work/file.sealed" "$work/sealed" --key-file "$work/key"
    diff -r "$work/best" "$work/sealed" >/dev/null || { echo "FAILED: sealed and folder differ: $model" >&2; failed=1; }
done < <(find "$MLS_SHARED/models" -name Manifest.json)
echo "$n packages"
[ "$n" -ge 14 ] || failed=1
exit $failed

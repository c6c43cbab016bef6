#!/bin/bash
# compare: models, recordings, a model with itself in fp32; table, JSON, CSV; and what it refuses.
set -u
. "$(dirname "$0")/lib.sh"
[ -d "$demo" ] || { echo "no demo model"; exit 77; }

"$MLSCOPE" profile "$demo" --runs 5 --json >"$work/a.json"
"$MLSCOPE" profile "$demo" --runs 5 --threads 1 --json >"$work/b.json"

expect 0 "$MLSCOPE" compare "$demo" "$demo" --runs 5 --json
has_keys schema version environment model model_b structure changes scope ratio noise larger_than_noise accuracy outputs \
    snr_db worst keep_fp32
grep -q '"schema": *"mlscope.compare"' "$work/.out" || complain "the schema"
grep -q '"matched": *[1-9]' "$work/.out" && grep -q '"only_a": *0' "$work/.out" && grep -q '"only_b": *0' "$work/.out" || complain "not all operations of the same model are matched"

expect 0 "$MLSCOPE" compare "$demo" --runs 3
has_out "in fp32"
has_out "No operation is below 40 dB"
expect 0 "$MLSCOPE" compare "$work/a.json" "$work/b.json"
has_out " matched, 0 only in A, 0 only in B"
expect 0 "$MLSCOPE" compare "$work/a.json" "$demo" --runs 3 --csv
[ "$(head -1 "$work/.out")" = "scope,op,type,name,a,b,ratio,noise,larger_than_noise,snr_db,added_error" ] || complain "the CSV header"

expect 2 "$MLSCOPE" compare
expect 2 "$MLSCOPE" compare "$work/a.json"
expect 2 "$MLSCOPE" compare "$work/a.json" "$demo/Manifest.json"
has_err "schema is not mlscope.profile"
expect 2 "$MLSCOPE" compare "$demo" "$demo" "$demo"
expect 3 "$MLSCOPE" compare "$demo" "$work/nowhere.mlpackage"
finish

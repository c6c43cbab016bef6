#!/bin/bash
# mlscope sweep on the demo model: ten settings, each with its figures, in every form of output; the plain model is exact and on
# the front; a cancelled sweep keeps what is done.
set -u
demo=tests/demo
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() {
    echo "FAILED: $1" >&2
    failed=1
}

"$MLSCOPE" sweep $demo/digits.mlpackage --runs 3 --json --svg "$work/plot.svg" >"$work/sweep.json" || fail "sweep --json"
[ "$(grep -c '"label":' "$work/sweep.json")" = 10 ] || fail "not ten settings"
grep -q '"failed"' "$work/sweep.json" && fail "a setting failed: $(grep '"failed"' "$work/sweep.json")"
grep -q '"schema": "mlscope.sweep"' "$work/sweep.json" || fail "no schema"
for key in package_bytes weights_bytes weights_snr_db outputs_snr_db accuracy p50_ns p99_ns peak_rss_bytes predicted pareto method; do
    [ "$(grep -c "\"$key\":" "$work/sweep.json")" -ge 10 ] || fail "$key is missing"
done
grep -q '"evidence": "with 4 bits in it alone, the outputs keep [0-9.]* dB (' "$work/sweep.json" ||
    fail "no word on the operations that lose most"
for suits in 'quantize:GPU' 'palettize:ANE' 'prune:ANE+CPU'; do
    case $suits in quantize*) label='int8 per channel' ;; palettize*) label='4-bit grouped' ;; *) label='pruned 50 %' ;; esac
    grep -A30 "\"label\": \"$label\"," "$work/sweep.json" | grep -m1 '"suits"' | grep -q "\"${suits#*:}\"" || fail "$label does not suit ${suits#*:}"
done
grep -q '</svg>' "$work/plot.svg" || fail "no plot"
"$MLSCOPE" sweep $demo/digits.mlpackage --runs 2 --csv >"$work/sweep.csv" || fail "sweep --csv"
[ "$(wc -l <"$work/sweep.csv")" = 11 ] || fail "csv has not eleven lines"
[ "$(awk -F, '{print NF}' "$work/sweep.csv" | sort -u | wc -l)" -le 2 ] || fail "csv rows have different lengths"

# sealed models are compared in memory only
"$MLSCOPE" sweep $demo/digits.sealed --key-file $demo/digits.key --runs 2 --quiet || fail "sweep of a sealed model"

timeout --foreground --preserve-status -s INT 3 "$MLSCOPE" sweep $demo/digits.mlpackage --max-seconds 5 --json >"$work/part.json" 2>"$work/error"
[ $? = 5 ] || fail "a cancelled sweep does not end with 5"
grep -q '"cancelled": true' "$work/part.json" || fail "a cancelled sweep does not say so"

[ $failed = 0 ] && echo "sweep works on the demo model"
exit $failed

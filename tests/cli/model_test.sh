#!/bin/bash
# run, inspect, plan, diagnose and seal on the demo model.
set -u
. "$(dirname "$0")/lib.sh"
[ -d "$demo" ] || { echo "no demo model"; exit 77; }
image=$(ls "$PWD"/tests/demo/digits/*.png | head -1)

expect 0 "$MLSCOPE" inspect "$demo" --json
has_keys schema environment model interface inputs outputs states functions op_counts weights stored_as bits_per_weight file \
    offset used_by totals parameters weights_bytes flops spec_version opset minimum_deployment_target
expect 0 "$MLSCOPE" inspect "$demo"
expect 0 "$MLSCOPE" inspect "$demo" --mil
has_out "func main"
expect 3 "$MLSCOPE" inspect "$demo" --function nothing

expect 0 "$MLSCOPE" plan "$demo" --json
has_keys schema profile compute_units ops supported preferred cost_share estimates_us reasons confidence summary settings
expect 0 "$MLSCOPE" plan "$demo" --compute-units cpuOnly
expect 2 "$MLSCOPE" plan "$demo" --hardware "Z80"

expect 0 "$MLSCOPE" diagnose "$demo" --json
has_keys schema findings
expect 0 "$MLSCOPE" diagnose --log /dev/null
expect 2 "$MLSCOPE" diagnose --log "$work/nothing"

expect 2 "$MLSCOPE" run "$demo"
has_err "has no value"
expect 0 "$MLSCOPE" run "$demo" --input "image=$image" --output-dir "$work/out"
grep -q '"mlscope.outputs"' "$work/out/outputs.json" || complain "outputs.json"
expect 0 "$MLSCOPE" run "$demo" --random-seed 1 --json
has_keys schema outputs
expect 2 "$MLSCOPE" run "$demo" --input "nothing=$image"
has_err "its inputs are: "

expect 0 "$MLSCOPE" keygen -o "$work/key" --quiet
expect 0 "$MLSCOPE" seal "$demo" -o "$work/sealed" --key-file "$work/key"
expect 0 "$MLSCOPE" run "$work/sealed" --key-file "$work/key" --input "image=$image" --output-dir "$work/sealed-out"
diff -r "$work/out" "$work/sealed-out" >/dev/null || complain "sealed and folder give different outputs"
KEY=$(cat "$work/key") expect 0 "$MLSCOPE" inspect "$work/sealed" --key-env KEY
expect 3 "$MLSCOPE" inspect "$work/sealed"
has_err "hint: "
expect 0 "$MLSCOPE" keygen -o "$work/other" --quiet
expect 3 "$MLSCOPE" inspect "$work/sealed" --key-file "$work/other"
expect 2 "$MLSCOPE" seal "$demo" -o "$work/x"
expect 2 "$MLSCOPE" inspect "$demo" --key-file a --key-env b

finish

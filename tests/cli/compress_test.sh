#!/bin/bash
# mlscope compress on the demo model: every method writes a package that runs, has the size that was reported, and classifies;
# a sealed model stays sealed; what does not fit is refused and leaves nothing behind.
set -u
demo=tests/demo
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() {
    echo "FAILED: $1" >&2
    failed=1
}

check() { # stored as, arguments
    local stored=$1
    shift
    "$MLSCOPE" compress $demo/digits.mlpackage -o "$work/out.mlpackage" --force --json "$@" >"$work/report.json" ||
        { fail "compress $*"; return; }
    "$MLSCOPE" inspect "$work/out.mlpackage" --json >"$work/inspect.json" || fail "inspect after $*"
    grep -q "\"stored_as\": \"$stored\"" "$work/inspect.json" || fail "$*: no weight is stored as $stored"
    "$MLSCOPE" run "$work/out.mlpackage" --random-seed 3 --output-dir "$work/run" >/dev/null || fail "run after $*"
}

check palettized --palettize 4
check palettized --palettize 6 --mode uniform
check palettized --palettize 4 --group-size 4
check palettized --palettize 3
check palettized --palettize 4 --cluster-dim 2
check quantized --palettize 4 --per-channel-scale
check quantized --quantize int8
check quantized --quantize uint8 --mode linear --granularity per_tensor
check quantized --quantize int4 --block-size 8 --target iOS18
check pruned --prune 0.75
check pruned --prune 2:4
check pruned --prune-threshold 0.05
check pruned --prune 0.5 --palettize 4
check pruned --prune 0.5 --quantize int8
check palettized --palettize 4 --quantize int8 --granularity per_tensor
check quantized --quantize int8 --palettize 4

# decompressed, and written for a later opset, it gives the same outputs bit by bit; what is compressed can be compressed further
keep() { # arguments
    "$MLSCOPE" compress $demo/digits.mlpackage -o "$work/c.mlpackage" --force --quiet "$@" || fail "compress $*"
    "$MLSCOPE" compress "$work/c.mlpackage" -o "$work/d.mlpackage" --force --quiet --decompress || fail "--decompress after $*"
    "$MLSCOPE" compress "$work/c.mlpackage" -o "$work/u.mlpackage" --force --quiet --target iOS18 --palettize 8 \
        --weight-threshold 1000000 || fail "upgrade after $*"
    "$MLSCOPE" inspect "$work/d.mlpackage" --json | grep -q '"stored_as": "\(palettized\|quantized\|pruned\)' &&
        fail "compressed weights are left after $*"
    for one in c d u; do
        rm -rf "$work/run_$one"
        "$MLSCOPE" run "$work/$one.mlpackage" --random-seed 5 --output-dir "$work/run_$one" --quiet || fail "run $one after $*"
    done
    diff -rq "$work/run_c" "$work/run_d" >/dev/null || fail "decompressed outputs differ after $*"
    diff -rq "$work/run_c" "$work/run_u" >/dev/null || fail "upgraded outputs differ after $*"
}
keep --palettize 4
keep --palettize 3 --group-size 4
keep --palettize 4 --cluster-dim 2
keep --palettize 4 --per-channel-scale
keep --quantize uint8 --mode linear
keep --quantize int4 --block-size 8
keep --prune 0.5
keep --prune 0.5 --palettize 4
keep --prune 0.5 --quantize int8
keep --palettize 4 --quantize int8 --granularity per_tensor
keep --quantize int8 --palettize 4
"$MLSCOPE" compress $demo/digits.mlpackage -o "$work/c.mlpackage" --force --quiet --prune 0.5
"$MLSCOPE" compress "$work/c.mlpackage" -o "$work/j.mlpackage" --force --quiet --joint --palettize 4 || fail "--joint"
"$MLSCOPE" compress $demo/digits.mlpackage -o "$work/d.mlpackage" --force --quiet --prune 0.5 --palettize 4
for one in j d; do
    "$MLSCOPE" run "$work/$one.mlpackage" --random-seed 5 --output-dir "$work/joint_$one" --quiet
done
diff -rq "$work/joint_j" "$work/joint_d" >/dev/null || fail "--joint differs from both at once"

# what is refused says why and writes nothing
refuse() { # exit code, text, arguments
    local code=$1 text=$2
    shift 2
    rm -rf "$work/none"
    "$MLSCOPE" compress "$@" -o "$work/none" >/dev/null 2>"$work/error"
    [ $? = "$code" ] || fail "compress $*: not exit code $code"
    grep -q -- "$text" "$work/error" || fail "compress $*: the error does not say '$text': $(cat "$work/error")"
    [ ! -e "$work/none" ] || fail "compress $* left something"
}
refuse 2 "no method" $demo/digits.mlpackage
refuse 2 "5" $demo/digits.mlpackage --palettize 5
refuse 2 "before any method" $demo/digits.mlpackage --granularity per_tensor --palettize 4
refuse 2 "iOS 18" $demo/digits.mlpackage --palettize 4 --group-size 4 --target iOS16
refuse 2 "granularity" $demo/digits.mlpackage --palettize 4 --granularity per_block
printf 'config_type: OpPalettizerConfig\nglobal_config:\n  nbits: 4\n  bits: 4\n' >"$work/wrong.yaml"
refuse 2 "line 4: bits" $demo/digits.mlpackage --config "$work/wrong.yaml"
"$MLSCOPE" compress $demo/digits.mlpackage -o "$work/out.mlpackage" --palettize 4 2>/dev/null && fail "overwrites without --force"

# a configuration file is the same as options
printf 'config_type: OpPalettizerConfig\nglobal_config:\n  mode: kmeans\n  nbits: 4\nop_type_configs:\n  linear: null\n' >"$work/right.yaml"
"$MLSCOPE" compress $demo/digits.mlpackage -o "$work/a.mlpackage" --config "$work/right.yaml" --quiet || fail "--config"
"$MLSCOPE" compress $demo/digits.mlpackage -o "$work/b.mlpackage" --palettize 4 --skip linear --quiet || fail "--skip"
cmp -s "$work"/{a,b}.mlpackage/Data/com.apple.CoreML/weights/weight.bin || fail "--config and options differ"

# sealed stays sealed
"$MLSCOPE" compress $demo/digits.sealed --key-file $demo/digits.key -o "$work/out.sealed" --palettize 4 --quiet || fail "sealed"
"$MLSCOPE" compress $demo/digits.mlpackage -o "$work/plain.mlpackage" --palettize 4 --quiet || fail "plain"
"$MLSCOPE" run "$work/out.sealed" 2>/dev/null --output-dir "$work/none" && fail "sealed output opens without its key"
"$MLSCOPE" run "$work/out.sealed" --key-file $demo/digits.key --random-seed 1 --output-dir "$work/s" >/dev/null || fail "run sealed"
"$MLSCOPE" run "$work/plain.mlpackage" --random-seed 1 --output-dir "$work/p" >/dev/null || fail "run plain"
diff -r "$work/s" "$work/p" >/dev/null || fail "sealed and plain results differ"
grep -qaE 'constexpr|mlmodel|weight|Manifest' "$work/out.sealed" && fail "the sealed output can be read"

# the forms that the oldest system knows
forms() { # wanted operation, unwanted, arguments
    local wanted=$1 unwanted=$2
    shift 2
    "$MLSCOPE" compress $demo/digits.mlpackage -o "$work/f.mlpackage" --force --quiet "$@" || fail "compress $*"
    "$MLSCOPE" inspect "$work/f.mlpackage" --json >"$work/f.json"
    grep -q "\"$wanted\":" "$work/f.json" || fail "$*: no $wanted"
    grep -q "\"$unwanted\":" "$work/f.json" && fail "$*: it has $unwanted"
}
forms constexpr_affine_dequantize constexpr_blockwise_shift_scale --quantize int8 --target iOS16
forms constexpr_blockwise_shift_scale constexpr_affine_dequantize --quantize int8 --target iOS18
grep -q '"opset": 6' <("$MLSCOPE" compress $demo/digits.mlpackage -o "$work/f.mlpackage" --force --quiet --palettize 4 --target iOS16 &&
    "$MLSCOPE" inspect "$work/f.mlpackage" --json) || fail "--palettize 4 --target iOS16 is not of opset 6"
refuse 2 "iOS 17" $demo/digits.mlpackage --quantize int8 --calibration tests/data/digits_calibration.npz --quantize-activations --target iOS16

# functions that share a weight go on sharing it; what is said about the model stays
two=tests/data/two_functions.mlpackage
"$MLSCOPE" compress $two -o "$work/two.mlpackage" --palettize 4 --quiet || fail "two functions"
"$MLSCOPE" compress "$work/two.mlpackage" -o "$work/twice.mlpackage" --decompress --quiet || fail "two functions, decompressed"
for function in clipped projected; do
    for one in two twice; do
        "$MLSCOPE" run "$work/$one.mlpackage" --function $function --random-seed 1 --output-dir "$work/$one.$function" --quiet || fail "$function"
    done
    diff -rq "$work/two.$function" "$work/twice.$function" >/dev/null || fail "$function: decompressed outputs differ"
done
bytes() { stat -c %s "$1/Data/com.apple.CoreML/weights/weight.bin"; }
[ "$(bytes "$work/two.mlpackage")" -lt $((48 * 64 / 2 * 2 + 56 * 48 / 2 + 2048)) ] || fail "a shared weight was written twice"
[ "$(bytes "$work/twice.mlpackage")" -lt $((48 * 64 * 2 * 2 + 56 * 48 * 2)) ] || fail "a shared weight was decompressed twice"
for text in Ada 1.2 "two functions" "tests of compression"; do
    "$MLSCOPE" inspect "$work/two.mlpackage" --json | grep -q "\"$text\"" || fail "metadata '$text' is lost"
done

# what cannot be written completely leaves what was there
cp -r "$work/two.mlpackage" "$work/kept.mlpackage"
(trap '' XFSZ; ulimit -f 4; "$MLSCOPE" compress $demo/digits.mlpackage -o "$work/two.mlpackage" --force --quantize int8 --quiet 2>/dev/null) &&
    fail "a package that does not fit is written"
diff -r "$work/two.mlpackage" "$work/kept.mlpackage" >/dev/null || fail "the old package was touched by one that did not fit"
[ -z "$(ls "$work" | grep -E 'part|old')" ] || fail "unfinished files are left: $(ls "$work")"

[ $failed = 0 ] && echo "compress works on the demo model"
exit $failed

#!/usr/bin/env bash
# Plays every tests/screens/*.keys without a terminal and compares the last screen with the expected one, at three sizes
# and glyph sets. A line "# model broken" in a .keys file plays it on a file that is no model, "# model demo" on
# digits.mlsrec, a recording of the demo model with fixed numbers, which other changes leave alone; "# model recording" on one with
# names replaced; "# model folder" on a folder of models. Without such a line the demo model runs.
#   tests/screens/screens_test.sh --record  records digits.mlsrec anew
#   tests/screens/screens_test.sh           compares
#   tests/screens/screens_test.sh --renew   writes the expected screens anew
set -u
here=$(cd "$(dirname "$0")" && pwd)
program=${MLSCOPE:-}
model=$here/../demo/digits.mlpackage
[ -x "$program" ] && [ -e "$model" ] || exit 77
program=$(realpath "$program")
export LC_ALL=C.UTF-8 NO_COLOR=
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s "$(realpath "$model")" "$work/digits.mlpackage"
printf 'this is no model\n' >"$work/broken.mlmodel"
cp "$here/../fuzz/corpus/profiler_recording_fuzz/demo.mlsrec" "$work/demo.mlsrec"
cp "$here/digits.mlsrec" "$work/digits.mlsrec"
mkdir -p "$work/folder/below"
cp -r "$(realpath "$model")" "$work/folder/below/digits.mlpackage"
cp "$work/demo.mlsrec" "$work/broken.mlmodel" "$work/folder"
cd "$work" || exit 1
failed=0
count=0

# play KEYS EXPECTED OPTIONS...: one screen.
play() {
    local keys=$1 expected=$2 wanted=digits.mlpackage want_code=0 code
    shift 2
    if grep -q '^# model broken' "$keys"; then
        wanted=broken.mlmodel
        want_code=3
    elif grep -q '^# model folder' "$keys"; then
        wanted=folder
    elif grep -q '^# model demo' "$keys"; then
        wanted=digits.mlsrec
    elif grep -q '^# model recording' "$keys"; then
        wanted=demo.mlsrec
    fi
    { cat "$keys"; echo ":save-screen now.screen"; } >now.keys
    rm -f now.screen
    "$program" "$wanted" --script now.keys --deterministic --cpu generic --no-fusion --threads 1 --random-seed 1 "$@" 2>now.error
    code=$?
    if [ $code -ne $want_code ]; then
        echo "FAIL $(basename "$expected"): exit code $code: $(cat now.error)"
        failed=1
        return
    fi
    count=$((count + 1))
    if [ "${renew:-}" ]; then
        cp now.screen "$expected"
    elif ! diff -u "$expected" now.screen; then
        echo "FAIL $(basename "$expected")"
        failed=1
    fi
}

if [ "${1:-}" = --record ]; then
    printf 'wait loaded\nwait 60 predictions\n:record %s\n' "$here/digits.mlsrec" >now.keys
    exec "$program" digits.mlpackage --script now.keys --deterministic --cpu generic --no-fusion --threads 1 --random-seed 1
fi
[ "${1:-}" = --renew ] && renew=1
for keys in "$here"/*.keys; do
    name=${keys%.keys}
    play "$keys" "$name.80x24.screen" --size 80x24
    play "$keys" "$name.200x60.screen" --size 200x60
    play "$keys" "$name.80x24.ascii.screen" --size 80x24 --ascii
    if LC_ALL=C grep -q '[^ -~]' "$name.80x24.ascii.screen"; then
        echo "FAIL $(basename "$name"): the ASCII screen holds other characters"
        failed=1
    fi
done
echo "$count screens compared"
exit $failed

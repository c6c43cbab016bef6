#!/bin/bash
# The third-party packages whose weights are missing, with random ones: they load, run, and agree between instruction sets (SNR of
# at least 60 dB for fp32 programs, 40 dB for those with fp16). Not a test of ctest: it takes half an hour, and coremltools.
#
#     MLSCOPE=… MLS_BUILD=build/release MLS_SHARED=… PYTHON=venv/bin/python tests/parity/synth_packages.sh [PART_OF_A_PATH]
#
# One line a package: its name, and per instruction set the worst ratio of its outputs. Where fp16 decides the order of near-equal
# scores (top-k at the end of a detector), the order is another one; such a package is named, and has to agree in fp32
# (--precision high). Exit 1 when one does not fit.
set -u
here=$(dirname "$0")
. "$here/common.sh"
python=${PYTHON:-python3}
n=0

# output folder, further arguments of `run`
predict() {
    local out=$1
    shift
    "$MLSCOPE" run "$work/model.mlpackage" --random-seed 1 --output-dir "$work/$out" --quiet "$@" 2>"$work/report" && return
    result="$result, $* FAILED: $(head -1 "$work/report")"
    failed=1
    return 1
}

# two folders, bound: the worst ratio, or the greatest difference of a dictionary, on standard output
ratio() {
    "$compare" "$work/$1" "$work/$2" "$3" >"$work/report" 2>&1
    local fits=$?
    grep -oE '[-0-9.infa]+ dB|worst difference.*' "$work/report" | sort -g | head -1
    return $fits
}

# instruction set, bound
check_isa() {
    local isa=$1 bound=$2
    predict "$isa" --cpu "$isa" || return
    [ "$isa" = generic ] && return
    if result="$result, $isa $(ratio generic "$isa" "$bound")"; then
        return
    fi
    predict generic_high --cpu generic --precision high && predict "${isa}_high" --cpu "$isa" --precision high || return
    result="$result (another order; in fp32"
    result="$result $(ratio generic_high "${isa}_high" 60))" || { result="$result DIFFERS" failed=1; }
}

while read -r manifest; do
    package=$(dirname "$manifest")
    [[ $package == *"${1:-}"* ]] || continue
    "$MLSCOPE" inspect "$package" --json >/dev/null 2>&1 && continue # complete: packages_test.sh and reference_test.sh have those
    rm -rf "$work/model.mlpackage" "$work"/generic* "$work"/avx*
    "$python" "$MLS_SHARED/tools/synth_weights.py" "$package" "$work/model.mlpackage" >"$work/report" 2>&1 || continue
    result=${package#"$MLS_SHARED/models/"}
    if ! "$MLSCOPE" inspect "$work/model.mlpackage" --json >"$work/inspect.json" 2>"$work/report"; then
        grep -q 'not supported yet' "$work/report" && continue # no ML Program
        echo "$result, does not load: $(head -1 "$work/report")"
        failed=1
        continue
    fi
    bound=60
    grep -q '"fp16"' "$work/inspect.json" && bound=40
    n=$((n + 1))
    for isa in generic avx2 avx512; do
        check_isa $isa $bound
    done
    echo "$result (bound $bound)"
done < <(find "$MLS_SHARED/models" -name Manifest.json | sort)
echo "$n packages"
exit $failed

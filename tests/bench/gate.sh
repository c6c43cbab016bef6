#!/bin/bash
# gate.sh PACKAGES RESULTS [MAX_RATIO]: times every package of a folder with one and two threads and keeps what
# `mlscope profile --json` says, environment included, as RESULTS/<processor>/<package>.t<threads>.json. Where a record of
# the same processor is there already, a package that became slower than MAX_RATIO (1.05) times that fails the gate, and
# the record stays; otherwise the new record takes its place. Not run by ctest: it needs a quiet machine.
# MLSCOPE names the program, SECONDS_EACH the time for one measurement (2).
set -u
packages=${1:?the folder with the packages}
results=${2:?the folder for the results}
max_ratio=${3:-1.05}
mlscope=${MLSCOPE:-mlscope}
processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1 | tr -cs 'A-Za-z0-9\n' '-' | sed 's/-$//')
records=$results/${processor:-unknown}
mkdir -p "$records" || exit 5
broken=0
for package in "$packages"/*.mlpackage "$packages"/*.mlmodel; do
    [ -e "$package" ] || continue
    name=$(basename "${package%.*}")
    for threads in 1 2; do
        [ "$threads" -le "$(nproc)" ] || continue
        record=$records/$name.t$threads.json
        gate=()
        [ -e "$record" ] && gate=(--baseline "$record" --max-ratio "$max_ratio")
        "$mlscope" profile "$package" --threads "$threads" --min-seconds "${SECONDS_EACH:-2}" --json "${gate[@]}" \
            >"$record.new" 2>"$record.log"
        status=$?
        printf '%-32s %s thread(s) ' "$name" "$threads"
        sed -n 's/.*"p50_ns": *\([0-9]*\).*/\1/p' "$record.new" | head -1 | awk '{printf "%10.3f ms", $1 / 1e6}'
        case $status in
        0) mv "$record.new" "$record" && echo " ${gate:+within the gate}" ;;
        1) broken=1 && mv "$record.new" "$record.slower" && echo " SLOWER: see $record.slower" ;;
        *) broken=1 && rm -f "$record.new" && echo " failed: $(head -1 "$record.log")" ;;
        esac
        rm -f "$record.log"
    done
done
exit $broken

#!/bin/bash
# profile on the demo model: the formats, the gate, the files.
set -u
. "$(dirname "$0")/lib.sh"
[ -d "$demo" ] || { echo "no demo model"; exit 77; }

expect 0 "$MLSCOPE" profile "$demo" --runs 5 --warmup 1 --json
has_keys schema version environment tool_version commit cpu isa cores threads kernel clock date_utc model path form sha256 \
    sealed spec_version opset function ops weights_bytes load total_ns stages predict runs warmup first_ns min_ns p50_ns p90_ns \
    p95_ns p99_ns max_ns mean_ns std_ns samples_ns wall ops_ns dispatch_ns hooks_ns other_ns memory arena_bytes \
    planned_peak_bytes lower_bound_bytes peak_rss_bytes index kernel share start_ns flops bytes_read bytes_written gflops \
    gbytes_per_s bound inputs outputs unit predicted_unit unit_confidence reasons fused findings
cp "$work/.out" "$work/profile.json"
head -1 "$work/profile.json" | grep -q '^{' || complain "the JSON does not begin on the first line"

expect 0 "$MLSCOPE" profile "$demo" --runs 5 --csv
header="op_index,function,path,type,name,runs,min_ns,p50_ns,p90_ns,p99_ns,mean_ns,std_ns,first_ns,share,cum_share,flops,bytes_read,bytes_written,peak_bytes_after,in_shapes,out_shapes,dtype,predicted_unit,unit_confidence,reasons"
[ "$(head -1 "$work/.out" | cut -d, -f1-25)" = "$header" ] || complain "the first 25 columns of the CSV"

expect 0 "$MLSCOPE" profile "$demo" --runs 3 --trace "$work/trace.json" --folded "$work/stacks" --quiet
no_out
grep -q '"traceEvents"' "$work/trace.json" || complain "the trace holds no traceEvents"
grep -qE '^main;[^ ].* [0-9]+$' "$work/stacks" || complain "the folded stacks"
[ -z "$(ls "$work" | grep -E 'trace.json\.|stacks\.')" ] || complain "partial files were left"

expect 0 "$MLSCOPE" profile "$demo" --runs 3 --folded "$work/both" --folded-base "$work/stacks" --quiet
grep -qE '^main;[^ ].* [1-9][0-9]* [1-9][0-9]*$' "$work/both" || complain "the differential folded stacks"
expect 2 "$MLSCOPE" profile "$demo" --runs 3 --folded-base "$work/stacks" --quiet
expect 3 "$MLSCOPE" profile "$demo" --runs 3 --folded "$work/both" --folded-base "$work/nowhere" --quiet
expect 0 "$MLSCOPE" profile "$demo" --runs 3 --speedscope "$work/speedscope" --pprof "$work/pprof" --quiet
[ -s "$work/speedscope" ] && [ -s "$work/pprof" ] || complain "stacks for speedscope and pprof"

# Below the operation: stacks, and counters where there are any.
expect 0 "$MLSCOPE" profile "$demo" --runs 50 --min-seconds 0.3 --sample --json
has_keys sampling source samples in_ops_cpu_ns counters_missing hot function self_cpu_ns
grep -q '"function": "[a-z_0-9]*__[a-z0-9]*"' "$work/.out" || complain "no kernel among the sampled functions"
expect 0 "$MLSCOPE" profile "$demo" --runs 20 --counters --json
has_keys counters cycles page_faults cpu_ns
expect 2 "$MLSCOPE" profile "$demo" --runs 5 --sample-rate 0 --quiet
expect 2 "$MLSCOPE" profile "$demo" --runs 5 --counters --concurrency 2 --quiet
expect 2 "$MLSCOPE" profile --key-file "tests/demo/digits.key" "tests/demo/digits.sealed" --perf "$work/perf.data" --quiet
[ ! -e "$work/perf.data" ] || complain "perf wrote about a sealed model"

expect 0 "$MLSCOPE" profile "$demo" --runs 5 --ascii
LC_ALL=C grep -q '[^ -~]' "$work/.out" && complain "characters outside ASCII with --ascii"
has_out "wall "
expect 0 "$MLSCOPE" "$demo" --runs 2 # no terminal: one table
has_out "wall "

expect 0 "$MLSCOPE" profile "$demo" --runs 5 --concurrency 2 --json
has_keys predict
expect 0 "$MLSCOPE" profile "$demo" --max-seconds 0.05 --runs 1000000 --quiet

expect 0 "$MLSCOPE" profile "$demo" --runs 5 --baseline "$work/profile.json" --max-ratio 1000 --quiet
expect 1 "$MLSCOPE" profile "$demo" --runs 5 --baseline "$work/profile.json" --max-ratio 0.001 --quiet
has_err "the gate is broken"
expect 2 "$MLSCOPE" profile "$demo" --runs 5 --baseline "$demo/Manifest.json" --quiet
expect 5 "$MLSCOPE" profile "$demo" --runs 2 --quiet --trace "$work/nowhere/trace.json"

# Ctrl-C ends a long measurement with 5, and leaves no file that is not whole.
"$MLSCOPE" profile "$demo" --runs 1000000000 --trace "$work/cut.json" >/dev/null 2>"$work/.err" &
pid=$!
for _ in $(seq 100); do # until it catches SIGINT, which the shell made it ignore
    caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' /proc/$pid/status)
    [ $((0x${caught:-0} & 2)) != 0 ] && break
    sleep 0.1
done
sleep 0.3
kill -INT $pid
wait $pid
[ $? = 5 ] || complain "Ctrl-C did not end with exit code 5"
[ -z "$(ls "$work" | grep cut.json)" ] || complain "Ctrl-C left a file"

# A reader that goes away is no error.
"$MLSCOPE" inspect "$demo" --mil 2>"$work/.err" | head -1 >/dev/null
[ "${PIPESTATUS[0]}" = 0 ] || complain "a closed pipe ended with ${PIPESTATUS[0]}"
[ ! -s "$work/.err" ] || complain "a closed pipe made an error message"
"$MLSCOPE" inspect "$demo" >/dev/full 2>"$work/.err"
[ $? = 5 ] || complain "a full device is an error"

finish

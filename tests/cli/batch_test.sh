#!/bin/bash
# The screen as text: `--batch N` gives N looks, a pipe gives one table, a recording and a folder give one look, a failure its
# message and exit code.
set -u
. "$(dirname "$0")/lib.sh"
[ -d "$demo" ] || { echo "no demo model"; exit 77; }
recording=$PWD/tests/screens/digits.mlsrec
demo=$(realpath "$demo")
cd "$work" || exit 1

"$MLSCOPE" "$demo" --batch 3 --interval 0.1 --threads 1 --ascii >out 2>err
[ $? = 0 ] && [ ! -s err ] || complain "--batch 3 fails: $(cat err)"
[ "$(grep -c '^mlscope  ' out)" = 3 ] || complain "--batch 3 gives $(grep -c '^mlscope  ' out) looks"
[ "$(grep -c ' Latency ' out)" = 3 ] || complain "a look without latency"
n=$(sed -nE 's/^.*[^0-9]([0-9]+) operations .*$/\1/p' out | head -1)
[ "${n:-0}" -gt 40 ] && [ "$(grep -c 'CPU$' out)" -ge $((3 * n)) ] || complain "a look without all $n operations"
! LC_ALL=C grep -q '[^ -~]' out || complain "--ascii leaves other characters, or there are escapes"
LC_ALL=C.UTF-8 "$MLSCOPE" "$demo" --batch 1 --interval 0 --threads 1 --size 200x60 | awk 'length > w { w = length } END { exit !(w > 150) }' ||
    complain "--size does not widen the text"

"$MLSCOPE" "$demo" --threads 1 </dev/null >out 2>err
[ $? = 0 ] && grep -q '^ *#  operation' out || complain "no table when the output is no terminal"
"$MLSCOPE" "$recording" >out 2>err
[ $? = 0 ] && grep -q '^mlscope  .*recorded  60 predictions' out && grep -q 'Findings' out || complain "no text of a recording"
mkdir -p folder && cp -r "$demo" folder/digits.mlpackage && printf junk >folder/bad.mlmodel
"$MLSCOPE" folder >out 2>err
[ $? = 0 ] && grep -q ' reads .*digits.mlpackage' out && grep -q ' refused .*bad.mlmodel' out || complain "no list of a folder's models"
"$MLSCOPE" folder/bad.mlmodel --batch 5 >out 2>err
[ $? = 3 ] && grep -q 'LOAD006' out && grep -q '^mlscope: ' err && grep -q '^hint: ' err || complain "a broken model: $(cat err)"
[ "$(grep -c '^mlscope  ' out)" = 1 ] || complain "a broken model is shown more than once"
mkdir core.aimodel && echo '{}' >core.aimodel/metadata.json
for wrong in "core.aimodel" "$demo --function nope" "nowhere.mlpackage"; do
    "$MLSCOPE" $wrong --batch 1 >out 2>err
    [ $? = 3 ] && grep -q ' error  *LOAD0' out && grep -q '^hint: ' err || complain "the screen on $wrong: $(cat err)"
done
"$MLSCOPE" "$demo" --batch 0 >out 2>err
[ $? = 2 ] || complain "--batch 0 is no usage error"
"$MLSCOPE" "$demo" --batch 2 --json >out 2>err
[ $? = 2 ] || complain "--batch with --json is no usage error"
timeout --foreground -s INT 2 "$MLSCOPE" "$demo" --batch 100000 --interval 0.1 --threads 1 >out 2>err
[ "$(grep -c '^mlscope  ' out)" -ge 2 ] && tail -1 out | grep -q 'CPU$' || complain "an interrupt does not end it after a whole look"
finish

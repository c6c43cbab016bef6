#!/bin/bash
# The command line itself: help, version, exit codes and messages. Needs no model.
set -u
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1

expect 0 "$MLSCOPE" --help
has_out "mlscope profile MODEL"
expect 0 "$MLSCOPE" --version
has_out "mlscope 0"
expect 0 "$MLSCOPE" help profile
has_out "--max-ratio"
expect 0 "$MLSCOPE" profile --help
has_out "usage: mlscope profile MODEL"
expect 2 "$MLSCOPE"
expect 2 "$MLSCOPE" help nothing
expect 2 "$MLSCOPE" profile x --runz 3
has_err "mlscope: unknown option --runz"
has_err "hint: did you mean --runs?"
expect 2 "$MLSCOPE" profile
has_err "mlscope: no MODEL was given"
expect 2 "$MLSCOPE" profile x --runs nothing
expect 2 "$MLSCOPE" profile x --json --csv
expect 2 "$MLSCOPE" run x --input noequals
expect 2 "$MLSCOPE" run x --shape a=1y2
expect 2 "$MLSCOPE" run x --cpu pentium
expect 2 "$MLSCOPE" profile x --compute-units gpu
expect 2 "$MLSCOPE" inspect x --blob a=b
expect 2 "$MLSCOPE" inspect x --color sometimes

expect 3 "$MLSCOPE" profile nowhere.mlpackage
has_err "mlscope: "
head -c 100 /dev/zero > zeros
expect 3 "$MLSCOPE" profile zeros
no_out
expect 3 "$MLSCOPE" profile zeros --json
no_out
mkdir empty.mlpackage
expect 3 "$MLSCOPE" inspect empty.mlpackage

expect 0 "$MLSCOPE" keygen -o key
[ "$(stat -c %a key)" = 600 ] || complain "the key file has rights $(stat -c %a key)"
grep -qE '^[0-9a-f]{64}$' key || complain "the key is not 64 hex digits"
cp key before
expect 2 "$MLSCOPE" keygen -o key
has_err "the file exists"
cmp -s key before || complain "keygen changed a key that it refused to overwrite"
expect 0 "$MLSCOPE" keygen -o key --force --bytes 16
grep -qE '^[0-9a-f]{32}$' key || complain "a key of 16 bytes is not 32 hex digits"
expect 2 "$MLSCOPE" keygen --bytes 17

finish

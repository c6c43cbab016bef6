#!/bin/bash
# Tiny programs that try planner and executor, on one thread and three, with every instruction set.
set -u
here=$(dirname "$0")
. "$here/common.sh"
for case in "$here"/cases/*/; do
    case=${case%/}
    for arguments in "--threads 1" "--threads 3" "--cpu generic" "--cpu avx2"; do
        # shellcheck disable=SC2086 # two words
        check_case "$case" "$case/model.mlpackage" 90 $arguments
    done
done
[ $failed = 0 ] && echo "all cases are right"
exit $failed

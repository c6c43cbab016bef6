#!/bin/bash
# One small network for each test of layers that coremltools has: models, inputs and expected outputs (NumPy's) are what
# coremltools' own tests/neural_network/test_numpy_nn_layers.py makes and compares with.
set -u
here=$(dirname "$0")
. "$here/common.sh"
for case in "$here"/networks/*/; do
    case=${case%/}
    for arguments in "--threads 2" "--threads 1 --cpu generic"; do
        # shellcheck disable=SC2086 # words
        check_case "$case" "$case/model.mlmodel" 80 $arguments
    done
done
[ $failed = 0 ] && echo "all networks are right"
exit $failed

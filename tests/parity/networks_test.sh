#!/bin/bash
# One small network for each test of layers that coremltools has: models, inputs and expected outputs (NumPy's) are what
# coremltools' own tests/neural_network/test_numpy_nn_layers.py makes and compares with.
set -u
here=$(dirname "$0")
. "$here/common.sh"
# Every second one on one thread without instruction sets: the kernels have tests of their own.
arguments="--threads 2" other="--threads 1 --cpu generic"
for case in "$here"/networks/*/; do
    case=${case%/}
    # shellcheck disable=SC2086 # words
    check_case "$case" "$case/model.mlmodel" 80 $arguments
    swap=$arguments arguments=$other other=$swap
done
[ $failed = 0 ] && echo "all networks are right"
exit $failed

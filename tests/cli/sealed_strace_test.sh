#!/bin/bash
# Sealed means sealed: everything that the program writes while it runs a sealed model is looked at under strace. No decrypted weight,
# no name of a tensor inside the model, and no key may be in it; nothing but the outputs may be opened for writing.
set -u
demo=tests/demo
command -v strace >/dev/null || { echo "skipped: no strace"; exit 77; }
strace -o /dev/null true 2>/dev/null || { echo "skipped: strace is not allowed here"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The leak checker of a sanitized build does not work under strace; the other tests look for leaks.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
writes=write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg,splice,vmsplice,sendfile,copy_file_range,process_vm_writev,msync

trace() { # name, arguments of the program
    local name=$1
    shift
    strace -f -xx -s 4194304 -e "trace=$writes,open,openat,creat,memfd_create,shmget,swapon,ftruncate,execve" -e signal=none \
        -o "$work/$name.log" "$MLSCOPE" "$@" >"$work/$name.out" 2>"$work/$name.err"
}

fail() {
    echo "FAILED: $1" >&2
    failed=1
}

hex_of() { # bytes on standard input as strace prints them
    od -An -v -tx1 | tr -d '\n' | sed 's/ /\\x/g'
}

check() { # name of the trace
    local log=$work/$1.log offset window name
    for offset in 4096 20000 65600 131072 200000 280000; do
        window=$(tail -c +$((offset + 1)) $demo/digits.mlpackage/Data/com.apple.CoreML/weights/weight.bin | head -c 12 | hex_of)
        grep -qF -- "$window" "$log" && fail "$1 writes bytes of the weights (offset $offset)"
    done
    for name in $("$MLSCOPE" inspect $demo/digits.mlpackage --mil | grep -oE '(var|input|weight|x)_[0-9a-z_]{3,}_(cast_fp16|to_fp16)' | sort -u | head -20); do
        grep -qF -- "$(printf %s "$name" | hex_of)" "$log" && fail "$1 writes the name '$name' of the model's inside"
    done
    window=$(head -c 32 $demo/digits.key | hex_of)
    grep -qF -- "$window" "$log" && fail "$1 writes the key"
    grep -E 'open(at)?\(|creat\(' "$log" | grep -E 'O_WRONLY|O_RDWR|O_CREAT|creat' | grep -vE '= -1|"\\x2f\\x64\\x65\\x76\\x2f' >"$work/opened" || true
    while read -r line; do
        # a path is printed in hexadecimal: the folder of the outputs is the only one allowed
        grep -qF -- "$(printf %s "$work/out" | hex_of)" <<<"$line" || fail "$1 opens something else for writing: $line"
    done <"$work/opened"
    grep -qE 'memfd_create|shmget' "$log" && fail "$1 makes shared or anonymous files"
}

failed=0
image=$demo/digits/0000.png
trace run run $demo/digits.sealed --key-file $demo/digits.key --input image=$image --output-dir "$work/out" ||
    fail "run does not work: $(cat "$work/run.err")"
check run
trace wrong run $demo/digits.sealed --key-env MLSCOPE_TEST_NO_SUCH_KEY --output-dir "$work/out2"
check wrong
head -c 100000 $demo/digits.sealed >"$work/cut.sealed"
trace cut run "$work/cut.sealed" --key-file $demo/digits.key --output-dir "$work/out3" && fail "a truncated file was opened"
check cut
[ -e "$work/out2" ] || [ -e "$work/out3" ] && fail "a refused model left outputs"
[ $failed = 0 ] && echo "nothing of the sealed model was written"
exit $failed

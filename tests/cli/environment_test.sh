#!/bin/bash
# Whatever the machine is like: no terminal, an unknown one, the locale C, a full or read-only file system, no more threads or
# memory, reads that fail, a key that comes in pieces. A sentence and an exit code, never a crash; what works gives the same.
set -u
. "$(dirname "$0")/lib.sh"
sealed=$PWD/tests/demo/digits.sealed key=$PWD/tests/demo/digits.key

expect 0 "$MLSCOPE" run "$demo" --random-seed 1 --threads 2 --quiet --output-dir "$work/plain"
same() { # folder
    diff -r "$work/plain" "$1" >/dev/null || complain "other outputs: $command_line"
    rm -rf "$1"
}

# ---- Terminals and locales -------------------------------------------------------------------------------------------
without_terminal() {
    timeout 60 "$MLSCOPE" "$demo" --max-seconds 1 </dev/null >"$work/.out" 2>"$work/.err"
    code=$?
    [ $code = 0 ] || [ $code = 2 ] || complain "no terminal, TERM=${TERM-not set}: exit code $code"
    ! grep -q $'\033' "$work/.out" || complain "no terminal, TERM=${TERM-not set}: control sequences in the output"
}
for term in unknown-terminal dumb ''; do
    TERM=$term without_terminal
    TERM=$term expect 0 "$MLSCOPE" run "$demo" --random-seed 1 --quiet --output-dir "$work/out"
    same "$work/out"
done
unset TERM
without_terminal
for locale in C POSIX xx_YY.nothing; do
    command_line="in the locale $locale"
    expect 0 env LC_ALL=$locale "$MLSCOPE" run "$demo" --random-seed 1 --quiet --output-dir "$work/out"
    same "$work/out"
    expect 0 env LC_ALL=$locale "$MLSCOPE" profile "$demo" --runs 2
    case $locale in C | POSIX) ! LC_ALL=C grep -q '[^ -~]' "$work/.out" || complain "not only ASCII in the locale $locale" ;; esac
done

# ---- A key that comes in pieces --------------------------------------------------------------------------------------
in_pieces() { (for ((i = 1; i <= 64; i++)); do cut -c$i "$key" | tr -d '\n'; done) | "$@"; }
command_line="a key in pieces"
in_pieces "$MLSCOPE" run "$sealed" --key-fd 0 --random-seed 1 --threads 2 --quiet --output-dir "$work/out" 2>"$work/.err" ||
    complain "a key in pieces: $(cat "$work/.err")"
same "$work/out"

# ---- File systems ----------------------------------------------------------------------------------------------------
mkdir "$work/small"
if mount -t tmpfs -o size=64k tmpfs "$work/small" 2>/dev/null; then
    trap 'umount "$work/small"; rm -rf "$work"' EXIT
    for command in "seal $demo --key-file $key" "compile $demo" "compress $demo --palettize 8"; do
        # shellcheck disable=SC2086 # words
        expect 5 "$MLSCOPE" $command --quiet -o "$work/small/x"
        [ -z "$(ls -A "$work/small")" ] || complain "a full file system keeps $(ls -A "$work/small"): $command_line"
    done
    mount -o remount,ro "$work/small"
    expect 5 "$MLSCOPE" seal "$demo" --key-file "$key" --quiet -o "$work/small/x"
    expect 5 "$MLSCOPE" run "$demo" --random-seed 1 --quiet --output-dir "$work/small/out"
    expect 5 "$MLSCOPE" record "$demo" --runs 2 --quiet -o "$work/small/x"
    expect 5 "$MLSCOPE" profile "$demo" --runs 2 --quiet --trace "$work/small/x"
    expect 5 "$MLSCOPE" keygen -o "$work/small/x"
fi

# ---- A limit on memory --------------------------------------------------------------------------------------------------
expect 5 "$MLSCOPE" run "$demo" --random-seed 1 --max-memory 100kB --quiet --output-dir "$work/out"
has_err "MiB besides the model as stored"
expect 2 "$MLSCOPE" run "$demo" --random-seed 1 --max-memory much --quiet --output-dir "$work/out"
expect 0 "$MLSCOPE" run "$demo" --random-seed 1 --threads 2 --max-memory 100MiB --quiet --output-dir "$work/out"
same "$work/out"

# ---- Little memory, no threads, reads that fail ----------------------------------------------------------------------
if ! grep -q '^MLS_SANITIZE:STRING=.' "$MLS_BUILD/CMakeCache.txt"; then
    for ((limit = 20000; limit <= 200000; limit += 9000)); do
        (ulimit -v $limit && "$MLSCOPE" --version) >/dev/null 2>&1 || continue # the system's loader has no room
        command_line="with $limit KiB of addresses"
        (ulimit -v $limit && exec "$MLSCOPE" run "$demo" --random-seed 1 --threads 2 --quiet --output-dir "$work/out") >"$work/.out" 2>"$work/.err" </dev/null
        code=$?
        if [ $code = 0 ]; then
            same "$work/out"
        else
            [ $code = 5 ] || complain "exit code $code: $command_line: $(cat "$work/.err")"
            grep -q '^mlscope: ' "$work/.err" || complain "no sentence: $command_line"
            [ ! -e "$work/out/outputs.json" ] || complain "outputs: $command_line"
        fi
    done
fi
if strace -o /dev/null true 2>/dev/null && ! grep -q '^MLS_SANITIZE:STRING=.' "$MLS_BUILD/CMakeCache.txt"; then
    injected() { # path whose calls fail, call, error, exit codes, arguments...
        local path=$1 call=$2 error=$3 codes=$4 k
        shift 4
        for k in 1 2 3; do
            rm -rf "$work/out"
            command_line="$call number $k of ${path##*/} gives $error: $*"
            strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:error=$error:when=$k" ${path:+-P "$path"} \
                "$MLSCOPE" "$@" --random-seed 1 --threads 2 --quiet --output-dir "$work/out" >"$work/.out" 2>"$work/.err" </dev/null
            code=$?
            case " $codes " in *" $code "*) ;; *) complain "exit code $code: $command_line: $(cat "$work/.err")" ;; esac
            [ $code = 0 ] && same "$work/out"
            [ $code = 0 ] || [ "$(grep -c '^mlscope: ' "$work/.err")" = 1 ] || complain "no sentence: $command_line"
        done
    }
    for file in Manifest.json Data/com.apple.CoreML/model.mlmodel Data/com.apple.CoreML/weights/weight.bin; do
        injected "$demo/$file" mmap ENOMEM "0 3 5" run "$demo"
        injected "$demo/$file" openat EIO "0 3" run "$demo"
        injected "$demo/$file" openat EMFILE "0 3" run "$demo"
        injected "$demo/$file" fstat EIO "0 3" run "$demo"
    done
    injected "$sealed" pread64 EIO "0 3" run "$sealed" --key-file "$key"
    injected "$sealed" pread64 EINTR "0" run "$sealed" --key-file "$key"
    injected "$key" read EIO "0 3" run "$sealed" --key-file "$key"
    injected "$key" read EINTR "0" run "$sealed" --key-file "$key"
    injected "" clone3 EAGAIN "0 5" run "$demo"
    injected "" mlock ENOMEM "0" run "$sealed" --key-file "$key"
    injected "" seccomp EINVAL "0" run "$demo"
fi
finish

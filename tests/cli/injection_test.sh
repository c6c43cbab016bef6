#!/bin/bash
# Every verb that writes, with system calls that fail or are interrupted one after the other (strace injects them): the output
# is complete or absent, nothing else stays, and the exit code says which.
set -u
. "$(dirname "$0")/lib.sh"
command -v strace >/dev/null || { echo "skipped: no strace"; exit 77; }
strace -o /dev/null true 2>/dev/null || { echo "skipped: strace is not allowed here"; exit 77; }
grep -q '^MLS_SANITIZE:STRING=.' "$MLS_BUILD/CMakeCache.txt" && { echo "skipped: sanitizers do not work under strace"; exit 77; }
points=${MLS_POINTS:-2} # of each kind of call
injected=0
"$MLSCOPE" keygen -o "$work/key" --quiet

# What each verb writes into $out, which is empty before.
verb() { # name, output folder, command before...
    local name=$1 out=$2
    shift 2
    case $name in
    run) "$@" "$MLSCOPE" run "$demo" --threads 1 --random-seed 1 --quiet --output-dir "$out/x" ;;
    seal) "$@" "$MLSCOPE" seal "$demo" --key-file "$work/key" --quiet -o "$out/x" ;;
    compile) "$@" "$MLSCOPE" compile "$demo" --quiet -o "$out/x" ;;
    compress) "$@" "$MLSCOPE" compress "$demo" --palettize 4 --quiet -o "$out/x" ;;
    record) "$@" "$MLSCOPE" record "$demo" --threads 1 --runs 3 --quiet -o "$out/x" ;;
    trace) "$@" "$MLSCOPE" profile "$demo" --threads 1 --runs 2 --warmup 0 --quiet --trace "$out/x" ;;
    keygen) "$@" "$MLSCOPE" keygen --quiet -o "$out/x" ;;
    esac
}

listing() { (cd "$1" && find . -type f | sort) ; }

# After the verb: complete with 0, or absent without.
check() { # verb, output folder, exit code, what was done
    [ "$3" -lt 128 ] || complain "$1, $4: killed by signal $(($3 - 128))"
    if [ "$3" = 0 ]; then
        [ "$(listing "$2")" = "$(listing "$work/whole-$1")" ] || complain "$1, $4: done, but there is: $(listing "$2" | tr '\n' ' ')"
    elif [ "$1" = run ]; then # a folder of files, each of them whole; outputs.json says that all are there
        ! find "$2" -name '*.part' -o -name outputs.json | grep -q . || complain "$1, $4: exit code $3, but there is: $(listing "$2" | tr '\n' ' ')"
    else
        [ -z "$(ls -A "$2")" ] || complain "$1, $4: exit code $3, but there is: $(ls -A "$2" | tr '\n' ' ')"
        grep -q '^mlscope: ' "$work/.err" || complain "$1, $4: exit code $3 without a sentence"
    fi
}

# Numbers, among the main thread's calls of this kind, of those that concern the output: with its path, or after it was opened.
numbers() { # verb, call
    awk -v call="$2" -v out="$work/out" '
        !main { main = $1 }
        $1 != main { next }
        index($0, out) { begun = 1 }
        index($2, call "(") == 1 { n++; if (index($0, out) || (begun && call !~ /^(openat|mkdir|mkdirat)$/)) print n }' "$work/all-$1"
}

# Some of these calls, one a run, fail with this error.
inject() { # verb, call, error
    local name=$1 call=$2 error=$3 k code all
    mapfile -t all < <(numbers "$name" "$call")
    local n=${#all[@]} i
    for ((i = 0; i < points && i < n; i++)); do
        k=${all[n <= points ? i : i * (n - 1) / (points - 1)]}
        rm -rf "$work/out" && mkdir "$work/out"
        verb "$name" "$work/out" strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:error=$error:when=$k" \
            >/dev/null 2>"$work/.err" </dev/null
        code=$?
        injected=$((injected + 1))
        check "$name" "$work/out" $code "$call number $k gives $error"
        [ $code != 5 ] && [ $code != 0 ] && complain "$name, $call number $k gives $error: exit code $code instead of 5"
    done
}

interrupt() { # verb, signal
    local name=$1 signal=$2 n k code
    n=$(awk '!main { main = $1 } $1 == main' "$work/all-$name" | wc -l)
    for ((i = 1; i <= 2 * points; i++)); do
        k=$((1 + i * (n - 2) / (2 * points)))
        rm -rf "$work/out" && mkdir "$work/out"
        verb "$name" "$work/out" strace -f -qq -o /dev/null -e trace=all -e "inject=all:signal=$signal:when=$k" >/dev/null 2>"$work/.err" </dev/null
        code=$?
        injected=$((injected + 1))
        if [ $code -ge 128 ]; then # before the program took charge of signals: then there is nothing
            [ -z "$(ls -A "$work/out")" ] || complain "$name, $signal at call $k: killed, but there is: $(ls -A "$work/out" | tr '\n' ' ')"
        else
            check "$name" "$work/out" $code "$signal at call $k of $n"
        fi
    done
}

for name in keygen seal compile compress record trace run; do
    mkdir -p "$work/whole-$name"
    verb "$name" "$work/whole-$name" >/dev/null 2>"$work/.err" || { complain "$name does not work: $(cat "$work/.err")"; continue; }
    rm -rf "$work/out" && mkdir "$work/out"
    verb "$name" "$work/out" strace -f -qq -o "$work/all-$name" -e signal=none >/dev/null 2>&1
    for pair in openat:ENOSPC openat:EROFS mkdir:EROFS mkdirat:ENOSPC write:ENOSPC write:EINTR fsync:EIO fdatasync:EIO \
        rename:EIO renameat2:EIO; do
        inject "$name" "${pair%:*}" "${pair#*:}"
    done
    interrupt "$name" SIGINT
    interrupt "$name" SIGTERM
done
echo "$injected faults"
finish

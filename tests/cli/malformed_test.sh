#!/bin/bash
# Whatever the bytes are: exit code 3, one sentence (and at most one hint) on standard error, nothing on standard output, no
# outputs, no crash, no hang.
set -u
. "$(dirname "$0")/lib.sh"
[ -d "$demo" ] || { echo "no demo model"; exit 77; }
sealed=$PWD/tests/demo/digits.sealed key=$PWD/tests/demo/digits.key image=$PWD/tests/demo/digits/0000.png
spec=Data/com.apple.CoreML/model.mlmodel weights=Data/com.apple.CoreML/weights/weight.bin
cd "$work" || exit 1

one_sentence() { # what was tried
    [ "$(grep -c '^mlscope: ' .err)" = 1 ] && [ "$(grep -vc '^mlscope: ' .err)" -le 1 ] &&
        ! grep -v '^mlscope: ' .err | grep -qv '^hint: ' || {
        complain "not one sentence: $1"
        head -5 .err >&2
    }
    ! grep -q '[^[:print:]]' .err || complain "unprintable characters in the message: $1"
}

attempt() { # command, what is tried, arguments...; sets $code
    local verb=$1 what=$2
    shift 2
    case $verb in
    run) set -- run "$@" --random-seed 1 --output-dir "$work/outputs" ;;
    *) set -- "$verb" "$@" ;;
    esac
    command_line="$verb $what"
    timeout 20 "$MLSCOPE" "$@" >.out 2>.err </dev/null
    code=$?
    [ $code != 0 ] || return 0
    one_sentence "$verb $what"
    [ ! -s .out ] || complain "something on standard output: $verb $what"
    [ ! -e outputs ] || complain "a refused model left outputs: $verb $what"
}

refused() { # what, model and further arguments...
    local verb
    for verb in inspect run profile; do
        attempt $verb "$@"
        [ $code = 3 ] || { complain "exit code $code instead of 3: $verb $1"; head -3 .err >&2; }
    done
    rm -rf outputs
}

works_or_refused() { # what, model
    local verb
    for verb in inspect run; do
        attempt $verb "$@"
        [ $code = 0 ] || [ $code = 3 ] || { complain "exit code $code: $verb $1"; head -3 .err >&2; }
    done
    rm -rf outputs
}

package() { # makes the package 'case.mlpackage' anew
    rm -rf case.mlpackage
    cp -r "$demo" case.mlpackage
}

# ---- What is no package ----------------------------------------------------------------------------------------------
refused "a path that does not exist" nowhere
refused "a path below a file" "$key/model.mlpackage"
refused "a path that is too long" "$(printf 'a%.0s' {1..5000})"
refused "a name with a line break" $'two\nlines'
refused "/dev/null" /dev/null
refused "/dev/zero" /dev/zero
mkfifo fifo
refused "a pipe" fifo
ln -s loop loop
refused "a link to itself" loop
: >empty
refused "an empty file" empty
: >empty.mlmodel
refused "an empty .mlmodel" empty.mlmodel
mkdir folder
refused "an empty folder" folder
refused "the working folder" .
refused "an image" "$image"
refused "a text" "$demo/Manifest.json"
printf '\x08\x07\x12\x07pytorch\x3a\x02\x0a\x00\x42\x04\x0a\x00\x10\x0d' >model.onnx
refused "an ONNX model" model.onnx
printf 'PK\003\004\024\000\000\000\000\000' >archive.zip
refused "a zip" archive.zip
printf 'GGUF\003\000\000\000' >model.gguf
refused "a GGUF model" model.gguf
seed=1
for size in 1 2 3 7 8 11 12 27 28 29 64 4096 100003; do
    awk -v n=$size -v s=$seed 'BEGIN { srand(s); for (i = 0; i < n; i++) printf "%02x", int(rand() * 256) }' |
        sed 's/../\\x&/g' >random.txt
    printf '%b' "$(cat random.txt)" >random 2>/dev/null
    refused "$size random bytes" random
    refused "$size random bytes with a key" random --key-file "$key"
    cp random random.mlmodel
    refused "$size random bytes named .mlmodel" random.mlmodel
    seed=$((seed + 1))
done

# ---- Sealed ----------------------------------------------------------------------------------------------------------
refused "sealed, no key" "$sealed"
"$MLSCOPE" keygen -o wrong.key --quiet
refused "sealed, another key" "$sealed" --key-file wrong.key
refused "sealed, no key file" "$sealed" --key-file nowhere
for size in 0 1 15 17 31 33 1000; do
    head -c $size /dev/zero >short.key
    refused "sealed, a key of $size bytes" "$sealed" --key-file short.key
done
for size in 1 11 12 27 28 29 100 4096 390479; do
    head -c $size "$sealed" >cut.sealed
    refused "sealed, first $size bytes" cut.sealed --key-file "$key"
done
for at in 0 11 12 200000 390464 390479; do
    cp "$sealed" flipped.sealed
    printf '\x55' | dd of=flipped.sealed bs=1 seek=$at conv=notrunc status=none
    cmp -s flipped.sealed "$sealed" || refused "sealed, byte $at altered" flipped.sealed --key-file "$key"
done
(cat "$sealed"; printf x) >longer.sealed
refused "sealed, one byte more" longer.sealed --key-file "$key"

# ---- Flat RTFD -------------------------------------------------------------------------------------------------------
printf 'rtfd\000\000\000\000\377\377\377\377' >wrapper
refused "a wrapper of many entries" wrapper
printf 'rtfd\000\000\000\000\001\000\000\000\377\377\377\177name' >wrapper
refused "a wrapper with a long name" wrapper
printf 'rtfd\000\000\000\000\000\000\000\000' >wrapper
refused "an empty wrapper" wrapper
printf 'rtfd' >wrapper
refused "a wrapper of its magic alone" wrapper

# ---- Manifest --------------------------------------------------------------------------------------------------------
manifest() { # what, text
    package
    printf '%s' "$2" >case.mlpackage/Manifest.json
    refused "manifest: $1" case.mlpackage
}
item='"path":"com.apple.CoreML/model.mlmodel","name":"n","author":"com.apple.CoreML","description":"d"'
manifest "empty" ''
manifest "not JSON" '{'
manifest "a list" '[]'
manifest "a number" '1'
manifest "deep" "$(printf '[%.0s' {1..100000})"
manifest "an empty object" '{}'
manifest "no version" "{\"itemInfoEntries\":{\"a\":{$item}},\"rootModelIdentifier\":\"a\"}"
manifest "version of another type" "{\"fileFormatVersion\":1,\"itemInfoEntries\":{\"a\":{$item}},\"rootModelIdentifier\":\"a\"}"
manifest "later version" "{\"fileFormatVersion\":\"2.0.0\",\"itemInfoEntries\":{\"a\":{$item}},\"rootModelIdentifier\":\"a\"}"
manifest "no items" '{"fileFormatVersion":"1.0.0","itemInfoEntries":{},"rootModelIdentifier":"a"}'
manifest "items of another type" '{"fileFormatVersion":"1.0.0","itemInfoEntries":[],"rootModelIdentifier":"a"}'
manifest "an item of another type" '{"fileFormatVersion":"1.0.0","itemInfoEntries":{"a":3},"rootModelIdentifier":"a"}'
manifest "no root" "{\"fileFormatVersion\":\"1.0.0\",\"itemInfoEntries\":{\"a\":{$item}}}"
manifest "another root" "{\"fileFormatVersion\":\"1.0.0\",\"itemInfoEntries\":{\"a\":{$item}},\"rootModelIdentifier\":\"b\"}"
for path in ../model.mlmodel com.apple.CoreML/../../model.mlmodel /etc/passwd nowhere/model.mlmodel com.apple.CoreML '' . .. \
    'com.apple.CoreML/\u001b[31m\n\nmodel' 'com.apple.CoreML\u0000'; do
    manifest "path '$path'" "{\"fileFormatVersion\":\"1.0.0\",\"itemInfoEntries\":{\"a\":{${item/com.apple.CoreML\/model.mlmodel/$path}}},\"rootModelIdentifier\":\"a\"}"
done
package && rm case.mlpackage/Manifest.json
refused "no manifest" case.mlpackage
package && rm case.mlpackage/Manifest.json && mkdir case.mlpackage/Manifest.json
refused "the manifest is a folder" case.mlpackage
package && rm case.mlpackage/Manifest.json && mkfifo case.mlpackage/Manifest.json
refused "the manifest is a pipe" case.mlpackage
package && rm case.mlpackage/$spec && ln -s "$demo/$spec" case.mlpackage/$spec
refused "the specification is a link" case.mlpackage
package && rm -r case.mlpackage/Data
refused "no data" case.mlpackage

# ---- Specification ---------------------------------------------------------------------------------------------------
lfs='version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 50943\n'
package
# shellcheck disable=SC2059 # the pointer is the format
printf "$lfs" 0 >case.mlpackage/$spec
refused "the specification is a Git LFS pointer" case.mlpackage
has_err LFS
size=$(stat -c %s "$demo/$spec")
for length in 0 1 2 3 4 8 16 33 64 100 500 1000 2000 5000 10000 20000 30000 40000 50000 $((size - 2)) $((size - 1)); do
    head -c "$length" "$demo/$spec" >case.mlpackage/$spec
    refused "first $length bytes of the specification" case.mlpackage
done
# Bytes of the specification in equal steps, set to values that hurt lengths, counts and enumerations.
values=(00 01 7f 80 ff)
n_mutations=${MLS_MUTATIONS:-300}
for ((i = 0; i < n_mutations; i++)); do
    at=$((i < 100 ? i : i * (size - 1) / n_mutations))
    cp "$demo/$spec" case.mlpackage/$spec
    printf '%b' "\\x${values[i % 5]}" | dd of=case.mlpackage/$spec bs=1 seek=$at conv=notrunc status=none
    works_or_refused "byte $at of the specification set to 0x${values[i % 5]}" case.mlpackage
done

# ---- Weights ---------------------------------------------------------------------------------------------------------
damage() { # what; case.mlpackage holds it
    attempt run "weights: $1" case.mlpackage
    [ $code = 3 ] || complain "exit code $code instead of 3: run, weights: $1"
    attempt inspect "weights: $1" case.mlpackage
    [ $code = 0 ] || [ $code = 3 ] || complain "exit code $code: inspect, weights: $1"
}
package && rm case.mlpackage/$weights
damage "missing"
for length in 0 1 63 64 65 127 128 129 200 4096 100000 307000; do
    head -c $length "$demo/$weights" >case.mlpackage/$weights
    damage "first $length bytes"
done
# shellcheck disable=SC2059
printf "$lfs" 0 >case.mlpackage/$weights
damage "a Git LFS pointer"
has_err LFS
package
for at in 0 4 64 72 80; do
    cp "$demo/$weights" case.mlpackage/$weights
    printf '\xff\xff\xff\xff' | dd of=case.mlpackage/$weights bs=1 seek=$at conv=notrunc status=none
    attempt run "weights: word at $at set" case.mlpackage
    [ $code = 0 ] || [ $code = 3 ] || complain "exit code $code: run, weights: word at $at set"
    [ $at != 64 ] || [ $code = 3 ] || complain "a wrong sentinel was not refused"
    rm -rf outputs
done

# ---- A folder that may not be read -----------------------------------------------------------------------------------
if [ "$(id -u)" != 0 ]; then
    package && chmod 0 case.mlpackage
    refused "a folder without rights" case.mlpackage
    chmod 700 case.mlpackage
fi

finish

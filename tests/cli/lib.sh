# lib.sh: what the tests of the command line share. Gives $work, an empty folder that goes away at the end.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
demo="$PWD/tests/demo/digits.mlpackage"
[ -x "${MLSCOPE:-}" ] || { echo "no program to test: MLSCOPE is not set"; exit 77; }

complain() {
    echo "FAILED: $1" >&2
    failures=$((failures + 1))
}

expect() { # exit code, command...
    local code=$1 got
    shift
    command_line=$*
    "$@" >"$work/.out" 2>"$work/.err" </dev/null
    got=$?
    [ $got = "$code" ] || { complain "exit code $got instead of $code: $command_line"; cat "$work/.err" >&2; }
    [ $got -lt 128 ] || complain "killed by a signal: $command_line"
    if [ $got != 0 ]; then
        case $(head -1 "$work/.err") in "mlscope: "*) ;; *) [ ! -s "$work/.err" ] || complain "error not in the form 'mlscope: ...': $command_line" ;; esac
    fi
}

has_out() { grep -qF -- "$1" "$work/.out" || complain "no '$1' on standard output: $command_line"; }
has_err() { grep -qF -- "$1" "$work/.err" || complain "no '$1' on standard error: $command_line"; }
no_out() { [ ! -s "$work/.out" ] || complain "something on standard output: $command_line"; }

# Whether the JSON document on standard output holds all these keys, anywhere.
has_keys() {
    local key
    for key in "$@"; do
        grep -q "\"$key\":" "$work/.out" || complain "no key '$key': $command_line"
    done
}

finish() {
    [ $failures = 0 ] && echo "passed"
    [ $failures = 0 ]
    exit
}

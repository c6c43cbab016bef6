#!/bin/bash
# forms_table.sh: which of the third-party models run, and which are refused and why. Not run by ctest.
#   MLSCOPE=build/release/mlscope MLS_SHARED=../shared tests/parity/forms_table.sh [--all]
# Prints a table by form and reason, with --all one line a model as well.
set -u
[ -x "${MLSCOPE:-}" ] && [ -d "${MLS_SHARED:-}/models" ] || { echo "set MLSCOPE and MLS_SHARED"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Packages by their manifest, compiled folders, and bare specifications that are in neither.
models() {
    find "$MLS_SHARED/models" -name Manifest.json -printf '%h\n'
    find "$MLS_SHARED/models" -name '*.mlmodelc' -type d
    find "$MLS_SHARED/models" -name '*.mlmodel' -type f | while read -r file; do
        case $file in *.mlpackage/*) ;; *) echo "$file" ;; esac
    done
    find "$MLS_SHARED/samples" -name '*.mil' 2>/dev/null
}

form_of() {
    case $1 in *.mlmodelc) echo mlmodelc ;; *.mlmodel) echo mlmodel ;; *.mil) echo "MIL text" ;; *) echo mlpackage ;; esac
}

# The sentence of a refusal without what is only that model's.
reason_of() {
    sed -nE '1{s/^mlscope: //; s/^cannot [a-z]+ [^:]*: //; s/manifest item .*path "[^"]*": //; s/\([0-9]+ bytes\) //
        s/"[^"]*"/…/g; s/'"'[^']*'"'/…/g; p}' "$1" | cut -c1-110
}

n=0 n_run=0
while read -r model; do
    n=$((n + 1))
    form=$(form_of "$model")
    if timeout 120 "$MLSCOPE" run "$model" --random-seed 1 --quiet >"$work/out" 2>"$work/err" </dev/null; then
        n_run=$((n_run + 1))
        result=runs reason=
    else
        result="refused ($?)" reason=$(reason_of "$work/err")
    fi
    printf '%s\t%s\t%s\n' "$form" "$result" "$reason" >>"$work/rows"
    [ "${1:-}" = --all ] && printf '%-10s %-12s %s  %s\n' "$form" "$result" "${model#"$MLS_SHARED/"}" "$reason"
done < <(models | sort -u)

printf '\n| form | result | models | why |\n| --- | --- | --- | --- |\n'
sort "$work/rows" | uniq -c | awk -F'\t' '{ split($1, head, " "); n = head[1]; sub(/^ *[0-9]+ /, "", $1); printf "| %s | %s | %d | %s |\n", $1, $2, n, $3 }'
echo
echo "$n_run of $n run"

# common.sh: helpers of the parity tests. Sourced; needs $MLSCOPE and $MLS_BUILD.
compare=$MLS_BUILD/tests/compare_outputs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# The arguments --input NAME=FILE for a case, one per line.
inputs_of() {
    tr -d '\n' <"$1/inputs/inputs.json" | grep -oE '"name": *"[^"]*", *"file": *"[^"]*"' |
        sed -E "s|\"name\": *\"([^\"]*)\", *\"file\": *\"([^\"]*)\"|--input\n\1=$1/inputs/\2|"
}

# case folder, model, fallback bound in dB, further arguments of `run`
check_case() {
    local folder=$1 model=$2 bound=$3
    shift 3
    mapfile -t inputs < <(inputs_of "$folder")
    rm -rf "$work/out"
    if ! "$MLSCOPE" run "$model" "${inputs[@]}" --output-dir "$work/out" --quiet "$@"; then
        echo "FAILED to run: $folder $*" >&2
        failed=1
    elif ! "$compare" "$folder" "$work/out" "$bound" >"$work/report" 2>&1; then
        echo "FAILED: $folder $*" >&2
        cat "$work/report" >&2
        failed=1
    fi
}

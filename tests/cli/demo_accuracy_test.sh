#!/bin/bash
# The demo model, sealed, recognises the held-out digits as well as README.md says: 356 of 360.
set -u
demo=tests/demo
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
right=0 all=0
while IFS=, read -r file label; do
    [ "$file" = file ] && continue
    "$MLSCOPE" run $demo/digits.sealed --key-file $demo/digits.key --input image=$demo/digits/$file --output-dir "$work" --threads 1 --quiet || exit 1
    all=$((all + 1))
    grep -qE "\"value\": *\"$label\"" "$work/outputs.json" && right=$((right + 1))
done <$demo/digits/labels.csv
echo "$right of $all held-out images right"
[ "$all" = 360 ] && [ "$right" -ge 355 ] && [ "$right" -le 357 ]

#!/bin/bash
# A model as package and as compiled folder is one program: the same print, the same outputs to the bit. With the
# third-party packages where they are at hand.
set -u
. "$(dirname "$0")/lib.sh"

same_program() { # package, name
    local compiled=$work/$2.mlmodelc
    expect 0 "$MLSCOPE" compile "$1" -o "$compiled" --quiet
    expect 0 "$MLSCOPE" inspect --mil "$1"
    cp "$work/.out" "$work/package.mil"
    expect 0 "$MLSCOPE" inspect --mil "$compiled"
    cmp -s "$work/package.mil" "$work/.out" || complain "the programs differ: $1"
    [ -s "$work/.out" ] || complain "nothing printed: $1"
}

same_outputs() { # package, name
    expect 0 "$MLSCOPE" run "$1" --random-seed 5 --output-dir "$work/a" --quiet
    expect 0 "$MLSCOPE" run "$work/$2.mlmodelc" --random-seed 5 --output-dir "$work/b" --quiet
    diff -r "$work/a" "$work/b" >/dev/null || complain "the outputs differ: $1"
    rm -rf "$work/a" "$work/b"
}

n=0
for package in tests/parity/cases/*/model.mlpackage "$demo"; do
    n=$((n + 1))
    same_program "$package" $n
    same_outputs "$package" $n
done

# A compiled folder compiles to itself, and opens from a zip and sealed.
expect 0 "$MLSCOPE" compile "$work/$n.mlmodelc" -o "$work/twice.mlmodelc" --quiet
diff -r "$work/$n.mlmodelc" "$work/twice.mlmodelc" >/dev/null || complain "compiling twice changes the folder"
expect 0 "$MLSCOPE" keygen -o "$work/key" --quiet
expect 0 "$MLSCOPE" seal "$work/$n.mlmodelc" --key-file "$work/key" -o "$work/sealed" --quiet
expect 0 "$MLSCOPE" inspect --mil "$work/sealed" --key-file "$work/key"
cmp -s "$work/package.mil" "$work/.out" || complain "the sealed compiled model differs"

# What it refuses.
expect 2 "$MLSCOPE" compile "$demo" -o "$work/twice.mlmodelc"
has_err "it is there already"
expect 2 "$MLSCOPE" compile "$work/sealed" --key-file "$work/key" -o "$work/plain.mlmodelc"
has_err "it is sealed"
[ ! -e "$work/plain.mlmodelc" ] || complain "sealed content was written"
expect 2 "$MLSCOPE" compile "$demo"
expect 5 "$MLSCOPE" compile "$demo" -o "$work/nowhere/a.mlmodelc"
ls "$work" | grep -q part && complain "something partial is left"

while read -r manifest; do
    package=${manifest%/Manifest.json}
    "$MLSCOPE" compile "$package" -o "$work/tried.mlmodelc" --quiet 2>/dev/null || continue # refused, or no ML Program
    rm -rf "$work/tried.mlmodelc"
    n=$((n + 1))
    same_program "$package" $n
done < <(find "$MLS_SHARED/models" -name Manifest.json 2>/dev/null)
echo "$n packages"
finish

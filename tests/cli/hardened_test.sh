#!/bin/bash
# The program is built hardened: position-independent, its tables read-only once it runs, no memory that is both writable and
# executable, stack protector, checked string functions. Release builds only.
set -u
[ -x "${MLSCOPE:-}" ] || { echo "no program to test: MLSCOPE is not set"; exit 77; }
command -v readelf >/dev/null || { echo "skipped: no readelf"; exit 77; }
grep -q '^CMAKE_BUILD_TYPE:STRING=Release' "$MLS_BUILD/CMakeCache.txt" || { echo "skipped: no release build"; exit 77; }
grep -q '^MLS_SANITIZE:STRING=.' "$MLS_BUILD/CMakeCache.txt" && { echo "skipped: built with sanitizers"; exit 77; }
failures=0
wants() { # what, pattern, text
    grep -qE -- "$2" <<<"$3" || { echo "FAILED: no $1" >&2; failures=$((failures + 1)); }
}
for file in "$MLSCOPE" "$MLS_BUILD"/libmlscope.so; do
    [ -e "$file" ] || continue
    header=$(readelf -hW "$file") segments=$(readelf -lW "$file") dynamic=$(readelf -dW "$file") symbols=$(readelf -sW --dyn-syms "$file")
    wants "position-independent code in $file" 'Type: +DYN' "$header"
    wants "RELRO segment in $file" 'GNU_RELRO' "$segments"
    wants "binding at start in $file" 'BIND_NOW|FLAGS.*NOW' "$dynamic"
    wants "stack that is not executable in $file" 'GNU_STACK.* RW +0x' "$segments"
    grep -E '^ +LOAD' <<<"$segments" | grep -q 'RWE' && { echo "FAILED: writable code in $file" >&2; failures=$((failures + 1)); }
    wants "stack protector in $file" '__stack_chk_fail' "$symbols"
    wants "checked functions in $file" '__(memcpy|snprintf|vsnprintf|memset)_chk' "$symbols"
done
# Debian's start files carry no such mark, so the whole program does not either; what we compile does.
if command -v objdump >/dev/null; then
    wants "landing pad for indirect calls at main" 'endbr64|bti|paciasp' "$(objdump -d --disassemble=main "$MLSCOPE")"
fi
[ $failures = 0 ] && echo "passed"
[ $failures = 0 ]

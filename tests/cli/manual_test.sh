#!/bin/bash
# The manual page and completions are made from the tables: every command and option is in each, and each shell that is
# here accepts its own. The recording's page and the description of its format name every section.
set -u
[ -x "${MLSCOPE:-}" ] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() { echo "FAIL $*"; failed=1; }
"$MLSCOPE" --man >"$work/mlscope.1" || fail "--man"
for shell in bash zsh fish; do "$MLSCOPE" --completion $shell >"$work/$shell" || fail "--completion $shell"; done
"$MLSCOPE" --completion tcsh 2>/dev/null && fail "a shell that is not known was taken"
for option in key-file threads redact config no-mouse; do
    grep -q -- "$(sed 's/-/\\\\-/g' <<<"$option")" "$work/mlscope.1" || fail "no --$option in the manual"
    for shell in bash zsh fish; do grep -q -- "$option" "$work/$shell" || fail "no --$option for $shell"; done
done
for name in record compare next-view 'timeline' 'theme'; do grep -q -- "$(sed 's/-/\\\\-/g' <<<"$name")" "$work/mlscope.1" || fail "no $name in the manual"; done
for letters in $(grep -o '"[A-Z]\{4\}"' profiler/recording/sections.h | tr -d '"') PLAC FIND DONE; do
    for page in profiler/RECORDING_FORMAT.md profiler/man/mlscope-recording.5; do
        grep -q "$letters" "$page" || fail "no section $letters in $page"
    done
done
bash -n "$work/bash" || fail "bash"
command -v zsh >/dev/null && { zsh -n "$work/zsh" || fail "zsh"; }
command -v fish >/dev/null && { fish -n "$work/fish" || fail "fish"; }
command -v man >/dev/null && { MANWIDTH=80 man -l --warnings "$work/mlscope.1" 2>"$work/warnings" >/dev/null; [ -s "$work/warnings" ] && fail "man: $(cat "$work/warnings")"; }
# what bash offers after "mlscope co"
offered=$(bash -c ". '$work/bash'; COMP_WORDS=(mlscope co); COMP_CWORD=1; _mlscope; echo \${COMPREPLY[*]}")
case " $offered " in *" compare "*) ;; *) fail "bash offers: $offered" ;; esac
exit $failed

#!/bin/bash
# Checks the permissions of ARCHITECTURE.md over the #include lines: each line below says what the files of a folder may
# include; the longest folder that matches a file decides. Run from the root of the project.
set -u
permissions=$(cat <<'EOT'
core/base         base core/
core/cpu          base cpu core/
core/package      base package core/
core/ir           base ir core/
core/format       base ir package format core/ .pb-c.h
core/kernels      base cpu kernels core/
core/ops          base ir kernels ops core/
core/pass         base ir kernels ops pass core/
core/plan         base ir kernels ops pass plan core/
core/exec         base ir kernels ops pass plan exec core/
core/compress     base cpu ir package format kernels ops compress core/
core/feature      base feature core/
core/include      core/
profiler          profiler/ core/ . .pb-c.h
diagnostics       diagnostics/ profiler/ core/ .
tui               diagnostics/ profiler/ core/ term widget view app cli .
EOT
)

# The rooms that a front end may use inside itself: command line and terminal never meet.
forbidden_pairs='tui/cli:term/ tui/cli:widget/ tui/cli:view/ tui/term:cli/ tui/widget:cli/ tui/view:cli/'

failed=0
complain() {
    echo "$1" >&2
    failed=1
}

# Sets `rights` to what the files of a folder may include. No subshells here: there are thousands of include lines.
declare -A rights_of_folder
find_rights() {
    local best="" folder rest
    rights=${rights_of_folder[$1]-none}
    [ "$rights" = none ] || return 0
    rights=
    while read -r folder rest; do
        case "$1/" in "$folder"/*) [ ${#folder} -gt ${#best} ] && best=$folder rights=$rest ;; esac
    done <<<"$permissions"
    rights_of_folder[$1]=$rights
}

may_include() { # file, header, rights
    local right
    case "$2" in */*) ;; *) [ -e "${1%/*}/$2" ] && return 0 ;; esac # a neighbour in the same folder
    for right in $3; do
        case "$right" in
            .) [ -e "${1%%/*}/$2" ] && return 0 ;; # a file of the same room, by its path inside the room
            .*) case "$2" in *"$right") return 0 ;; esac ;;
            */) case "$2" in "$right"*) return 0 ;; esac ;;
            *) case "$2" in "$right"/*) return 0 ;; esac ;;
        esac
    done
    return 1
}

while IFS=: read -r file line text; do
    header=${text#*\"}
    header=${header%%\"*}
    find_rights "${file%/*}"
    may_include "$file" "$header" "$rights" || complain "$file:$line: may not include \"$header\""
    for pair in $forbidden_pairs; do
        case "$file:$header" in "${pair%%:*}"/*:"${pair#*:}"*) complain "$file:$line: command line and screen must not meet: \"$header\"" ;; esac
    done
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' --include='*.c' --include='*.h' --include='*.inc' core profiler diagnostics tui)

only_in() { # pattern of a system header, files that may include it
    local found
    found=$(grep -rlE "#[[:space:]]*include[[:space:]]*<($1)" --include='*.c' --include='*.h' core profiler diagnostics tui | grep -vE "$2")
    [ -z "$found" ] || complain "only $2 may include <$1>: $found"
}
only_in 'ncurses|curses' '^tui/term/screen_curses\.c$'
only_in 'openssl/' '^core/package/package_(gcm|sealed|aes)[a-z_]*\.[ch]$'
only_in 'sodium' '^core/package/'
only_in 'protobuf-c' '^core/format/|^profiler/export/pprof'
only_in 'libunwind' '^profiler/sampler/'
only_in 'yaml' '^core/compress/config\.c$'

[ $failed = 0 ] && echo "all include lines keep the permissions"
exit $failed

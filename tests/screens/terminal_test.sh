#!/usr/bin/env bash
# The screen on a real terminal (tmux): it comes up, follows a resize, is suspended and goes on, and every way out (q, Ctrl-C,
# TERM, HUP, QUIT, a crash) leaves the terminal as it was.
set -u
here=$(cd "$(dirname "$0")" && pwd)
program=${MLSCOPE:-}
model=$(realpath "$here/../demo/digits.mlpackage")
[ -x "$program" ] && [ -e "$model" ] && command -v tmux >/dev/null || exit 77
program=$(realpath "$program")
export LC_ALL=C.UTF-8
work=$(mktemp -d)
socket=mlscope-test-$$
tm() { tmux -L "$socket" -f /dev/null "$@"; }
trap 'tm kill-server 2>/dev/null; rm -rf "$work"' EXIT

fail() {
    echo "FAIL $*" >&2
    tm capture-pane -p >&2
    exit 1
}

# expect PATTERN: waits until the terminal shows it.
expect() {
    local i
    for i in $(seq 200); do
        tm capture-pane -p | grep -q -- "$1" && return 0
        sleep 0.1
    done
    fail "never saw: $1"
}

n_modes=0
modes_are_whole() {
    rm -f "$work/now"
    n_modes=$((n_modes + 1)) # what an earlier call has left on the screen is not waited for
    tm send-keys "clear; stty -g >$work/now; echo modes-written-$n_modes" Enter
    expect "^modes-written-$n_modes"
    cmp -s "$work/before" "$work/now" || fail "$1: the terminal's modes differ: $(cat "$work/before") were $(cat "$work/now")"
    [ "$(tm display-message -p '#{alternate_on} #{cursor_flag}')" = "0 1" ] || fail "$1: the main screen or the cursor is missing"
}

start() {
    tm send-keys "clear; $program $model --threads 1 --delay 5; echo left-with-\$?" Enter
    expect 'running'
}

# The child of the shell in the terminal.
screen_pid() { pgrep -P "$(tm display-message -p '#{pane_pid}')" | head -1; }

tm new-session -d -x 80 -y 24 "bash --norc --noprofile"
tm send-keys "PS1='> '; ulimit -c 0; stty -g >$work/before; echo ready-now" Enter
expect '^ready-now'

start
tm send-keys 2
expect 'share .* mean'
tm resize-window -x 160 -y 40
expect 'kernel\|GFLOP/s'
tm resize-window -x 30 -y 8
expect 'too small: have 30x8'
tm resize-window -x 80 -y 24
expect 'Operations'
tm send-keys C-z
expect 'Stopped'
modes_are_whole "suspended"
tm send-keys "fg; echo left-with-\$?" Enter
expect 'running'
tm send-keys q q
expect '^left-with-0'
modes_are_whole "q"

start
tm send-keys C-c
expect '^left-with-0'
modes_are_whole "Ctrl-C"

for signal in TERM HUP QUIT SEGV; do
    start
    kill -"$signal" "$(screen_pid)"
    expect "^left-with-$((128 + $(kill -l $signal)))"
    modes_are_whole "SIG$signal"
done
echo "the terminal is whole after every way out"

#!/bin/sh
# The screen inside a real tmux, which `cargo test` cannot do without: what it shows at 80x24, keys, the mouse, sizes, suspension, and a copy
# that reaches tmux's buffer. It needs no model: it watches the run of the screen's fixture.
#
#   tests/tmux_check.sh [PROGRAM]      the program is target/debug/finetop, else target/release/finetop
#
# Exit codes: 0 all is well, 1 something is not, 2 it cannot be tried here.
set -u
cd "$(dirname "$0")/.." || exit 2

program=${1:-}
for built in target/debug/finetop target/release/finetop; do
    [ -z "$program" ] && [ -x "$built" ] && program=$built
done
command -v tmux >/dev/null || { echo "tmux is missing: nothing was checked" >&2; exit 2; }
[ -n "$program" ] && [ -x "$program" ] || { echo "no program: cargo build, or name one" >&2; exit 2; }
program=$(realpath "$program")

# A server of its own, without anybody's settings.
place=$(mktemp -d) || exit 2
tm() { tmux -S "$place/socket" -f /dev/null "$@"; }
trap 'tm kill-server 2>/dev/null; rm -rf "$place"' EXIT
trap 'exit 2' INT TERM HUP

failed=0
shown() { tm capture-pane -p -t check; }
# Waits until a line of the screen has this text.
sees() {
    for _ in $(seq 100); do
        shown | grep -qF -- "$1" && { echo "ok    sees: $1"; return 0; }
        sleep 0.1
    done
    echo "WRONG the screen lacks: $1" >&2
    shown >&2
    failed=1
}
# Waits until tmux says this of the pane.
is() {
    for _ in $(seq 100); do
        [ "$(tm display-message -p -t check "$1")" = "$2" ] && { echo "ok    $1 is $2"; return 0; }
        sleep 0.1
    done
    echo "WRONG $1 is $(tm display-message -p -t check "$1"), not $2" >&2
    failed=1
}
press() { tm send-keys -t check "$@"; }

tm new-session -d -s check -x 80 -y 24 -e LANG=C.UTF-8 "sh -i" || { echo "tmux does not start" >&2; exit 2; }
tm set-option -g set-clipboard on
tm set-option -g window-size manual
press "'$program' watch tests/fixtures/screen/run" Enter

sees 'finished'
sees '48 / 48'
sees 'accumulation'
[ "$(shown | awk 'length > 0' | wc -l)" -ge 23 ] || { echo "WRONG the screen is not full" >&2; failed=1; }
press '?'
sees 'the tab Train: the run at a glance'
press Escape
sees '48 / 48'
press p
sees 'the run has ended'

is '#{mouse_any_flag}' 0
press m
is '#{mouse_any_flag}' 1
is '#{mouse_sgr_flag}' 1
press C-z
sees 'Stopped'
is '#{alternate_on}' 0
is '#{mouse_any_flag}' 0
press fg Enter
sees '48 / 48'
is '#{mouse_any_flag}' 1

tm resize-window -t check -x 160 -y 48
sees 'predicted peak'
tm resize-window -t check -x 40 -y 10
sees 'needed'
tm resize-window -t check -x 60 -y 20
sees 'finished'
tm resize-window -t check -x 80 -y 24
sees 'accumulation'

# An entry of the log is copied: tmux has it, and the screen says so.
press 3
press G
press Y
sees 'clipboard'
copy=$(tm show-buffer 2>/dev/null)
if [ -n "$copy" ]; then echo "ok    tmux has: $copy"; else echo "WRONG nothing reached tmux's buffer" >&2; failed=1; fi

press q
is '#{alternate_on}' 0
press 'echo left with $?' Enter
sees 'left with 0'
is '#{mouse_any_flag}' 0
is '#{cursor_flag}' 1

[ "$failed" = 0 ] && echo "all is well in $(tmux -V)"
exit "$failed"

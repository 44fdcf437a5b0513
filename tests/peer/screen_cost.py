#!/usr/bin/env python3
"""Figure 4: what the screen costs while training, how soon a key shows, and that an idle screen writes nothing.

What it does: runs `finetop train` under a pseudo-terminal on the data set's rows and measures, one after another,
  1. processor time by thread over `--seconds` of training: what is not the trainer or one of its workers is the
     screen's, and may be at most 2 % of the process;
  2. the time from a press of `?` until help is on the terminal (or gone from it), while training uses every core:
     the 95th percentile of `--presses` may be at most 50 ms. The terminal is emulated with pyte; a press counts as
     shown when the bytes that complete help's text have been read from it;
  3. bytes written while paused, over `--idle` seconds after the pause took effect: must be 0;
  4. the same before the run is started, where the screen waits for Enter.
Prints a table; exit 1 if a figure is missed. The emulator takes a little time from the cores that train, so the real
latency is a little better than what is measured.

usage: V/bin/python tests/peer/screen_cost.py --gguf FILE [--finetop BIN] [--data DIR] [--out DIR] [--seconds 60]
       [--presses 100] [--idle 10] [--size 80x24] [--start-key ENTER] [--help-key ?] [--pause-key p]
"""

import fcntl
import json
import os
import pty
import random
import re
import select
import signal
import struct
import sys
import termios
import time

import pyte

from common import arguments, fresh, machine, parsed, table, write_config

TRAINING = re.compile(r"^(finetop-trainer|rayon.*)$")  # thread names; the kernel keeps 15 bytes of each


class Terminal:
    """The far end of the child's terminal: an emulated screen, and how many bytes came."""

    def __init__(self, command, columns, lines, log):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.bytes, self.log = 0, open(log, "wb")
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8")
            try:
                os.execvp(command[0], command)
            except OSError as e:
                print(f"{command[0]}: {e}")
                os._exit(127)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self, seconds):
        """Waits up to `seconds` for output and takes what is there; False when the terminal was closed."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.bytes += len(data)
        self.log.write(data)
        self.stream.feed(data)
        if b"\x1b[6n" in data:  # a program that asks where the cursor is gets an answer
            self.send(f"\x1b[{self.screen.cursor.y + 1};{self.screen.cursor.x + 1}R")
        if b"\x1b[c" in data:
            self.send("\x1b[?62;c")
        return True

    def send(self, keys):
        os.write(self.fd, keys.encode())

    def text(self):
        return "\n".join(self.screen.display)

    def drain(self, seconds):
        """Reads for `seconds`; returns how many bytes came."""
        before, end = self.bytes, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self.read(min(left, 0.2)):
                self.ended()
        return self.bytes - before

    def until(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                sys.exit(f"waited {seconds:.0f} s for {what}; the terminal shows:\n{self.text()}")
            if not self.read(0.02):
                self.ended()

    def ended(self):
        sys.exit(f"finetop ended too soon; the terminal shows:\n{self.text()}")

    def close(self):
        """Ends the child: TERM first, KILL if it does not go in 30 s."""
        try:
            os.kill(self.pid, signal.SIGTERM)
            end = time.monotonic() + 30
            while time.monotonic() < end:
                self.read(0.1)
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    return
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


class Threads:
    """Processor seconds by thread name; those of threads that have ended stay counted from their last look."""

    def __init__(self, pid):
        self.root, self.seen = f"/proc/{pid}/task", {}
        self.look()
        self.start = dict(self.seen)
        self.process = self.total(pid)
        self.pid = pid

    def look(self):
        for tid in os.listdir(self.root):
            try:
                name = open(f"{self.root}/{tid}/comm").read().strip()
                nanoseconds = int(open(f"{self.root}/{tid}/schedstat").read().split()[0])
            except (OSError, IndexError, ValueError):
                continue
            self.seen[(tid, name)] = nanoseconds / 1e9

    @staticmethod
    def total(pid):
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def spent(self):
        self.look()
        out = {}
        for key, seconds in self.seen.items():
            out[key[1]] = out.get(key[1], 0.0) + seconds - self.start.get(key, 0.0)
        return out, self.total(self.pid) - self.process


class Events:
    """The run's events.jsonl as it grows."""

    def __init__(self, run_dir):
        self.path, self.at, self.last_micro, self.count = os.path.join(run_dir, "events.jsonl"), 0, 0.0, 0
        self.longest = 0.0

    def poll(self):
        """Reads what is new; how many micro-batches are done so far."""
        if os.path.exists(self.path):
            with open(self.path, "rb") as f:
                f.seek(self.at)
                for line in f:
                    if not line.endswith(b"\n"):
                        break
                    self.at += len(line)
                    e = json.loads(line)
                    if e["event"] == "micro_batch_done":
                        self.count, self.last_micro = self.count + 1, time.monotonic()
                        self.longest = max(self.longest, e["duration_us"] / 1e6)
                    if e["event"] == "run_finished":
                        sys.exit(f"the run ended too soon: {e}")
        return self.count


def help_marker(term, key):
    """Text that is on the screen with help open and never without: found by opening and closing help twice."""
    closed, opened = [], []
    for _ in range(2):
        closed.append(term.text())
        term.send(key)
        term.drain(1.5)
        opened.append(term.text())
        term.send(key)
        term.drain(1.5)
    closed.append(term.text())
    pieces = re.findall(r"[A-Za-z][A-Za-z,;() -]{5,}[A-Za-z]", opened[0])
    pieces = [t for t in pieces if t in opened[1] and not any(t in c for c in closed)]
    if not pieces:
        sys.exit(f"{key!r} does not open and close help; with it open the terminal shows:\n{opened[0]}")
    return max(pieces, key=len)


def latencies(term, key, marker, presses):
    rng, out, shown = random.Random(1), [], marker in term.text()
    for _ in range(presses):
        term.drain(rng.uniform(0.1, 0.4))  # at no fixed place in the drawing's own rhythm
        pressed = time.monotonic()
        term.send(key)
        shown = not shown
        while (marker in term.text()) != shown:
            if time.monotonic() - pressed > 5:
                sys.exit(f"a key did not show within 5 s; the terminal shows:\n{term.text()}")
            if not term.read(0.05):
                term.ended()
        out.append(time.monotonic() - pressed)
    return sorted(out)


def main():
    p = arguments(__doc__, peer=False)
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--presses", type=int, default=100)
    p.add_argument("--idle", type=float, default=10)
    p.add_argument("--size", default="80x24")
    p.add_argument("--start-key", default="\r")
    p.add_argument("--help-key", default="?")
    p.add_argument("--pause-key", default="p")
    a = parsed(p)
    columns, lines = map(int, a.size.split("x"))
    config, run_dir = os.path.join(a.out, "screen.toml"), fresh(os.path.join(a.out, "screen"))
    train, ev = (os.path.join(a.data, n) for n in ["train.jsonl", "eval.jsonl"])
    write_config(config, a.gguf, train, None, max_steps=1_000_000)
    print(f"Machine: {machine()}. Terminal {a.size}.\n", flush=True)
    term = Terminal(
        [a.finetop, "train", config, "--run-dir", run_dir], columns, lines, os.path.join(a.out, "screen.bytes")
    )
    try:
        rows, good = measure(a, term, Events(run_dir))
    finally:
        term.close()
    table(["what", "measured", "at most", "reached"], rows)
    sys.exit(0 if good else 1)


def measure(a, term, seen):
    rows, good = [], True

    def row(what, value, most, shown, bound):
        nonlocal good
        good &= value <= most
        rows.append((what, shown, bound, "yes" if value <= most else "NO"))

    waiting = None
    term.drain(8)
    if seen.poll() == 0 and seen.at == 0:  # not one event yet: the screen waits to be told to start
        waiting = term.drain(a.idle)
        term.send(a.start_key)
    term.until(lambda: seen.poll() > 0, 180, "the first micro-batch")
    term.drain(3)

    threads, began, written, done = Threads(term.pid), time.monotonic(), term.bytes, seen.poll()
    while time.monotonic() - began < a.seconds:
        term.drain(0.5)
        threads.look()
    spent, total = threads.spent()
    seconds, written = time.monotonic() - began, term.bytes - written
    screen = sum(s for n, s in spent.items() if not TRAINING.match(n))
    if seen.poll() == done:
        sys.exit(f"no micro-batch was done in {seconds:.0f} s; measure for longer, or on a quiet machine")
    print(
        "Processor seconds by thread name: "
        + ", ".join(f"{n} {s:.2f}" for n, s in sorted(spent.items(), key=lambda x: -x[1]))
    )
    print(f"The process: {total:.1f} s in {seconds:.0f} s.", end=" ")
    print(f"Written to the terminal meanwhile: {written / seconds:,.0f} bytes/s.\n")
    row("screen's share of processor time", screen / total, 0.02, f"{screen / total:.2%}", "2 %")

    marker = help_marker(term, a.help_key)
    times = latencies(term, a.help_key, marker, a.presses)
    if times:
        at = lambda q: times[min(len(times) - 1, int(q * len(times)))]
        print(f"Key to screen, {len(times)} presses, watching for {marker!r}:", end=" ")
        print(f"median {at(0.5) * 1e3:.0f} ms, largest {times[-1] * 1e3:.0f} ms.\n")
        row("key to screen, 95th percentile", at(0.95), 0.05, f"{at(0.95) * 1e3:.0f} ms", "50 ms")

    if len(times) % 2:
        term.send(a.help_key)
        term.drain(1)
    term.send(a.pause_key)
    term.until(
        lambda: seen.poll() and time.monotonic() - seen.last_micro > max(5.0, 3 * seen.longest), 120, "the pause"
    )
    term.drain(2)
    before = seen.poll()
    bytes_idle = term.drain(a.idle)
    if seen.poll() != before:
        sys.exit("the run did not stay paused")
    row(f"bytes written in {a.idle:g} s, paused", bytes_idle, 0, bytes_idle, "0")
    if waiting is not None:
        row(f"bytes written in {a.idle:g} s, before the start", waiting, 0, waiting, "0")
    return rows, good


if __name__ == "__main__":
    main()

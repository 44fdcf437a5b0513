#!/usr/bin/env python3
"""Makes the README's pictures from the program itself: a run in full swing, watched inside tmux, cell by cell as SVG.

    python3 tests/pictures/make.py [PROGRAM [MODEL.gguf [RUN]]]

The run is the fixture of the screen's tests up to its 33rd step. It is made young, and its log is held locked, so that it looks alive.
Needs tmux; writes train.svg, charts.svg, start.svg and play.svg beside this file, with a model (SmolLM2-135M) oom.svg, memory.svg and
plan.svg from a real run that goes out of memory, and with a run that has reports bleu.svg. `-` stands for none.
"""

import fcntl
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unicodedata
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COLUMNS, ROWS = 100, 30
CELL_WIDTH, CELL_HEIGHT = 8.4, 17
BACKGROUND, TEXT = "#14161b", "#d5d9e0"


def young_run(folder: Path):
    """The fixture's beginning as a run that goes on now; the open file keeps its lock."""
    source = ROOT / "tests/fixtures/screen/run"
    shutil.copy(source / "config.toml", folder / "config.toml")
    events = [json.loads(line) for line in (source / "events.jsonl").read_text().splitlines()]
    end = next(i for i, e in enumerate(events) if e["event"] == "micro_batch_done" and (e["step"], e["micro"]) == (33, 3))
    events = events[: end + 1]
    events[0]["started_unix_ms"] = int(time.time() * 1000) - events[-1]["elapsed_ms"]
    path = folder / "events.jsonl"
    path.write_text("".join(json.dumps(e, separators=(",", ":"), ensure_ascii=False) + "\n" for e in events))
    held = path.open("a")
    fcntl.flock(held, fcntl.LOCK_EX)
    return held


class Screen:
    def __init__(self, program: Path, place: Path):
        self.socket, self.program, self.place = place / "socket", program, place

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(self.socket), "-f", "/dev/null", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def start(self, folder: Path, *arguments: str) -> None:
        words = " ".join(f"'{word}'" for word in (str(self.program), *arguments))
        environment = ["LANG=C.UTF-8", "COLORTERM=truecolor", f"FINETOP_CONFIG={self.place}", f"HOME={self.place}"]
        pairs = [part for pair in environment for part in ("-e", pair)]
        self.tmux("new-session", "-d", "-s", "p", "-x", str(COLUMNS), "-y", str(ROWS), "-c", str(folder), *pairs, words)

    def wait_for(self, text: str) -> None:
        for _ in range(100):
            if text in self.tmux("capture-pane", "-p", "-t", "p"):
                time.sleep(0.3)
                return
            time.sleep(0.1)
        sys.exit(f"`{text}` did not come:\n" + self.tmux("capture-pane", "-p", "-t", "p"))

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "p", *keys)

    def picture(self, name: str) -> None:
        svg = to_svg(self.tmux("capture-pane", "-e", "-p", "-t", "p").split("\n"))
        (HERE / f"{name}.svg").write_text(svg)
        print(HERE / f"{name}.svg")

    def stop(self) -> None:
        self.tmux("kill-session", "-t", "p")


def runs(lines: list[str]):
    """Pieces of captured lines with one style each: (row, text, colour, background, flags). A style goes on over the end of a line."""
    fg, bg, flags = None, None, set()
    pieces = ((row, *piece) for row, line in enumerate(lines) for piece in re.findall(r"([^\x1b]+)|\x1b\[([0-9;]*)m", line))
    for row, text, codes in pieces:
        if text:
            yield row, text, fg, bg, frozenset(flags)
            continue
        numbers = [int(n or 0) for n in codes.split(";")]
        while numbers:
            n = numbers.pop(0)
            if n == 0:
                fg, bg, flags = None, None, set()
            elif n in (1, 2, 4, 7):
                flags.add(n)
            elif n in (38, 48) and numbers[:1] == [2]:
                colour = "#%02x%02x%02x" % tuple(numbers[1:4])
                numbers = numbers[4:]
                fg, bg = (colour, bg) if n == 38 else (fg, colour)
            elif n == 39:
                fg = None
            elif n == 49:
                bg = None


def cells(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def dots(text: str, x: float, y: float) -> str:
    """Braille as a path: few fonts have it, and those that do draw it as they like."""
    places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
    path = []
    for i, c in enumerate(text):
        for bit, (dx, dy) in enumerate(places):
            if (ord(c) - 0x2800) >> bit & 1:
                left, top = x + (i + 0.18 + dx * 0.5) * CELL_WIDTH, y + (dy + 0.25) * CELL_HEIGHT / 4
                path.append(f"M{left:.1f} {top:.1f}h2.6v2.4h-2.6z")
    return "".join(path)


def to_svg(lines: list[str]) -> str:
    width, height = COLUMNS * CELL_WIDTH, ROWS * CELL_HEIGHT
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 16:.0f} {height + 16:.0f}" font-size="14" '
        'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace">',
        f'<rect width="100%" height="100%" rx="6" fill="{BACKGROUND}"/>',
    ]
    column, last_row = 0, -1
    for row, text, fg, bg, flags in runs(lines[:ROWS]):
        column, last_row = (column if row == last_row else 0), row
        fg, bg = fg or TEXT, bg
        if 7 in flags:
            fg, bg = bg or BACKGROUND, fg
        x, y = 8 + column * CELL_WIDTH, 8 + row * CELL_HEIGHT
        column += cells(text)
        if bg:
            out.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{cells(text) * CELL_WIDTH:.1f}" height="{CELL_HEIGHT}" fill="{bg}"/>')
        style = (' font-weight="bold"' if 1 in flags else "") + (' opacity="0.6"' if 2 in flags else "")
        for piece in re.finditer(r"[\u2800-\u28ff]+|[^\u2800-\u28ff]+", text):
            at = x + cells(text[: piece.start()]) * CELL_WIDTH
            if piece.group()[0] >= "\u2800" and piece.group()[0] <= "\u28ff":
                out.append(f'<path fill="{fg}" d="{dots(piece.group(), at, y)}"/>')
                continue
            shown = piece.group().strip(" ")
            if not shown:
                continue
            lead = len(piece.group()) - len(piece.group().lstrip(" "))
            place = f'x="{at + lead * CELL_WIDTH:.1f}" y="{y + 13:.1f}" textLength="{cells(shown) * CELL_WIDTH:.1f}"'
            out.append(f'<text {place} lengthAdjust="spacingAndGlyphs" xml:space="preserve" fill="{fg}"{style}>{escape(shown)}</text>')
    out.append("</svg>\n")
    return "\n".join(out)


def out_of_memory(program: Path, place: Path, model: Path) -> None:
    """The demo's rows below a limit that is too small for them, and the lever that helps."""
    shutil.copytree(ROOT / "configs/data", place / "data")
    settings = {
        "model": {"source": str(model)},
        "data": {"train": "data/train.jsonl", "eval": "data/eval.jsonl", "max_seq_length": 128},
        "train": {"max_steps": 6, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 2, "eval_steps": 3,
                  "gradient_checkpointing": False},
        "memory": {"limit": "600MiB"},
    }
    sections = (f"[{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items()) for name, keys in settings.items())
    (place / "listings.toml").write_text("".join(sections))
    screen = Screen(program, place)
    screen.start(place)
    screen.wait_for("listings.toml")
    screen.press("Down")
    screen.wait_for("does not fit")
    screen.press("M")
    screen.wait_for("longest micro-batch")
    screen.press("Left")
    screen.wait_for("was 8")
    screen.picture("plan")
    screen.press("Escape")
    screen.wait_for("what to run")
    screen.press("Enter")
    screen.wait_for("What would help")
    time.sleep(1)
    screen.picture("oom")
    screen.press("Down", "Enter")
    screen.press("4")
    for _ in range(60):
        if "the run is complete" in screen.tmux("capture-pane", "-p", "-t", "p"):
            break
        time.sleep(5)
    screen.press("Escape")
    time.sleep(1)
    screen.press("M")
    screen.wait_for("headroom")
    screen.picture("memory")
    screen.stop()


def reports(program: Path, place: Path, run: Path) -> None:
    """The tab BLEU of a run that was scored."""
    screen = Screen(program, place)
    screen.start(run.parent, "watch", str(run))
    screen.wait_for("train")
    screen.press("5")
    screen.wait_for("export")
    screen.press("Down")
    time.sleep(1)
    screen.picture("bleu")
    screen.stop()


def playground(program: Path, place: Path) -> None:
    """An answer that is no JSON, read without a model."""
    screen = Screen(program, place)
    screen.start(place)
    screen.wait_for("demo")
    screen.press("6")
    screen.wait_for("Enter types")
    screen.press("x")
    time.sleep(1)
    screen.press("Down", "Down", "Down", "Enter")
    time.sleep(1)
    screen.press("F5")
    screen.wait_for("how obtained")
    time.sleep(1)
    screen.picture("play")
    screen.stop()


def main() -> None:
    if not shutil.which("tmux"):
        sys.exit("tmux is missing")
    program = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/finetop").resolve()
    if len(sys.argv) > 3:
        with tempfile.TemporaryDirectory() as place:
            reports(program, Path(place), Path(sys.argv[3]).resolve())
    if len(sys.argv) > 2 and sys.argv[2] != "-":
        with tempfile.TemporaryDirectory() as place:
            out_of_memory(program, Path(place), Path(sys.argv[2]).resolve())
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        folder = place / "runs/20260504-100000-listings"
        folder.mkdir(parents=True)
        held = young_run(folder)
        screen = Screen(program, place)
        screen.start(place, "watch", "runs/20260504-100000-listings")
        screen.wait_for("32 / 48")
        screen.picture("train")
        screen.press("2")
        screen.wait_for("micro-batch time")
        screen.press("Left", "Left", "Left", "Left")
        screen.wait_for("step 29")
        screen.picture("charts")
        screen.stop()
        held.close()
        (place / "listings.toml").write_text('[data]\ntrain = "train.jsonl"\n[train]\nlearning_rate = 1e-3\n')
        (place / "train.jsonl").write_text('{"prompt":"a","completion":"b"}\n' * 40)
        screen.start(place)
        screen.wait_for("listings.toml")
        screen.press("Tab")
        screen.wait_for("[model]")
        screen.picture("start")
        screen.stop()
    with tempfile.TemporaryDirectory() as place:
        playground(program, Path(place))


if __name__ == "__main__":
    main()

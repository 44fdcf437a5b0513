#!/usr/bin/env python3
"""Figure 5: how many tokens per second `finetop generate` decodes with exact products, one stream.

What it does: runs `finetop generate` a few times and reads the last line of its standard error,
`{n} tokens in {s} s ({rate} tokens/s)`, which leaves out loading the model. The figure is the median; at least 40 is
wanted (llama.cpp with int8 activations reached 86 to 97 on the same model and two threads). A run that ends within 32
tokens is too short to be a figure and is an error: give another prompt.

usage: python tests/peer/decode.py --gguf FILE [--finetop BIN] [--repeat 5] [--adapter DIR] [--prompt TEXT]
       [-- MORE ARGUMENTS]
"""

import os
import re
import statistics
import subprocess
import sys

from common import arguments, machine, parsed, table

LINE = re.compile(r"^(\d+) tokens in ([\d.]+) s \(([\d.]+) tokens/s\)\s*$", re.M)


def main():
    argv, more = sys.argv[1:], []
    if "--" in argv:
        argv, more = argv[: argv.index("--")], argv[argv.index("--") + 1 :]
    p = arguments(__doc__, data=False, peer=False)
    p.add_argument("--repeat", type=int, default=5)
    p.add_argument("--adapter")
    p.add_argument("--prompt", default="Write a long story about a lighthouse keeper who finds a map.")
    p.add_argument("--at-least", type=float, default=40.0)
    a = parsed(p, argv)
    command = [a.finetop, "generate", "--model", os.path.abspath(a.gguf), "--chat", *more]
    command += ["--adapter", a.adapter] if a.adapter else []
    rows = []
    print(f"Machine: {machine()}\n")
    for _ in range(a.repeat):
        done = subprocess.run(
            [*command, a.prompt], capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
        )
        found = LINE.findall(done.stderr)
        if done.returncode != 0 or not found:
            print(
                f"{' '.join(command)} ended with {done.returncode}; no figure on its standard error:", file=sys.stderr
            )
            sys.exit(done.stderr[-2000:] or 1)
        n, seconds, rate = found[-1]
        if int(n) < 32:
            sys.exit(f"only {n} tokens were decoded; give another --prompt, or a flag for more of them after `--`")
        if abs(int(n) / float(seconds) / float(rate) - 1) > 0.05:
            sys.exit(f"the line contradicts itself: {n} tokens in {seconds} s are not {rate} a second")
        rows.append((n, seconds, rate))
    table(["tokens", "seconds", "tokens/s"], rows)
    median = statistics.median(float(r[2]) for r in rows)
    verdict = "reached" if median >= a.at_least else "MISSED"
    print(f"Median {median:.1f} tokens/s, at least {a.at_least:g} wanted: {verdict}")
    sys.exit(0 if median >= a.at_least else 1)


if __name__ == "__main__":
    main()

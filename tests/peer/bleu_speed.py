"""Times sacrebleu and finetop scoring the same lines, one after the other on one machine: 630 lines with four references of the e2e test
rows, and 100,000 lines with one. Both sides are timed within their process, texts in memory; the command is timed as a whole besides, with
its start and the reading of files. Exit 0 means that BLEU took at most a twentieth of sacrebleu's time both times.

    cargo build --release && cargo bench --bench bleu --no-run
    V/bin/python tests/peer/bleu_speed.py --data shared/data/e2e          # needs sacrebleu 2.6
"""

import argparse
import glob
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import run

ROOT = Path(__file__).resolve().parents[2]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "e2e")
    parser.add_argument("--finetop", type=Path, default=ROOT / "target" / "release" / "finetop")
    parser.add_argument("--bench", type=Path, help="the built benches/bleu.rs; by default the newest in target/release/deps")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--metrics", default="bleu,chrf,chrf++,ter")
    parser.add_argument("--large", type=int, default=100_000, help="lines of the large text")
    parser.add_argument("--sacrebleu", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


def texts(rows, large):
    """Names to lists of lines, the hypotheses first."""
    chance = random.Random(1)
    references = [row["references"] for row in rows]
    # Written from one reference with a word in ten changed, so that scores are neither 0 nor 100.
    words = [word for refs in references for word in refs[0].split()]
    spoil = lambda text: " ".join(chance.choice(words) if chance.random() < 0.1 else word for word in text.split())
    four = [[spoil(refs[-1]) for refs in references]] + [[refs[n % len(refs)] for refs in references] for n in range(4)]
    every = [ref for refs in references for ref in refs]
    # No line occurs twice: sacrebleu remembers the tokens of lines that it has seen.
    one = [f"{every[n % len(every)]} Number {n}." for n in range(large)]
    return {f"{len(four[0])} lines, 4 references": four, f"{large} lines, 1 reference": [[spoil(line) for line in one], one]}


def sacrebleu(metric, repeats, *files):
    """In a process of its own, so that the peak is sacrebleu's."""
    from sacrebleu.metrics import BLEU, CHRF, TER

    lines = [Path(file).read_text(encoding="utf-8").splitlines() for file in files]
    best = float("inf")
    for _ in range(int(repeats)):
        made = {"bleu": BLEU, "chrf": CHRF, "chrf++": lambda: CHRF(word_order=2), "ter": TER}[metric]()
        begin = time.perf_counter()
        score = made.corpus_score(lines[0], lines[1:]).score
        best = min(best, time.perf_counter() - begin)
    print(best, score)


def main():
    options = arguments()
    if options.sacrebleu:
        return sacrebleu(*options.sacrebleu)
    bench = options.bench or max((f for f in glob.glob(str(ROOT / "target/release/deps/bleu-*")) if "." not in Path(f).name), key=os.path.getmtime)
    with open(options.data / "test.jsonl", encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    kept = True
    print(f"{options.threads} threads; load {os.getloadavg()[0]:.1f}")
    print("| text | metric | sacrebleu s | its peak MiB | finetop, 1 thread s | times | all threads s | times | command s | its peak MiB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")

        def timed(command):
            finished = run([str(part) for part in command], log)
            said = Path(log).read_text(encoding="utf-8")
            if finished.status != 0:
                raise SystemExit(f"{command}: {said}")
            return finished, said

        for text, all_lines in texts(rows, options.large).items():
            many = len(all_lines[0]) > 10_000
            for metric in options.metrics.split(","):
                name, lines = text, all_lines
                if metric == "ter":
                    if many:
                        continue
                    # sacrebleu takes seconds for each row
                    name, lines = "60 lines, 4 references", [side[:60] for side in all_lines]
                files = [os.path.join(folder, str(at)) for at in range(len(lines))]
                for file, side in zip(files, lines):
                    Path(file).write_text("\n".join(side) + "\n", encoding="utf-8")
                their_process, said = timed([sys.executable, __file__, "--sacrebleu", metric, "1" if many or metric == "ter" else "5", *files])
                theirs, their_score = map(float, said.split())
                (one, score), (every, _) = ([float(x) for x in timed([bench, threads, metric, *files])[1].split()] for threads in (1, options.threads))
                assert abs(score - their_score) < 1e-6, (score, their_score)
                words = ["--word-order", "2"] if metric == "chrf++" else []
                command, _ = timed([options.finetop, "bleu", "--hyp", files[0], "--ref", *files[1:], "--metric", metric.rstrip("+"), *words])
                cells = [name, metric, f"{theirs:.3f}", f"{their_process.peak_mib:.0f}", f"{one:.4f}", f"{theirs / one:.0f}", f"{every:.4f}", f"{theirs / every:.0f}", f"{command.seconds:.3f}", f"{command.peak_mib:.0f}"]
                print(f"| {' | '.join(cells)} |", flush=True)
                kept &= metric != "bleu" or theirs >= 20 * every
    raise SystemExit(0 if kept else 1)


if __name__ == "__main__":
    main()

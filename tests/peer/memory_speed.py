#!/usr/bin/env python3
"""Figures 2 and 3: training speed and peak resident memory of finetop and of PEFT (float32), side by side in one run.

What it does: for each setting, finetop and the peer train the same rows in turn, `--repeat` times each; a run's speed
is that of its median step (tokens computed / duration; padding never counts), a setting's is the median of its runs.
Memory is the peak of the resident set of the whole process, from start to exit.
  e2e      the data set's own rows, batch 4 x accumulation 4       target: 1.25 times the peer's tokens per second
  full     rows of exactly 256 tokens, batch 4 x accumulation 1    1.1 times without checkpointing, 1.25 with;
                                                                   at most 600 MiB with checkpointing, 2.2 GiB without
One more finetop run on `full` evaluates the same rows: eval must not peak above training.
Prints Markdown; exit 1 if a target is missed. Needs a machine that does nothing else: about 25 minutes on two cores.

usage: V/bin/python tests/peer/memory_speed.py --gguf FILE [--finetop BIN] [--python V/bin/python] [--peer FILE]
       [--data DIR] [--out DIR] [--quick] [--repeat 3] [--steps 4] [--json FILE]
       [--only e2e,e2e-checkpointing,full,full-checkpointing]
  --quick   one run each of two steps: shows that everything works, is no figure
"""

import json
import os
import statistics
import sys

from common import arguments, machine, parsed, run, table, train_with_finetop, train_with_peer, write_config

# name: (rows, accumulation, checkpointing, least ratio of speeds, most MiB)
SETTINGS = {
    "e2e": ("e2e", 4, False, 1.25, None),
    "e2e-checkpointing": ("e2e", 4, True, 1.25, None),
    "full": ("full", 1, False, 1.1, 2.2 * 1024),
    "full-checkpointing": ("full", 1, True, 1.25, 600.0),
}


def main():
    p = arguments(__doc__)
    p.add_argument("--quick", action="store_true")
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument("--steps", type=int, default=4)
    p.add_argument("--only", default=",".join(SETTINGS))
    p.add_argument("--json", help="also writes every run's numbers here")
    a = parsed(p)
    a.repeat, a.steps = (1, 2) if a.quick else (a.repeat, a.steps)
    os.makedirs(a.out, exist_ok=True)
    full = os.path.join(a.out, "full-256.jsonl")
    e2e = os.path.join(a.data, "train.jsonl")
    maker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "full_rows.py")
    run(
        [a.python, maker, "--gguf", a.gguf, "--text", e2e, "--tokens", "256", "--rows", "16", "--out", full],
        full + ".txt",
    )
    print(f"Machine: {machine()}. Runs per side: {a.repeat}, steps per run: {a.steps}.\n", flush=True)
    names, results = [n for n in SETTINGS if n in a.only.split(",")], {}
    for name in names:
        results[name] = measure(a, name, {"e2e": e2e, "full": full}[SETTINGS[name][0]])
    good = report(results)
    if "full-checkpointing" in names:
        good &= eval_peak(a, full, results["full-checkpointing"])
    if a.json:
        with open(a.json, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1)
    sys.exit(0 if good else 1)


def measure(a, name, train):
    _, accum, checkpointing, _, _ = SETTINGS[name]
    out = {"finetop": [], "peer": []}
    for k in range(a.repeat):
        config, place = os.path.join(a.out, f"{name}.toml"), os.path.join(a.out, f"{name}-{k}")
        write_config(
            config,
            a.gguf,
            train,
            max_steps=a.steps,
            gradient_accumulation_steps=accum,
            gradient_checkpointing=checkpointing,
        )
        end, seen = train_with_finetop(a, config, place + "-finetop")
        mine = [(e["tokens"], e["duration_us"] / 1e6, e["loss"]) for e in seen["step_done"]]
        out["finetop"].append(summary(mine, end))
        options = [
            "--train",
            train,
            "--steps",
            a.steps,
            "--batch",
            4,
            "--accum",
            accum,
            "--r",
            8,
            "--alpha",
            16,
            "--lr",
            2e-4,
        ]
        end, log = train_with_peer(a, place + "-peer", *options, *(["--checkpointing"] if checkpointing else []))
        theirs = [(l["tokens"], l["seconds"], l["loss"]) for l in log if "seconds" in l]
        out["peer"].append(summary(theirs, end))
        if [t for t, _, _ in mine] != [t for t, _, _ in theirs]:
            sys.exit(f"{name}: the two sides counted other tokens: {mine} and {theirs}")
        print(
            f"{name} {k + 1}/{a.repeat}: finetop {out['finetop'][-1]}, peer {out['peer'][-1]}",
            file=sys.stderr,
            flush=True,
        )
    return out


def summary(steps, end):
    return {
        "tokens_per_second": statistics.median(t / s for t, s, _ in steps),
        "peak_mib": end.peak_mib,
        "tokens": [t for t, _, _ in steps],
        "seconds": [s for _, s, _ in steps],
        "process_seconds": end.seconds,
    }


def report(results):
    rows, good = [], True
    median = lambda runs, key: statistics.median(r[key] for r in runs)
    for name, r in results.items():
        _, _, _, ratio, limit = SETTINGS[name]
        speed = {side: median(runs, "tokens_per_second") for side, runs in r.items()}
        # Peaks are not averaged away: finetop's worst run, the peer's best.
        mine, theirs = max(x["peak_mib"] for x in r["finetop"]), min(x["peak_mib"] for x in r["peer"])
        times = speed["finetop"] / speed["peer"]
        fine = times >= ratio and (limit is None or mine <= limit)
        good &= fine
        rows.append(
            (
                name,
                f"{speed['finetop']:.1f}",
                f"{speed['peer']:.1f}",
                f"{times:.2f}",
                f"{ratio:g}",
                f"{mine:,.0f}",
                f"{theirs:,.0f}",
                f"{theirs / mine:.1f}",
                f"{limit:,.0f}" if limit else "",
                "yes" if fine else "NO",
            )
        )
    table(
        [
            "setting",
            "finetop tokens/s",
            "PEFT tokens/s",
            "times",
            "at least",
            "finetop MiB",
            "PEFT MiB",
            "PEFT ÷ finetop",
            "at most MiB",
            "reached",
        ],
        rows,
    )
    return good


def eval_peak(a, full, without):
    config, place = os.path.join(a.out, "eval.toml"), os.path.join(a.out, "full-eval-finetop")
    write_config(config, a.gguf, full, full, max_steps=1, gradient_accumulation_steps=1, gradient_checkpointing=True)
    end, seen = train_with_finetop(a, config, place)
    train, phases = max(r["peak_mib"] for r in without["finetop"]), {}
    for e in seen.get("memory_sampled", []):
        phases[e["phase"]] = max(phases.get(e["phase"], 0), e["used_bytes"])
    print(
        f"Peak on the full rows with eval before and after: {end.peak_mib:,.0f} MiB; without any eval {train:,.0f} MiB."
    )
    print(
        "Largest samples by phase: "
        + (", ".join(f"{k} {v / 2**20:,.0f} MiB" for k, v in sorted(phases.items())) or "none")
        + "\n"
    )
    return end.peak_mib <= train * 1.02


if __name__ == "__main__":
    main()

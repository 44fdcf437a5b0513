#!/usr/bin/env python3
"""Figure 1: finetop's losses and gradient norms against PEFT's, step by step, on the real model.

What it does: trains PyTorch + transformers + PEFT and finetop from the same starting adapter over the same rows in the
same order (20 steps of batch 4 x accumulation 4), once from B = 0 and once from a random B, and compares
  - the eval loss of the unadapted base with 2.5539 nats per token over 7,739 target tokens (and with the peer's own),
  - the loss of each step (within 0.2 %) and its gradient norm before clipping (within 1 %), tokens and learning rates.
Prints a table for each start; exit 1 if anything is out of bounds. About 10 minutes on two quiet cores, most of
it the peer.

usage: V/bin/python tests/peer/compare_losses.py --gguf FILE [--finetop BIN] [--python V/bin/python] [--peer FILE]
       [--data DIR] [--out DIR] [--reuse DIR] [--only b0,br] [--checkpointing]
  --reuse DIR   takes the peer's side from DIR/b0 and DIR/br, written by an earlier run of this script
"""

import os
import sys

from common import arguments, machine, parsed, peer_log, table, train_with_finetop, train_with_peer, write_config

BASE_LOSS, BASE_TOKENS = 2.5539, 7739
LOSS_BOUND, NORM_BOUND = 0.002, 0.01
STARTS = {"b0": ("B = 0", []), "br": ("B random, standard deviation 0.02", ["--random-b", "0.02"])}


def relative(a, b):
    return abs(a / b - 1.0) if a is not None and b else float("inf")


def main():
    p = arguments(__doc__)
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--reuse")
    p.add_argument("--only", default=",".join(STARTS), help="which starts: b0, br")
    p.add_argument("--checkpointing", action="store_true", help="finetop with gradient checkpointing (same numbers)")
    a = parsed(p)
    train, ev = (os.path.join(a.data, n) for n in ["train.jsonl", "eval.jsonl"])
    print(f"Machine: {machine()}\n")
    good = True
    for key in a.only.split(","):
        title, extra = STARTS[key]
        theirs = os.path.join(a.reuse or os.path.join(a.out, "peft"), key)
        if a.reuse:
            log = peer_log(theirs)
        else:
            options = [
                "--train",
                train,
                "--eval",
                ev,
                "--batch",
                4,
                "--accum",
                4,
                "--r",
                8,
                "--alpha",
                16,
                "--lr",
                2e-4,
            ]
            _, log = train_with_peer(a, theirs, *options, "--steps", a.steps, *extra)
        config, mine = os.path.join(a.out, f"{key}.toml"), os.path.join(a.out, "finetop", key)
        write_config(config, a.gguf, train, ev, max_steps=a.steps, gradient_checkpointing=a.checkpointing)
        _, seen = train_with_finetop(a, config, mine, os.path.join(theirs, "init"))
        good &= compare(title, key, log, seen, a.steps)
    print("All within bounds." if good else "OUT OF BOUNDS: see the lines marked with `!`.")
    sys.exit(0 if good else 1)


def compare(title, key, log, seen, steps):
    print(f"## {title}\n")
    good = True
    first = next(e for e in seen["eval_done"] if e["step"] == 0)
    want = next((l for l in log if l["step"] == 0 and "eval_loss" in l), None)
    rows = [("finetop", f"{first['eval_loss']:.6f}", first["target_tokens"])]
    if want:
        rows.append(("PEFT", f"{want['eval_loss']:.6f}", want["target_tokens"]))
        good &= (
            relative(first["eval_loss"], want["eval_loss"]) <= LOSS_BOUND
            and first["target_tokens"] == want["target_tokens"]
        )
    if key == "b0":
        rows.append(("recorded", BASE_LOSS, BASE_TOKENS))
        good &= abs(first["eval_loss"] - BASE_LOSS) <= 5e-4 and first["target_tokens"] == BASE_TOKENS
    print("Eval loss before the first step" + ("" if good else "  **!**") + "\n")
    table(["", "nats per token", "target tokens"], rows)
    peer = {l["step"]: l for l in log if "loss" in l}
    mine = {e["step"]: e for e in seen["step_done"]}
    rows, worst = [], [0.0, 0.0]
    for s in range(1, steps + 1):
        if s not in peer or s not in mine:
            sys.exit(f"step {s} is missing: PEFT has {len(peer)} steps, finetop {len(mine)}")
        p, m = peer[s], mine[s]
        dl, dn = relative(m["loss"], p["loss"]), relative(m["grad_norm"], p["grad_norm"])
        same = (
            all(m[k] == p[k] for k in ["tokens", "target_tokens"])
            and abs(m["learning_rate"] - p["learning_rate"]) < 1e-9
        )
        fine = dl <= LOSS_BOUND and dn <= NORM_BOUND and same
        worst, good = [max(worst[0], dl), max(worst[1], dn)], good and fine
        rows.append(
            (
                s,
                f"{m['loss']:.6f}",
                f"{p['loss']:.6f}",
                f"{dl:.4%}",
                f"{m['grad_norm']:.5f}",
                f"{p['grad_norm']:.5f}",
                f"{dn:.3%}",
                m["target_tokens"],
                "" if fine else "!" if same else "! tokens or learning rate differ",
            )
        )
    table(["step", "loss", "PEFT", "off by", "grad norm", "PEFT", "off by", "target tokens", ""], rows)
    print(f"Largest difference: loss {worst[0]:.4%} (bound {LOSS_BOUND:.1%}),", end=" ")
    print(f"gradient norm {worst[1]:.3%} (bound {NORM_BOUND:.0%}).\n")
    return good


if __name__ == "__main__":
    main()

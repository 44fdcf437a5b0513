#!/usr/bin/env python3
"""How near `finetop plan` comes to the peak that a run really has: one optimizer step of one micro-batch for each configuration of a grid
on the wheel model, the kernel's own high-water mark of the resident set (VmHWM) against the plan's peak. Prints a Markdown table.

    python3 tests/peer/plan_accuracy.py --gguf SmolLM2-135M-Instruct.Q4_1.gguf --f32 FOLDER

FOLDER holds the same model as safetensors in f32. What was measured is kept in OUT/measured.json by configuration and binary, so that the
script may be stopped and started again; quick configurations run first. After a change of the plan alone, --reuse takes what any binary
measured."""

import hashlib
import json
import os
import subprocess
import sys

import common

ROOM = "64GiB"  # a limit that refuses nothing
BASES = {
    "Q4_1 kept": ("gguf", "qlora", "keep"),
    "q8_0 on load": ("f32", "qlora", "q8_0"),
    "f32": ("f32", "lora", "keep"),
}
# (base, rows, length, r, checkpointing)
GRID = [
    ("Q4_1 kept", 1, 64, 8, True),
    ("Q4_1 kept", 4, 64, 4, True),
    ("Q4_1 kept", 4, 64, 64, True),
    ("Q4_1 kept", 4, 64, 8, False),
    ("q8_0 on load", 2, 128, 8, True),
    ("q8_0 on load", 2, 128, 64, False),
    ("f32", 2, 128, 8, True),
    ("f32", 2, 128, 32, False),
    ("Q4_1 kept", 8, 64, 16, True),
    ("Q4_1 kept", 4, 128, 8, False),
    ("Q4_1 kept", 2, 256, 64, True),
    ("q8_0 on load", 4, 128, 4, False),
    ("f32", 1, 512, 64, True),
    ("Q4_1 kept", 4, 256, 8, True),
    ("Q4_1 kept", 4, 256, 8, False),
    ("Q4_1 kept", 1, 1024, 16, True),
    ("Q4_1 kept", 16, 64, 64, False),
    ("q8_0 on load", 4, 256, 8, True),
    ("q8_0 on load", 1, 1024, 32, False),
    ("f32", 4, 256, 16, True),
    ("f32", 2, 512, 4, False),
    ("Q4_1 kept", 4, 512, 32, True),
    ("Q4_1 kept", 2, 1024, 8, False),
    ("Q4_1 kept", 8, 256, 4, True),
    ("q8_0 on load", 2, 1024, 8, True),
    ("q8_0 on load", 8, 256, 16, False),
    ("f32", 2, 1024, 8, True),
    ("f32", 16, 128, 64, False),
    ("Q4_1 kept", 8, 512, 8, True),
    ("Q4_1 kept", 4, 1024, 64, True),
    ("Q4_1 kept", 8, 512, 8, False),
    ("q8_0 on load", 4, 1024, 16, True),
    ("f32", 8, 512, 8, True),
]


def rows_of(path, rows, length):
    """Rows of exactly `length` tokens: ` the` is one token, and the end token closes the completion."""
    prompt = length // 2
    row = {"prompt": " the" * prompt, "completion": " the" * (length - prompt - 1)}
    with open(path, "w", encoding="utf-8") as f:
        f.write((json.dumps(row) + "\n") * rows)


def settings(a, case, train):
    base, rows, length, r, checkpointing = case
    files, method, quantization = BASES[base]
    values = {
        "model.source": os.path.abspath(a.gguf if files == "gguf" else a.f32),
        "adapter.method": method,
        "adapter.quantization": quantization,
        "adapter.r": r,
        "data.max_seq_length": length,
        "train.per_device_train_batch_size": rows,
        "train.gradient_accumulation_steps": 1,
        "train.max_steps": 1,
        "train.gradient_checkpointing": checkpointing,
        "memory.limit": ROOM,
    }
    config = train.replace(".jsonl", ".toml")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"[data]\ntrain = {json.dumps(os.path.abspath(train))}\n[bleu]\nrun_after_training = false\n")
    return config, [x for k, v in values.items() for x in ("--set", f"{k}={json.dumps(v)}")]


def main():
    p = common.arguments(__doc__, data=False, peer=False)
    p.add_argument("--f32", required=True, help="folder with the same model as safetensors in f32")
    p.add_argument("--reuse", action="store_true", help="take what another binary measured, rather than measure anew")
    p.add_argument("--only", default="", help="configurations whose name has this text")
    p.add_argument("--no-plan", action="store_true", help="measure only")
    p.add_argument("--no-run", action="store_true", help="take only what was measured before")
    p.set_defaults(out="runs/plan_accuracy")
    a = common.parsed(p)
    os.makedirs(a.out, exist_ok=True)
    store = os.path.join(a.out, "measured.json")
    measured = json.load(open(store)) if os.path.exists(store) else {}
    # In pieces: what this process has held shows in the children's ru_maxrss.
    with open(a.finetop, "rb") as f:
        binary = hashlib.file_digest(f, "sha256").hexdigest()[:12]
    table, worst = [], []
    for case in GRID:
        base, rows, length, r, checkpointing = case
        name = f"{base.replace(' ', '-')}-{rows}x{length}-r{r}-{'ckpt' if checkpointing else 'full'}"
        if a.only not in name:
            continue
        train = os.path.join(a.out, name + ".jsonl")
        rows_of(train, rows, length)
        config, sets = settings(a, case, train)
        known = measured.setdefault(name, {})
        peak = known.get(binary) or (a.reuse and next(reversed(known.values()), None)) or None
        if peak is None and not a.no_run:
            run_dir = common.fresh(os.path.join(a.out, name))
            command = [a.finetop, "train", config, *sets, "--headless", "--run-dir", run_dir]
            end = common.run(command, run_dir + ".txt")
            tokens = sum(e["tokens"] for e in common.events(run_dir)["step_done"])
            if tokens != rows * length:
                sys.exit(f"{name}: {tokens} tokens were computed, {rows * length} were meant")
            peak = round(end.peak_mib, 1)
            known.pop(binary, None)
            known[binary] = peak
            with open(store + ".new", "w") as f:
                json.dump(measured, f, indent=1)
            os.replace(store + ".new", store)
            print(f"{name}: {peak} MiB in {end.seconds:.0f} s", file=sys.stderr, flush=True)
        if peak is None or a.no_plan:
            continue
        said = subprocess.run([a.finetop, "plan", config, *sets, "--json"], capture_output=True, text=True)
        if said.returncode != 0:
            sys.exit(f"{name}: finetop plan: {said.stderr}")
        plan = json.loads(said.stdout)
        predicted = plan["peak_bytes"] / 2**20
        error = predicted / peak - 1
        worst.append(error)
        phase = max(plan["by_phase"], key=plan["by_phase"].get)
        table.append(
            [base, rows, length, r, "on" if checkpointing else "off", f"{predicted:.0f}", f"{peak:.0f}", f"{error:+.1%}", phase]
        )
    if table:
        head = ["base", "rows", "length", "r", "checkpointing", "predicted MiB", "measured MiB", "error", "peak in"]
        common.table(head, table)
        print(f"{len(worst)} configurations: errors from {min(worst):+.1%} to {max(worst):+.1%}; {common.machine()}")
        sys.exit(0 if min(worst) >= -0.05 and max(worst) <= 0.10 else 1)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""An adapter that finetop saved, loaded by PEFT: the same tensors under the same names, and the same eval loss.

What it does: takes a run folder (or an adapter folder and an expected loss), loads the adapter with
`PeftModel.from_pretrained` over the same GGUF base, checks that PEFT holds exactly the tensors of the file,
evaluates the eval split in float32 and compares with `finetop eval RUN --adapter last --metrics loss --json`.
Within 0.2 %, else exit 1.

usage: V/bin/python tests/peer/adapter_in_peft.py --gguf FILE --run RUN [--adapter last|best] [--finetop BIN]
       V/bin/python tests/peer/adapter_in_peft.py --gguf FILE --adapter DIR --eval eval.jsonl --expect LOSS
"""

import json
import os
import subprocess
import sys
import tomllib

from common import arguments, parsed, table

BOUND = 0.002


def finetops_side(a):
    """(adapter folder, eval file, loss, target tokens or None)"""
    if not a.run:
        if not (os.path.isdir(a.adapter) and a.eval and a.expect):
            sys.exit("give --run RUN, or --adapter DIR with --eval FILE and --expect LOSS")
        return a.adapter, a.eval, a.expect, None
    with open(os.path.join(a.run, "config.toml"), "rb") as f:
        data = tomllib.load(f)["data"]
    command = [a.finetop, "eval", a.run, "--adapter", a.adapter, "--split", "eval", "--metrics", "loss", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    said = json.loads(done.stdout)
    return os.path.realpath(os.path.join(a.run, a.adapter)), data["eval"], said["eval_loss"], said["target_tokens"]


def main():
    p = arguments(__doc__, data=False, peer=False)
    p.add_argument("--run")
    p.add_argument("--adapter", default="last")
    p.add_argument("--eval")
    p.add_argument("--expect", type=float)
    a = parsed(p)
    folder, rows, loss, tokens = finetops_side(a)

    import torch
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where, file = os.path.split(os.path.abspath(a.gguf))
    tok = AutoTokenizer.from_pretrained(where, gguf_file=file)
    base = AutoModelForCausalLM.from_pretrained(where, gguf_file=file, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, folder).eval()
    saved, held = load_file(os.path.join(folder, "adapter_model.safetensors")), get_peft_model_state_dict(model)
    if set(saved) != set(held):
        only = sorted(set(saved) ^ set(held))
        sys.exit(
            f"{folder}: PEFT and the file do not name the same tensors: {only[:4]} and {max(len(only) - 4, 0)} more"
        )
    changed = [n for n in saved if not torch.equal(saved[n].float(), held[n].float())]
    if changed:
        sys.exit(f"{folder}: PEFT holds other values for {changed[:4]}")

    total = count = 0
    with torch.no_grad():
        for line in open(rows, encoding="utf-8"):
            row = json.loads(line)
            x = tok(row["prompt"], add_special_tokens=False).input_ids
            y = tok(row["completion"], add_special_tokens=False).input_ids + [tok.eos_token_id]
            ids = torch.tensor([(x + y)[:512]])
            target = ids[0, len(x) :]
            logits = model(input_ids=ids).logits[0, len(x) - 1 : -1].float()
            total += torch.nn.functional.cross_entropy(logits, target, reduction="sum").item()
            count += len(target)
    theirs = total / count
    table(
        ["", "eval loss", "target tokens"], [("finetop", f"{loss:.6f}", tokens or ""), ("PEFT", f"{theirs:.6f}", count)]
    )
    off = abs(loss / theirs - 1)
    good = off <= BOUND and tokens in (None, count)
    print(f"{len(saved)} tensors, equal in PEFT. Losses differ by {off:.4%} (bound {BOUND:.1%}).")
    print("Good." if good else "NOT GOOD.")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

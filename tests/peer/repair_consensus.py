#!/usr/bin/env python3
"""Breaks valid documents by the hundred and holds `finetop repair` against npm's jsonrepair and Python's json_repair.

Only breakages on which the two agree count: what they make of it is what a reader would. Needs node with jsonrepair and json_repair:
    npm install --prefix /tmp/jr jsonrepair; python3 -m venv /tmp/v; /tmp/v/bin/pip install json_repair
    NODE_PATH=/tmp/jr/node_modules /tmp/v/bin/python tests/peer/repair_consensus.py FINETOP [--rows 4000] [--seed 1] [--show 20]
Prints, by kind of breakage: how often the two agree, how often finetop says the same, and how often it differs or refuses.
"""
import argparse
import json
import math
import random
import subprocess
import tempfile
from collections import Counter

import json_repair

NODE = """
const { jsonrepair } = require('jsonrepair');
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  try { console.log(JSON.stringify({ v: jsonrepair(JSON.parse(line)) })); } catch (e) { console.log(JSON.stringify({ e: String(e) })); }
});
"""
WORDS = "name age city price items tags note url email 이름 가격 설명 title id done when lines x y".split()
TEXTS = ["Seoul", "a b c", "it's", "He said hi", "12:30", "https://a.io/x?y=1", "j@t.com", "C:/tmp", "1,200원", "", "안녕하세요",
         "x, y", "2024-01-02", "(see above)", "a/b", "true story", "5 apples", "one\ntwo", 'say "hi" now', "v1.2.3", "#1", "a: b"]


def value(r, depth=0):
    pick = r.random()
    if depth > 2 or pick < 0.55:
        return r.choice([r.choice(TEXTS), r.choice(TEXTS), r.randint(-50, 5000), round(r.random() * 100, 2), True, False, None])
    if pick < 0.8:
        return {r.choice(WORDS): value(r, depth + 1) for _ in range(r.randint(0, 4))}
    return [value(r, depth + 1) for _ in range(r.randint(0, 4))]


def document(r):
    while True:
        made = value(r)
        if isinstance(made, (dict, list)) and made:
            return made


def python(v):
    return repr(v)


def javascript(v, r):
    if isinstance(v, dict):
        return "{" + ", ".join(f"{k}: {javascript(x, r)}" for k, x in v.items()) + r.choice(["", ","]) + "}"
    if isinstance(v, list):
        return "[" + ", ".join(javascript(x, r) for x in v) + r.choice(["", ","]) + "]"
    if isinstance(v, str):
        return "'" + v.replace("'", "\\'").replace("\n", "\\n") + "'"
    return "undefined" if v is None and r.random() < 0.3 else json.dumps(v)


def tokens(text):
    """Where JSON's marks stand outside strings, and where strings begin and end."""
    found, string, at = [], False, 0
    while at < len(text):
        c = text[at]
        if string and c == "\\":
            at += 2
            continue
        if c == '"':
            string = not string
            found.append(at)
        elif not string and c in "{}[]:,":
            found.append(at)
        at += 1
    return found


def breakages(r):
    v = document(r)
    dump = lambda: json.dumps(v, ensure_ascii=False, indent=r.choice([None, None, 2]))
    text = dump()
    at = r.choice(tokens(text))
    kind = r.choice(["drop_token", "truncate", "insert", "python", "javascript", "unquote_keys", "unquote_value", "inner_quotes",
                     "raw_newline", "comment", "trailing", "wrap", "double_token", "ndjson", "ellipsis", "bracket", "quotes", "spaces"])
    if kind == "drop_token":
        text = text[:at] + text[at + 1:]
    elif kind == "truncate":
        text = text[:r.randrange(1, len(text))]
    elif kind == "insert":
        text = text[:at] + r.choice(",:}]{[\"'") + text[at:]
    elif kind == "double_token":
        text = text[:at] + text[at] + text[at:]
    elif kind == "python":
        text = python(v)
    elif kind == "javascript":
        text = javascript(v, r)
    elif kind == "unquote_keys":
        for w in WORDS:
            text = text.replace(f'"{w}":', f"{w}:")
    elif kind == "unquote_value":
        strings = [t for t in TEXTS if t and f'"{t}"' in text]
        if strings:
            t = r.choice(strings)
            text = text.replace(f'"{t}"', t, 1)
    elif kind == "inner_quotes":
        text = text.replace('\\"', '"')
    elif kind == "raw_newline":
        text = text.replace("\\n", "\n")
    elif kind == "comment":
        text = text[:at] + r.choice(["/* c */", "// c\n", "# c\n"]) + text[at:]
    elif kind == "trailing":
        text = text.replace("}", ",}").replace("]", ",]") if r.random() < 0.5 else text + r.choice([",", ";", "}", "]", "\n\n", " }"])
    elif kind == "wrap":
        text = r.choice(["```json\n%s\n```", "```\n%s\n```", "callback(%s)", "cb(%s);", "```json\n%s", "%s\n```"]) % text
    elif kind == "ndjson":
        text = r.choice(["\n", ",\n", "\n\n", ", "]).join(json.dumps(x, ensure_ascii=False) for x in [v, document(r), document(r)])
    elif kind == "ellipsis":
        text = text.replace("]", ", ...]") if r.random() < 0.5 else text[:at + 1] + " ... " + text[at + 1:]
    elif kind == "bracket":
        places = [p for p in tokens(text) if text[p] in "{}[]"]
        p = r.choice(places)
        text = text[:p] + r.choice(["", "", "{", "}", "[", "]"]) + text[p + 1:]
    elif kind == "quotes":
        a, b = r.choice(["''", "“”", "``", "‘’", "´´"])
        out, opening = [], True
        for i, c in enumerate(text):
            if c == '"' and text[i - 1] != "\\":
                c, opening = (a if opening else b), not opening
            out.append(c)
        text = "".join(out)
    elif kind == "spaces":
        text = text.replace(": ", r.choice([":\u00a0", ":\u3000", ":\u200b", " : ", ":\t"]))
    return kind, text


def same(x, y):
    if isinstance(x, bool) or isinstance(y, bool):
        return x is y
    if isinstance(x, (int, float)) and isinstance(y, (int, float)):
        return x == y or math.isclose(x, y, rel_tol=1e-9)
    if isinstance(x, list) and isinstance(y, list):
        return len(x) == len(y) and all(map(same, x, y))
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() == y.keys() and all(same(x[k], y[k]) for k in x)
    return type(x) is type(y) and x == y


def main():
    p = argparse.ArgumentParser()
    p.add_argument("finetop")
    p.add_argument("--rows", type=int, default=4000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--show", type=int, default=20)
    p.add_argument("--kind")
    a = p.parse_args()
    r = random.Random(a.seed)
    rows = []
    while len(rows) < a.rows:
        kind, text = breakages(r)
        if not a.kind or kind == a.kind:
            rows.append((kind, text))
    feed = "\n".join(json.dumps(t) for _, t in rows)
    node = subprocess.run(["node", "-e", NODE], input=feed, capture_output=True, text=True, check=True).stdout.splitlines()
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as f:
        for i, (_, t) in enumerate(rows):
            f.write(json.dumps({"id": i, "input": t}) + "\n")
        f.flush()
        out = subprocess.run([a.finetop, "repair", "--jsonl", f.name], capture_output=True, text=True).stdout
    ours = {o["id"]: o for o in map(json.loads, out.splitlines())}
    total, agree, equal, shown = Counter(), Counter(), Counter(), 0
    for i, ((kind, text), n) in enumerate(zip(rows, node)):
        total[kind] += 1
        try:
            one = json.loads(json.loads(n)["v"])
            two = json_repair.loads(text)
        except Exception:
            continue
        if not same(one, two):
            continue
        agree[kind] += 1
        o = ours.get(i, {})
        if o.get("ok") and same(o.get("value"), one):
            equal[kind] += 1
        elif shown < a.show:
            shown += 1
            print(kind, json.dumps(text, ensure_ascii=False), "\n  both", json.dumps(one, ensure_ascii=False), "\n  ours", json.dumps(o.get("value"), ensure_ascii=False) if o.get("ok") else "refused")
    for kind in sorted(total):
        print(f"{kind:14} {total[kind]:5} rows, the two agree on {agree[kind]:5}, finetop with them on {equal[kind]:5}")
    print(f"all: with them on {sum(equal.values())} of {sum(agree.values())} ({100 * sum(equal.values()) / max(1, sum(agree.values())):.1f} %)")


if __name__ == "__main__":
    main()

"""Makes the lying and broken model files of this folder. What is expected of each stands in expected.txt.

Run: python3 tests/bad_models/make.py
"""

import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent
HUGE = 1 << 60


def u32(v):
    return struct.pack("<I", v)


def u64(v):
    return struct.pack("<Q", v)


def text(s):
    raw = s if isinstance(s, bytes) else s.encode()
    return u64(len(raw)) + raw


def gguf(tensors=0, entries=0, body=b"", version=3, magic=b"GGUF"):
    return magic + u32(version) + u64(tensors) + u64(entries) + body


def tensor(name, dims, kind, offset):
    return text(name) + u32(len(dims)) + b"".join(map(u64, dims)) + u32(kind) + u64(offset)


def data(head, length):
    return head + bytes(-len(head) % 32) + bytes(length)


def safetensors(header, length=0, claim=None):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return u64(len(raw) if claim is None else claim) + raw + bytes(length)


def entry(dtype, shape, start, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


ARCHITECTURE = text("general.architecture") + u32(8) + text("llama")

FILES = {
    "empty.gguf": (b"", "magic: expected 4 bytes"),
    "other-format.gguf": (b"<html>not a model</html>", "magic: expected `GGUF`"),
    "version-1.gguf": (gguf(version=1), "version: expected 2 or 3, found 1"),
    "big-endian.gguf": (b"GGUF" + struct.pack(">I", 3) + bytes(16), "big-endian"),
    "tensor-count.gguf": (gguf(tensors=HUGE), "tensor count: expected at most"),
    "metadata-count.gguf": (gguf(entries=HUGE), "metadata count: expected at most"),
    "key-length.gguf": (gguf(entries=1, body=u64(HUGE) + bytes(8)), "metadata entry 0: key"),
    "string-length.gguf": (gguf(entries=1, body=text("general.name") + u32(8) + u64(HUGE)), "metadata `general.name`"),
    "array-length.gguf": (
        gguf(entries=1, body=text("tokenizer.ggml.tokens") + u32(9) + u32(8) + u64(HUGE)),
        "metadata `tokenizer.ggml.tokens`: length",
    ),
    "array-in-array.gguf": (gguf(entries=1, body=text("k") + u32(9) + (u32(9) + u64(1)) * 8), "nested at most 4 deep"),
    "metadata-type.gguf": (gguf(entries=1, body=text("k") + u32(77) + u64(0)), "metadata `k`: type"),
    "not-utf8.gguf": (gguf(entries=1, body=text(b"k\xff\xfe") + u32(4) + u32(1)), "metadata entry 0: key: expected UTF-8"),
    "escape-sequence.gguf": (gguf(entries=1, body=text("\x1b[2Jk") + u32(77) + u64(0)), "metadata `␛[2Jk`"),
    "key-twice.gguf": (gguf(entries=2, body=ARCHITECTURE * 2), "metadata `general.architecture`: expected each key once"),
    "alignment.gguf": (gguf(entries=1, body=text("general.alignment") + u32(4) + u32(48)), "metadata `general.alignment`"),
    "truncated.gguf": (data(gguf(1, 1, ARCHITECTURE + tensor("t", [8, 8], 0, 0)), 8 * 8 * 4 - 1), "tensor `t`: end"),
    "truncated-header.gguf": (gguf(1, 1, ARCHITECTURE + tensor("t", [64, 64], 0, 0))[:-3], "tensor `t`: offset"),
    "offset.gguf": (data(gguf(1, 1, ARCHITECTURE + tensor("t", [32], 0, 1 << 40)), 128), "tensor `t`: end"),
    "offset-overflow.gguf": (data(gguf(1, 1, ARCHITECTURE + tensor("t", [32], 0, 2**64 - 32)), 128), "tensor `t`: end"),
    "overlap.gguf": (
        data(gguf(2, 1, ARCHITECTURE + tensor("t", [32], 0, 0) + tensor("u", [32], 0, 64)), 256),
        "tensor `u`: offset",
    ),
    "unaligned.gguf": (data(gguf(1, 1, ARCHITECTURE + tensor("t", [32], 0, 4)), 256), "tensor `t`: offset"),
    "dimensions-overflow.gguf": (gguf(1, 1, ARCHITECTURE + tensor("t", [1 << 33, 1 << 33], 0, 0)), "tensor `t`: dimensions"),
    "dimension-count.gguf": (gguf(1, 1, ARCHITECTURE + tensor("t", [1] * 9, 0, 0)), "tensor `t`: count of dimensions"),
    "inner-dimension.gguf": (gguf(1, 1, ARCHITECTURE + tensor("t", [100, 2], 12, 0)), "the block of Q4_K, found 100"),
    "tensor-type.gguf": (gguf(1, 1, ARCHITECTURE + tensor("t", [32], 99, 0)), "tensor `t`: type"),
    "tensor-twice.gguf": (gguf(2, 1, ARCHITECTURE + tensor("t", [32], 0, 0) * 2), "tensor `t`: expected each name once"),
    "split-part.gguf": (gguf(entries=1, body=text("split.count") + u32(2) + struct.pack("<H", 3)), "one part of a model"),
    "empty.safetensors": (b"", "header length: expected 8 bytes"),
    "header-length.safetensors": (safetensors({}, claim=HUGE), "header length: expected at most"),
    "not-json.safetensors": (safetensors(b'{"t": '), "header: expected its JSON"),
    "deep-json.safetensors": (safetensors(b'{"t":' + b"[" * 5000), "header: expected its JSON"),
    "tensor-twice.safetensors": (
        safetensors(b'{"t":%s,"t":%s}' % ((json.dumps(entry("F32", [1], 0, 4)).encode(),) * 2), 4),
        "`t` stands there twice",
    ),
    "dtype.safetensors": (safetensors({"t": entry("Q4", [1], 0, 4)}, 4), "tensor `t`: unknown variant `Q4`"),
    "past-the-end.safetensors": (safetensors({"t": entry("F32", [4], 0, 16)}, 12), "tensor `t`: data_offsets"),
    "shape.safetensors": (safetensors({"t": entry("F32", [3], 0, 16)}, 16), "expected 12 bytes for [3] of F32"),
    "shape-overflow.safetensors": (safetensors({"t": entry("F32", [1 << 40, 1 << 40], 0, 4)}, 4), "tensor `t`: shape"),
    "negative.safetensors": (safetensors({"t": entry("F32", [-1], 0, 4)}, 4), "tensor `t`: invalid value"),
    "hole.safetensors": (
        safetensors({"t": entry("F32", [1], 0, 4), "u": entry("F32", [1], 8, 12)}, 12),
        "tensor `u`: data_offsets",
    ),
    "overlap.safetensors": (
        safetensors({"t": entry("F32", [2], 0, 8), "u": entry("F32", [2], 4, 12)}, 12),
        "tensor `u`: data_offsets",
    ),
    "left-over.safetensors": (safetensors({"t": entry("F32", [1], 0, 4)}, 9), "data: expected tensors that fill all 9 bytes"),
}

if __name__ == "__main__":
    for name, (raw, _) in FILES.items():
        (HERE / name).write_bytes(raw)
    lines = [f"{name}: {expected}\n" for name, (_, expected) in FILES.items()]
    (HERE / "expected.txt").write_text("".join(lines), encoding="utf-8")

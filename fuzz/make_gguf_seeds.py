#!/usr/bin/env python3
"""Writes the seeds of fuzz/seeds/gguf: small GGUF files, right and wrong, that reach each part of the reader.

usage: make_gguf_seeds.py [FOLDER]
"""
import pathlib
import struct
import sys

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
FORMATS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?",
           U64: "Q", I64: "q", F64: "d"}
TYPE_F32, TYPE_F16, TYPE_Q8_0 = 0, 1, 8


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def value(kind: int, content) -> bytes:
    if kind == STRING:
        return text(content)
    if kind == ARRAY:
        inner, items = content
        return struct.pack("<IQ", inner, len(items)) + b"".join(value(inner, item) for item in items)
    return struct.pack("<" + FORMATS[kind], content)


def key(name: str, kind: int, content) -> bytes:
    return text(name) + struct.pack("<I", kind) + value(kind, content)


def tensor(name: str, dims: list[int], kind: int, offset: int) -> bytes:
    return text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


def gguf(keys: list[bytes], tensors: list[bytes], data: int, version: int = 3) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys)) + b"".join(keys + tensors)
    return head + bytes(-len(head) % 32 + data)


LLAMA = [
    key("general.architecture", STRING, "llama"),
    key("general.file_type", U32, 7),
    key("llama.block_count", U32, 2),
    key("llama.context_length", U32, 512),
    key("llama.embedding_length", U32, 32),
    key("llama.feed_forward_length", U32, 64),
    key("llama.attention.head_count", U32, 4),
    key("llama.attention.head_count_kv", ARRAY, (U32, [2, 1])),
    key("tokenizer.ggml.tokens", ARRAY, (STRING, ["a", "b", "c"])),
]
TENSORS = [tensor("token_embd.weight", [32, 3], TYPE_Q8_0, 0),
           tensor("output_norm.weight", [32], TYPE_F32, 128)]

SEEDS = {
    "llama": gguf(LLAMA, TENSORS, 256),
    "version2": gguf(LLAMA, TENSORS, 256, version=2),
    "every_type": gguf([key(f"k{kind}", kind, 1) for kind in FORMATS] + [
        key("nested", ARRAY, (ARRAY, [(U8, [1, 2]), (STRING, ["x"])])),
        key("floats", ARRAY, (F32, [1.5, 2.5]))], [], 0),
    "windows": gguf([key("general.architecture", STRING, "gemma3"), key("gemma3.block_count", U32, 6),
                     key("gemma3.attention.sliding_window", U32, 512)], TENSORS, 256),
    "states": gguf([key("general.architecture", STRING, "mamba"), key("mamba.block_count", U32, 2),
                    key("mamba.ssm.inner_size", U32, 64), key("mamba.ssm.state_size", U32, 16),
                    key("mamba.ssm.conv_kernel", U32, 4)], TENSORS, 256),
    "cut_data": gguf(LLAMA, TENSORS, 200),
    "cut_header": gguf(LLAMA, TENSORS, 256)[:150],
    "many_keys": b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60),
    "long_text": b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 40),
    "huge_dims": gguf([], [tensor("t", [1 << 40, 1 << 40], TYPE_F16, 0)], 32),
    "unknown_type": gguf([], [tensor("t", [32], 4, 0)], 32),
    "alignment": gguf([key("general.alignment", U32, 48)], TENSORS, 256),
}


def main() -> None:
    default = pathlib.Path(__file__).resolve().parent / "seeds" / "gguf"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in SEEDS.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes a llama of any size with random weights, for speed and memory, never for content.

usage: make_model.py OUT.gguf [--width 768] [--layers 12] [--ffn 2816] [--context 2048] [--pooling 1]

Tokenizer and chat template are the demo model's. The weights are f16 of one size, sign and fraction random
by a seed, so that the same arguments give the same file; they neither vanish nor overflow over the layers.
--pooling 1 (mean) makes it a model for embeddings, 4 one that ranks. The defaults are 100 million parameters,
which a small machine's CPU generates at 50 to 200 tokens a second.
"""
import argparse
import pathlib
import random
import struct
import sys
from typing import BinaryIO

DEMO = pathlib.Path(__file__).resolve().parent.parent / "models" / "demo" / "rbee-demo-f16.gguf"
UINT32, FLOAT32, BOOL, STRING, ARRAY = 4, 6, 7, 8, 9
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", UINT32: "I", 5: "i", FLOAT32: "f", BOOL: "?", 10: "Q", 11: "q",
           12: "d"}
F32, F16 = 0, 1
ALIGNMENT = 32
HEAD_WIDTH = 64
Tensor = tuple[str, tuple[int, ...], int]


class Reader:
    """The key-value pairs of a GGUF, each with the bytes that it stands in."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, form: str):
        (value,) = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return value

    def skip(self, kind: int) -> None:
        if kind == STRING:
            length = self.take("Q")
            self.at += length
        elif kind == ARRAY:
            element, count = self.take("I"), self.take("Q")
            for _ in range(count):
                self.skip(element)
        else:
            self.take(SCALARS[kind])

    def pairs(self) -> dict[str, bytes]:
        assert self.data[:4] == b"GGUF"
        self.at = 8
        self.take("Q")  # tensors
        found = {}
        for _ in range(self.take("Q")):
            start, length = self.at, self.take("Q")
            name = self.data[self.at:self.at + length].decode()
            self.at += length
            self.skip(self.take("I"))
            found[name] = self.data[start:self.at]
        return found


def string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def pair(name: str, kind: int, value) -> bytes:
    body = string(value) if kind == STRING else struct.pack("<" + SCALARS[kind], value)
    return string(name) + struct.pack("<I", kind) + body


def tensors(width: int, layers: int, ffn: int, vocabulary: int) -> list[Tensor]:
    kv = width // 2
    of_layer = {
        "attn_norm": (width,), "attn_q": (width, width), "attn_k": (width, kv), "attn_v": (width, kv),
        "attn_output": (width, width), "ffn_norm": (width,), "ffn_gate": (width, ffn), "ffn_up": (width, ffn),
        "ffn_down": (ffn, width),
    }
    shapes = {"token_embd": (width, vocabulary), "output_norm": (width,)}
    shapes |= {f"blk.{i}.{name}": shape for i in range(layers) for name, shape in of_layer.items()}
    return [(f"{name}.weight", shape, F32 if len(shape) == 1 else F16) for name, shape in shapes.items()]


def count(shape: tuple[int, ...]) -> int:
    return shape[0] * (shape[1] if len(shape) > 1 else 1)


def padded(size: int) -> int:
    return (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def random_f16(chance: random.Random, elements: int) -> bytes:
    """Each plus or minus 2^-6 to 2^-5: the size that keeps a layer of this width near its input's."""
    bits = int.from_bytes(chance.randbytes(2 * elements), "little")
    sign_and_fraction = int.from_bytes(b"\xff\x83" * elements, "little")
    exponent = int.from_bytes(b"\x00\x24" * elements, "little")
    return (bits & sign_and_fraction | exponent).to_bytes(2 * elements, "little")


def write_tensor(out: BinaryIO, chance: random.Random, shape: tuple[int, ...], kind: int) -> None:
    elements = count(shape)
    data = random_f16(chance, elements) if kind == F16 else struct.pack("<f", 1.0) * elements
    out.write(data.ljust(padded(len(data)), b"\0"))


def write_model(path: pathlib.Path, width: int, layers: int, ffn: int, context: int,
                pooling: int) -> None:
    of_demo = Reader(DEMO.read_bytes()).pairs()
    kept = [raw for name, raw in of_demo.items() if name.startswith("tokenizer.")]
    vocabulary = 896
    heads = width // HEAD_WIDTH
    pairs = [
        pair("general.architecture", STRING, "llama"), pair("general.name", STRING, "random"),
        pair("general.file_type", UINT32, F16), pair("llama.context_length", UINT32, context),
        pair("llama.embedding_length", UINT32, width), pair("llama.block_count", UINT32, layers),
        pair("llama.feed_forward_length", UINT32, ffn), pair("llama.attention.head_count", UINT32, heads),
        pair("llama.attention.head_count_kv", UINT32, heads // 2),
        pair("llama.rope.dimension_count", UINT32, HEAD_WIDTH),
        pair("llama.rope.freq_base", FLOAT32, 10000.0),
        pair("llama.attention.layer_norm_rms_epsilon", FLOAT32, 1e-5),
        pair("llama.vocab_size", UINT32, vocabulary), *kept,
    ]
    if pooling:
        pairs.append(pair("llama.pooling_type", UINT32, pooling))
    planned = tensors(width, layers, ffn, vocabulary)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(planned), len(pairs)) + b"".join(pairs)
    offset = 0
    for name, shape, kind in planned:
        head += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        offset += padded(count(shape) * (2 if kind == F16 else 4))
    chance = random.Random(1)
    # Beside and renamed: a run that was cut leaves no half model for the next.
    beside = path.with_suffix(".new")
    with beside.open("wb") as out:
        out.write(head.ljust(padded(len(head)), b"\0"))
        for _, shape, kind in planned:
            write_tensor(out, chance, shape, kind)
    beside.rename(path)


def main() -> int:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("out", type=pathlib.Path)
    for name, default in (("width", 768), ("layers", 12), ("ffn", 2816), ("context", 2048), ("pooling", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    if arguments.width % (2 * HEAD_WIDTH) != 0:
        parser.error(f"--width must be a multiple of {2 * HEAD_WIDTH}: two heads of {HEAD_WIDTH} share keys")
    write_model(arguments.out, arguments.width, arguments.layers, arguments.ffn, arguments.context,
                arguments.pooling)
    return 0


if __name__ == "__main__":
    sys.exit(main())

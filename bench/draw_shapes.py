#!/usr/bin/env python3
"""Draws as many model shapes again as the zoo has, by a seed: layers, widths, experts, windows, heads,
vocabularies, each within what its architecture allows.

usage: bench/draw_shapes.py SEED SPECS OUT

What the engine reserves for the shapes of seed 7 is kept in bench/drawn_shapes.json (the zoo's own
tools/zoo_probe.cpp, a quarter of the zoo's rows for each model), so that the benchmark needs no engine.
"""
import json
import pathlib
import random
import re
import sys

# Their other tensors follow from these widths in ways of their own.
WIDTHS_ARE_FIXED = {"deepseek", "deepseek2", "glm4", "modern-bert", "nomic-bert", "gemma-embedding", "phi3",
                    "rwkv6", "rwkv7", "olmoe", "dots1"}
WINDOWED = {"gemma2", "gemma3", "cohere2", "gpt-oss", "exaone4", "gemma3n"}
KEYS_APART = {"llama", "qwen2", "qwen3", "qwen3moe", "granite", "mistral3", "smollm3", "seed_oss", "glm4moe",
              "ernie4_5"}
FEED_FORWARD = re.compile(r"ffn_(up|gate|down|gate_up)(_exps|_shexp)?\.(weight|bias)")
KEY_OR_VALUE = re.compile(r"attn_[kv]\.(weight|bias)")
OF_VOCABULARY = re.compile(r"token_embd\.weight|^output\.|embed_tokens|shared_head_head")
STEP = 256


def draw_width(draw: random.Random, width: int) -> int:
    return max(STEP, int(width * draw.choice([0.5, 0.75, 1, 1.25, 1.5, 2])) // STEP * STEP)


def draw_feed_forward(draw: random.Random, spec: dict, own, embedding: int) -> None:
    widths = {}
    for key in ("feed_forward_length", "expert_feed_forward_length"):
        width = own(key)
        if isinstance(width, int) and width > 0 and width != embedding and width not in widths:
            widths[width] = draw_width(draw, width)
    if spec["arch"] in WIDTHS_ARE_FIXED:
        return
    for tensor in spec["tensors"]:
        if FEED_FORWARD.search(tensor[0]):
            # The third is the number of experts.
            tensor[1] = [d if d == embedding else widths.get(d, d) for d in tensor[1][:2]] + tensor[1][2:]
    for key in ("feed_forward_length", "expert_feed_forward_length", "expert_shared_feed_forward_length"):
        name = spec["arch"] + "." + key
        if isinstance(own(key), int) and own(key) in widths:
            spec["kv"][name] = widths[own(key)]


def draw_vocabulary(draw: random.Random, spec: dict) -> None:
    size = spec["vocab"].get("n")
    if not size or spec["arch"] in WIDTHS_ARE_FIXED:
        return
    drawn = max(1024, int(size * draw.choice([0.5, 0.75, 1, 1.5, 2])) // STEP * STEP)
    found = False
    for tensor in spec["tensors"]:
        if OF_VOCABULARY.search(tensor[0]) and size in tensor[1]:
            tensor[1] = [drawn if d == size else d for d in tensor[1]]
            found = True
    if not found:
        return
    spec["vocab"]["n"] = drawn
    name = spec["arch"] + ".vocab_size"
    if name in spec["kv"]:
        spec["kv"][name] = drawn


def draw_layers(draw: random.Random, spec: dict, own) -> None:
    count = own("block_count")
    whole = f"0-{count - 1}"
    if spec["arch"] not in KEYS_APART or any(len(t) > 2 and t[2] != whole for t in spec["tensors"]):
        return
    drawn = max(2, int(count * draw.choice([0.25, 0.5, 1, 1.5])))
    spec["kv"][spec["arch"] + ".block_count"] = drawn
    spec["n_layer_all"] = drawn
    for tensor in spec["tensors"]:
        if len(tensor) > 2:
            tensor[2] = f"0-{drawn - 1}"


def draw_spec(draw: random.Random, spec: dict) -> dict:
    arch, values = spec["arch"], spec["kv"]

    def own(key: str):
        return values.get(arch + "." + key)

    draw_layers(draw, spec, own)
    draw_vocabulary(draw, spec)
    draw_feed_forward(draw, spec, own, own("embedding_length"))
    if arch != "olmoe" and own("expert_used_count") and not own("expert_group_count"):
        used = draw.choice([2, 4, 6, 8, 10])
        values[arch + ".expert_used_count"] = min(used, own("expert_count"))
    if own("attention.sliding_window") and arch in WINDOWED:
        values[arch + ".attention.sliding_window"] = draw.choice([128, 512, 1024, 2048, 4096])
    heads, shared = own("attention.head_count"), own("attention.head_count_kv")
    if isinstance(shared, int) and shared and not own("attention.kv_lora_rank") and arch in KEYS_APART:
        drawn = draw.choice([n for n in (1, 2, 4, 8, 16, 32) if heads % n == 0 and n <= heads])
        values[arch + ".attention.head_count_kv"] = drawn
        for tensor in spec["tensors"]:
            if KEY_OR_VALUE.search(tensor[0]):
                tensor[1] = tensor[1][:-1] + [tensor[1][-1] // shared * drawn]
    return spec


def main() -> None:
    seed, specs, out = int(sys.argv[1]), pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)
    for path in sorted(specs.glob("*.json")):
        spec = draw_spec(draw, json.loads(path.read_text()))
        (out / path.name).write_text(json.dumps(spec))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Cuts the full golden set down to the few megabytes that tests/golden holds. Same layout, no value changed.

    eng/golden-subset.py <full golden folder> tests/golden
"""
import json
import os
import shutil
import struct
import sys

SOURCE, TARGET = sys.argv[1], sys.argv[2]
CASE_BYTES = 25_000  # larger cases are kept in one model only
PROCESSORS = ["p16dup_8x8", "p512_32x32", "p64_48x24"]
DROPPED_BINS = ["base-513", "sharded-65", "classifier-65"]  # the same values are there as safetensors; other models keep both forms


def read(path):
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8 : 8 + n])
    head.pop("__metadata__", None)
    return {k: (e["dtype"], e["shape"], data[8 + n + e["data_offsets"][0] : 8 + n + e["data_offsets"][1]]) for k, e in head.items()}


def write(path, tensors):
    head, at = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(t[2] for t in tensors.values()))


def dump(path, value):
    with open(path, "w") as f:
        json.dump(value, f, indent=0, separators=(",", ":"))
        f.write("\n")


def models():
    for name in sorted(os.listdir(f"{SOURCE}/models")):
        drop = (lambda d, fs: [f for f in fs if ".bin" in f]) if name in DROPPED_BINS else None
        shutil.copytree(f"{SOURCE}/models/{name}", f"{TARGET}/models/{name}", ignore=drop)


def cases():
    names = ["half-17", "legacy-65", "plain-17-bf16", "tied-17", "classifier-65", "sharded-65", "base-513"]
    seen = set()
    for model in names:
        meta = json.load(open(f"{SOURCE}/cases/{model}/cases.json"))
        tensors = read(f"{SOURCE}/cases/{model}/cases.safetensors")
        kept, wanted = [], {}
        for case in meta["cases"]:
            of_case = {t: tensors[t] for t in [*case["inputs"].values(), *case["outputs"].values()]}
            if sum(len(t[2]) for t in of_case.values()) <= CASE_BYTES or case["name"] not in seen:
                seen.add(case["name"])
                kept.append(case)
                wanted.update(of_case)
        meta["cases"] = kept
        os.makedirs(f"{TARGET}/cases/{model}")
        dump(f"{TARGET}/cases/{model}/cases.json", meta)
        write(f"{TARGET}/cases/{model}/cases.safetensors", wanted)
        print(model, [c["name"] for c in kept])


def named(value, tensors):
    """Every tensor name that occurs in a JSON value."""
    if isinstance(value, str):
        return {value} & tensors.keys()
    if isinstance(value, (list, dict)):
        parts = value.values() if isinstance(value, dict) else value
        return set().union(*(named(part, tensors) for part in parts))
    return set()


def images():
    meta = json.load(open(f"{SOURCE}/image_cases.json"))
    tensors = read(f"{SOURCE}/image_cases.safetensors")
    for image in meta["images"]:
        image["results"] = {k: v for k, v in image["results"].items() if k in PROCESSORS}
        for result in image["results"].values():
            result.pop("two_nearest_sq_dist", None)
    palettes = {k for k in tensors if k.startswith("palette.")}
    wanted = named(meta, tensors) | palettes
    dump(f"{TARGET}/image_cases.json", meta)
    write(f"{TARGET}/image_cases.safetensors", {k: t for k, t in tensors.items() if k in wanted})
    for processor in PROCESSORS:
        shutil.copytree(f"{SOURCE}/processors/{processor}", f"{TARGET}/processors/{processor}")
    for folder in ["images", "images_decoded", "malformed"]:
        shutil.copytree(f"{SOURCE}/{folder}", f"{TARGET}/{folder}")


def sampling():
    """Every second case: the grid of parameters stays covered."""
    meta = json.load(open(f"{SOURCE}/sampling/sampling.json"))
    tensors = read(f"{SOURCE}/sampling/sampling.safetensors")
    meta["cases"] = meta["cases"][::2]
    wanted = named(meta["cases"], tensors) | {row["logits"] for row in meta["rows"]}
    os.makedirs(f"{TARGET}/sampling")
    dump(f"{TARGET}/sampling/sampling.json", meta)
    write(f"{TARGET}/sampling/sampling.safetensors", {k: t for k, t in tensors.items() if k in wanted})


shutil.rmtree(TARGET, ignore_errors=True)
os.makedirs(TARGET)
models()
cases()
images()
sampling()
shutil.copy(f"{SOURCE}/README.md", f"{TARGET}/README.md")
for folder, _, files in os.walk(TARGET):
    os.chmod(folder, 0o755)
    for f in files:
        os.chmod(os.path.join(folder, f), 0o644)
total = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(TARGET) for f in fs)
print(f"{total / 1e6:.2f} MB")

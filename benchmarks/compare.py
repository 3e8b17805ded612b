#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our decoding beside llama.cpp's and PyTorch's on the same files, same ids, same threads, in turns.

Usage: compare.py BUILD_DIR MODELS_DIR PYTHON [llama|context|batch|pytorch ...] [--rounds 5] [--threads 1,2]
PYTHON is an interpreter with llama-cpp-python, torch and transformers. Each measurement is a process of its
own; engines alternate, so drift of a shared host meets both. Medians and spread over the rounds; the share of
the machine's limit comes from `limits`, run in the same round. Prints Markdown rows.
"""
import argparse
import json
import pathlib
import statistics
import subprocess

here = pathlib.Path(__file__).resolve().parent
parser = argparse.ArgumentParser()
parser.add_argument("build"), parser.add_argument("models"), parser.add_argument("python")
parser.add_argument("parts", nargs="*", default=["llama"])
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--threads", default="1,2")
args = parser.parse_args()
models = pathlib.Path(args.models)
GGUFS = [f"smollm2-135m-instruct.{f}.gguf" for f in ("Q8_0", "Q4_0", "Q4_1", "BF16", "F32")] + ["gemma-3-270m.Q4_K_M.gguf"]


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode: raise SystemExit(f"{command}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def ours(file, threads, prompt=512, new=128, batch=1, *more):
    return run(f"{args.build}/decode", models / file, threads, prompt, new, batch, 1, *more)


def llama(file, threads, **options):
    flags = {"context": 0, "sequences": 0, "repeat": 1, **options}
    return run(args.python, here / "reference/llama_cpp.py", models / file, "--threads", threads,
               *(x for k, v in flags.items() for x in (f"--{k}", v)))


def limits(threads):
    return run(f"{args.build}/limits", threads)


def spread(values):
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"


def rows(title, first, second, key1, key2, file, threads):
    a, b, roof = [], [], []
    same = None
    for _ in range(args.rounds):
        one, two = first(), second()
        a.append(one[key1]), b.append(two[key2])
        if "ids" in one and "ids" in two:
            same = next((i for i, (x, y) in enumerate(zip(one["ids"], two["ids"])) if x != y), len(two["ids"]))
    ratio = statistics.median(a) / statistics.median(b)
    agree = "" if same is None else f", first {same} of 16 ids agree"
    print(f"| {file} | {threads} | {title} | {spread(a)} | {spread(b)} | {ratio:.2f} |{agree}", flush=True)


print("| file | threads | what | parlance, median (range) | peer | ratio |")
print("|---|---|---|---|---|---|")
for threads in args.threads.split(","):
    if "llama" in args.parts:
        for file in GGUFS:
            got = {"a": [], "b": []}
            for _ in range(args.rounds):
                got["a"].append(ours(file, threads)), got["b"].append(llama(file, threads))
            roof = limits(threads)
            for title, key in (("decode, tokens/s", "decode_tokens_per_s"), ("prompt, tokens/s", "prompt_tokens_per_s"),
                               ("peak, MB", "peak_mb")):
                a, b = [r[key] for r in got["a"]], [r[key] for r in got["b"]]
                print(f"| {file} | {threads} | {title} | {spread(a)} | {spread(b)} | {statistics.median(a) / statistics.median(b):.2f} |", flush=True)
            a = [r["first_token_s"] for r in got["a"]]
            b = [r["load_s"] + r["first_token_s"] for r in got["b"]]
            print(f"| {file} | {threads} | start to first token, s | {statistics.median(a):.2f} | {statistics.median(b):.2f} | {statistics.median(a) / statistics.median(b):.2f} |", flush=True)
            x, y = got["a"][0]["ids"], got["b"][0]["ids"]
            agree = next((i for i, (p, q) in enumerate(zip(x, y)) if p != q), min(len(x), len(y)))
            size = (models / file).stat().st_size
            rate = statistics.median(r["decode_tokens_per_s"] for r in got["a"]) * size / 1e9
            print(f"| {file} | {threads} | | file read at {rate:.1f} GB/s of {roof['read_gb_s']:.1f}; {agree} of 16 ids equal | | |", flush=True)
    if "context" in args.parts:
        for file in ("smollm2-135m-instruct.Q8_0.gguf",):
            rows("decode at context 4096, tokens/s", lambda: ours(file, threads, 4096, 128),
                 lambda: llama(file, threads, prompt=4096), "decode_tokens_per_s", "decode_tokens_per_s", file, threads)
    if "batch" in args.parts:
        for file in ("smollm2-135m-instruct.Q8_0.gguf", "smollm2-135m-instruct.BF16.gguf"):
            rows("8 sequences at once, tokens/s", lambda: ours(file, threads, 128, 128, 8),
                 lambda: llama(file, threads, prompt=128, sequences=8), "decode_tokens_per_s", "batch_decode_tokens_per_s", file, threads)
    if "pytorch" in args.parts:
        folder = "SmolLM2-135M-Instruct"
        for dtype, more in (("float32", ("f32",)), ("bfloat16", ("bf16", "native"))):
            def torch():
                return run(args.python, here / "reference/pytorch.py", models / folder, "--mode", "decode", "--dtypes", dtype,
                           "--threads", threads, "--repeat", 1)
            for title, key in (("decode", "decode_tokens_per_s"), ("prompt", "prompt_tokens_per_s")):
                rows(f"{title} against PyTorch {dtype}, tokens/s", lambda: ours(folder, threads, 512, 128, 1, *more), torch, key, key, folder, threads)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our decoding beside llama.cpp's and PyTorch's on the same files, same ids, same threads, in turns.

Usage: compare.py BUILD_DIR MODELS_DIR PYTHON [llama|context|batch|pytorch ...] [--rounds 5] [--threads 1,2]
PYTHON is an interpreter with llama-cpp-python, torch and transformers. Each measurement is a process of its
own; engines alternate, so drift of a shared host meets both. Medians and spread over the rounds; the share of
the machine's limit comes from `limits`, run right after. Prints Markdown rows.
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


def spread(values):
    digits = 1 if statistics.median(values) >= 10 else 2
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def contest(file, threads, first, second, titles):
    """Both engines in turns; a row for each (title, our key or function, the peer's)."""
    value = lambda run, key: key(run) if callable(key) else run[key]
    pairs = [(first(), second()) for _ in range(args.rounds)]
    for title, key1, key2 in titles:
        a, b = [value(p[0], key1) for p in pairs], [value(p[1], key2) for p in pairs]
        print(f"| {file} | {threads} | {title} | {spread(a)} | {spread(b)} | {statistics.median(a) / statistics.median(b):.2f} |", flush=True)
    x, y = pairs[0][0].get("ids"), pairs[0][1].get("ids")
    if x and y:
        agree = next((i for i, (p, q) in enumerate(zip(x, y)) if p != q), min(len(x), len(y)))
        size = (models / file).stat().st_size
        rate = statistics.median(p[0]["decode_tokens_per_s"] for p in pairs) * size / 1e9
        roof = run(f"{args.build}/limits", threads)["read_gb_s"]
        print(f"| {file} | {threads} | file read at {rate:.1f} GB/s of {roof:.1f} measured; first {agree} of 16 ids agree | | | |", flush=True)


print("| file | threads | what | parlance, median (range) | peer | ratio |")
print("|---|---|---|---|---|---|")
decode, prompt = "decode_tokens_per_s", "prompt_tokens_per_s"
for threads in args.threads.split(","):
    if "llama" in args.parts:
        for file in GGUFS:
            contest(file, threads, lambda: ours(file, threads), lambda: llama(file, threads),
                    [("decode, tokens/s", decode, decode), ("prompt, tokens/s", prompt, prompt),
                     ("start to first token, s", "first_token_s", lambda r: r["load_s"] + r["first_token_s"]),
                     ("peak, MB", "peak_mb", "peak_mb")])
    if "context" in args.parts:
        file = "smollm2-135m-instruct.Q8_0.gguf"
        contest(file, threads, lambda: ours(file, threads, 4096), lambda: llama(file, threads, prompt=4096),
                [("decode at context 4096, tokens/s", decode, decode), ("prompt of 4096, tokens/s", prompt, prompt)])
    if "batch" in args.parts:
        for file in ("smollm2-135m-instruct.Q8_0.gguf", "smollm2-135m-instruct.BF16.gguf"):
            contest(file, threads, lambda: ours(file, threads, 128, 128, 8),
                    lambda: llama(file, threads, prompt=128, sequences=8),
                    [("8 sequences at once, tokens/s", decode, "batch_decode_tokens_per_s")])
    if "pytorch" in args.parts:
        file = "SmolLM2-135M-Instruct"
        for dtype, more in (("float32", ("f32",)), ("bfloat16", ("bf16", "native"))):
            contest(file, threads, lambda: ours(file, threads, 512, 128, 1, *more),
                    lambda: run(args.python, here / "reference/pytorch.py", models / file, "--mode", "decode",
                                "--dtypes", dtype, "--threads", threads, "--repeat", 1),
                    [(f"PyTorch {dtype}: decode, tokens/s", decode, decode),
                     (f"PyTorch {dtype}: prompt, tokens/s", prompt, prompt)])

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds `generate` and `score` against the goldens that real_models.py wrote for real checkpoints.

Usage: check_real_models.py BIN_DIR MODELS_DIR GOLDEN.json...
Folder (float32 arithmetic): greedy ids of 20 prompts equal to transformers' (a difference is forgiven only
where the original's own top two logits lie closer than 1e-3), log-probabilities of a 500-token text within
1e-3. Each GGUF file, exact arithmetic (the default of `score`): perplexity within 1 % of exactly dequantised
weights and at most 0.3 % above llama.cpp's; native arithmetic, whose activations are int8 per 32: within 1 %.
Exit status 1 on any failure.
"""
import json
import math
import pathlib
import subprocess
import sys

binaries, models, goldens = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
failures = 0


def ask(program, model, lines, *options):
    """One JSON line out for each line in."""
    done = subprocess.run([binaries / program, model, *options], input="\n".join(map(json.dumps, lines)) + "\n",
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{program} {model}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def report(good, text):
    global failures
    failures += not good
    print(("ok    " if good else "WRONG ") + text, flush=True)


def check_greedy(folder, golden):
    same = near = 0
    for chat in (False, True):
        prompts = [p for p in golden["prompts"] if ("messages" in p) == chat]
        if not prompts: continue
        if chat:  # the ids that the template gives, then the decoding of those very ids
            rendered = ask("chat", folder, [{"messages": p["messages"], "add_generation_prompt": True} for p in prompts],
                           "--render")
        lines = rendered if chat else [p["text"] for p in prompts]
        outs = ask("generate", folder, lines, "--batch", "--max_new_tokens", "64", "--eos_token_id",
                   str(golden["eos_token_id"]))
        for p, out in zip(prompts, outs):
            if out.get("prompt_ids") != p["ids"]:
                report(False, f"{folder.name}: prompt ids of {str(p.get('text', p.get('messages')))[:50]!r}: {out}")
                continue
            ours, theirs = out["ids"], p["greedy"]
            at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), None)
            same += at is None and len(ours) == len(theirs)
            near += at is not None and p["margins"][at] < 1e-3
    report(same + near == len(golden["prompts"]),
           f"{folder.name}: greedy ids of {same} of {len(golden['prompts'])} prompts identical, {near} part at a tie")


def check_text(folder, golden):
    out = ask("score", folder, [{"ids": golden["text_ids"]}])[0]
    worst = max(abs(a - b) for a, b in zip(out["logprobs"][1:], golden["logprobs"][1:]))
    report(worst < 1e-3, f"{folder.name}: log-probabilities of {len(golden['text_ids'])} tokens differ by at most {worst:.1e}")


def check_gguf(file, golden, expected):
    for precision in ("exact", "native"):
        out = ask("score", file, [{"ids": golden["text_ids"]}], "--precision", precision)[0]
        ours, exact, peer = out["perplexity"], expected["perplexity"], expected["llama_cpp_perplexity"]
        report(abs(ours / exact - 1) <= 0.01 and (precision == "native" or ours <= peer * 1.003),
               f"{file.name} {precision}: perplexity {ours:.4f}, exact weights {exact:.4f} ({100 * (ours / exact - 1):+.2f} %), "
               f"llama.cpp {peer:.4f} ({100 * (ours / peer - 1):+.2f} %)")


for path in goldens:
    golden = json.loads(pathlib.Path(path).read_text())
    folder = models / golden["model"]
    check_greedy(folder, golden)
    check_text(folder, golden)
    for name, expected in golden["ggufs"].items():
        check_gguf(models / name, golden, expected)
sys.exit(failures > 0)

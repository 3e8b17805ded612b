# SPDX-License-Identifier: MIT
"""Baselines of PyTorch and transformers: prompt, decoding, training. One JSON line a measurement.

Usage: python benchmarks/reference/pytorch.py MODEL_DIR [--mode decode,train] [--dtypes float32,bfloat16]
         [--threads 1,2] [--prompt 512] [--decode 128] [--repeat 3] [--batch 4 --length 256 --steps 5]
Each measurement runs in a process of its own, so that peak_mb (resident set) is its own too. Decoding is
greedy with a cache, attention "sdpa"; rates are medians of --repeat runs after a short warm-up. Training
is AdamW on all weights in float32, batch x length random ids a step; the first step is not timed.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time


def base(args, torch, transformers):
    return {"engine": "pytorch", "model": os.path.basename(args.model.rstrip("/")), "threads": args.thread,
            "dtype": args.dtype, "torch": torch.__version__, "transformers": transformers.__version__}


def finish(result):
    result["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in result.items()}), flush=True)


def load(args):
    import torch
    import transformers
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(args.thread)
    torch.manual_seed(0)
    start = time.perf_counter()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        args.model, dtype=getattr(torch, args.dtype), attn_implementation="sdpa")
    seconds = time.perf_counter() - start
    return torch, model, {**base(args, torch, transformers), "load_s": seconds}


def generate_once(torch, model, prompt, count):
    """Seconds of the prompt and of the `count` tokens after the first."""
    start = time.perf_counter()
    out = model(prompt, use_cache=True, logits_to_keep=1)
    token = out.logits[:, -1].argmax(-1, keepdim=True)
    middle = time.perf_counter()
    for _ in range(count):
        out = model(token, past_key_values=out.past_key_values, use_cache=True)
        token = out.logits[:, -1].argmax(-1, keepdim=True)
    return middle - start, time.perf_counter() - middle


def decode(args):
    torch, model, result = load(args)
    model.eval()
    prompt = torch.randint(10, 10000, (1, args.prompt))
    with torch.inference_mode():
        generate_once(torch, model, prompt[:, :16], 2)
        runs = [generate_once(torch, model, prompt, args.decode) for _ in range(args.repeat)]
    first = statistics.median(r[0] for r in runs)
    rest = statistics.median(r[1] for r in runs)
    finish({**result, "mode": "decode", "prompt": args.prompt, "decode": args.decode, "first_token_s": first,
            "prompt_tokens_per_s": args.prompt / first, "decode_tokens_per_s": args.decode / rest})


def train(args):
    torch, model, result = load(args)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.01)
    seconds, losses = [], []
    for _ in range(args.steps + 1):
        ids = torch.randint(10, 10000, (args.batch, args.length))
        start = time.perf_counter()
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
    step = statistics.median(seconds[1:])
    finish({**result, "mode": "train", "batch": args.batch, "length": args.length, "step_s": step,
            "train_tokens_per_s": args.batch * args.length / step, "first_loss": losses[0]})


def main():
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter,
                                     description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--mode", default="decode,train")
    parser.add_argument("--dtypes", default="float32,bfloat16")
    parser.add_argument("--threads", default="1,2")
    for name, value in (("prompt", 512), ("decode", 128), ("repeat", 3), ("batch", 4), ("length", 256),
                        ("steps", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--one", nargs=3, metavar=("MODE", "DTYPE", "THREADS"), help="one run, in here")
    args = parser.parse_args()
    if args.one:
        args.dtype, args.thread = args.one[1], int(args.one[2])
        return {"decode": decode, "train": train}[args.one[0]](args)
    for mode in args.mode.split(","):
        for dtype in ["float32"] if mode == "train" else args.dtypes.split(","):
            for threads in args.threads.split(","):
                env = {**os.environ, "OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false"}
                subprocess.run([sys.executable, __file__, *sys.argv[1:], "--one", mode, dtype, threads],
                               env=env, check=True)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Baselines of llama.cpp (through llama-cpp-python's low-level calls). One JSON line a GGUF file and size.

Usage: python benchmarks/reference/llama_cpp.py FILE.gguf... [--threads 1,2] [--prompt 512] [--decode 128]
         [--context 4096] [--sequences 8] [--repeat 3] [--cache f16|f32]
Greedy. A prompt of --prompt ids, then --decode tokens (rates: medians of --repeat runs, only the last
logits of the prompt are asked for); --decode tokens after a prompt of --context ids (0: skipped); and
--sequences prompts of --prompt ids decoded together, as one batch a step (0: skipped). Each file and
thread count runs in a process of its own, so that peak_mb (resident set, mapped file included) is its own.
"""
import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import time

NAME = os.path.basename(__file__)


class Engine:
    def __init__(self, args):
        # This file has the module's name: look for the installed one only.
        sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(
            os.path.abspath(__file__))]
        import llama_cpp
        import numpy
        self.c, self.np, self.args = llama_cpp, numpy, args
        self.quiet = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self.quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        start = time.perf_counter()
        self.model = llama_cpp.llama_model_load_from_file(
            args.file.encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"{NAME}: cannot load {args.file}")
        self.load_s = time.perf_counter() - start
        self.vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.context = None

    def open(self, length, sequences=1):
        self.close()
        p = self.c.llama_context_default_params()
        p.n_ctx, p.n_seq_max = length * sequences, sequences
        p.n_batch = p.n_ubatch = 512
        p.n_threads = p.n_threads_batch = self.args.thread
        p.type_k = p.type_v = 1 if self.args.cache == "f16" else 0
        self.context = self.c.llama_init_from_model(self.model, p)
        if not self.context:
            raise SystemExit(f"{NAME}: no context of {length} x {sequences}")
        self.batch = self.c.llama_batch_init(512, 0, 1)

    def close(self):
        if self.context:
            self.c.llama_batch_free(self.batch)
            self.c.llama_free(self.context)
            self.context = None

    def run(self, tokens):
        """tokens: (id, position, sequence, wants logits), at most 512."""
        b = self.batch
        b.n_tokens = len(tokens)
        for i, (token, position, sequence, wanted) in enumerate(tokens):
            b.token[i], b.pos[i], b.n_seq_id[i], b.logits[i] = int(token), position, 1, wanted
            b.seq_id[i][0] = sequence
        status = self.c.llama_decode(self.context, b)
        if status:
            raise SystemExit(f"{NAME}: llama_decode returned {status}")

    def best(self, index):
        row = self.c.llama_get_logits_ith(self.context, index)
        return int(self.np.ctypeslib.as_array(row, shape=(self.vocab,)).argmax())

    def forget(self):
        self.c.llama_memory_clear(self.c.llama_get_memory(self.context), True)

    def feed(self, count, sequence=0):
        """A prompt, in batches of 512; the first id after it."""
        for at in range(0, count, 512):
            stop = min(count, at + 512)
            self.run([((i * 7919 + sequence * 104729 + 11) % 40000 + 100, i, sequence, i + 1 == count)
                      for i in range(at, stop)])  # the ids of benchmarks/decode.cpp
        return self.best(-1)


def one_sequence(engine, prompt, count, repeat):
    engine.open(prompt + count + 8)
    engine.feed(min(prompt, 16))
    runs = []
    for _ in range(repeat):
        engine.forget()
        start = time.perf_counter()
        token = engine.feed(prompt)
        engine.first_ids = [token]
        middle = time.perf_counter()
        for i in range(count):
            engine.run([(token, prompt + i, 0, True)])
            token = engine.best(-1)
            if len(engine.first_ids) < 16: engine.first_ids.append(token)
        runs.append((middle - start, time.perf_counter() - middle))
    return statistics.median(r[0] for r in runs), statistics.median(r[1] for r in runs)


def many_sequences(engine, prompt, count, sequences):
    engine.open(prompt + count + 8, sequences)
    start = time.perf_counter()
    tokens = [engine.feed(prompt, s) for s in range(sequences)]
    middle = time.perf_counter()
    for i in range(count):
        engine.run([(tokens[s], prompt + i, s, True) for s in range(sequences)])
        tokens = [engine.best(s) for s in range(sequences)]
    return middle - start, time.perf_counter() - middle


def measure(args):
    engine = Engine(args)
    first, rest = one_sequence(engine, args.prompt, args.decode, args.repeat)
    result = {
        "engine": "llama.cpp", "llama_cpp_python": engine.c.__version__, "model": os.path.basename(args.file),
        "threads": args.thread, "cache": args.cache, "prompt": args.prompt, "decode": args.decode,
        "load_s": engine.load_s, "first_token_s": first, "prompt_tokens_per_s": args.prompt / first,
        "decode_tokens_per_s": args.decode / rest, "ids": engine.first_ids}
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if args.context:
        first, rest = one_sequence(engine, args.context, args.decode, 1)
        result |= {"context": args.context, "context_prompt_tokens_per_s": args.context / first,
                   "context_decode_tokens_per_s": args.decode / rest}
    if args.sequences:
        first, rest = many_sequences(engine, args.prompt, args.decode, args.sequences)
        result |= {"sequences": args.sequences,
                   "batch_prompt_tokens_per_s": args.sequences * args.prompt / first,
                   "batch_decode_tokens_per_s": args.sequences * args.decode / rest}
    engine.close()
    engine.c.llama_model_free(engine.model)
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in result.items()}), flush=True)


def main():
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter,
                                     description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--cache", choices=("f16", "f32"), default="f16")
    for name, value in (("prompt", 512), ("decode", 128), ("context", 4096), ("sequences", 8),
                        ("repeat", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--one", nargs=2, metavar=("FILE", "THREADS"), help="one run, in this process")
    args = parser.parse_args()
    if args.one:
        args.file, args.thread = args.one[0], int(args.one[1])
        return measure(args)
    for file in args.files:
        for threads in args.threads.split(","):
            subprocess.run([sys.executable, __file__, *sys.argv[1:], "--one", file, threads], check=True)


if __name__ == "__main__":
    main()

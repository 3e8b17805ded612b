#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares our tokenizers with the Hugging Face library on real tokenizers and random text.

Usage: compare_tokenizers.py DRIVER ROOT [-n COUNT] [--seed S] [--only NAME]
DRIVER is the compiled tests/reference/tokenize_driver.cpp; ROOT holds models/ and tokenizers/ with
the downloaded folders. Vocabularies of GGUF files, streamed and decoded text too; tokenizer_fuzz.py
goes through many more strings. Ids, tokens, offsets, type ids, masks, word ids, sequence ids and decoded
text must all agree; pairs too. Exit status 1 on any mismatch.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer

from tokenizer_fuzz import random_text

FOLDERS = ["models/SmolLM2-135M-Instruct", "models/gemma-3-270m", "tokenizers/llama3_1",
           "tokenizers/qwen3", "tokenizers/gptoss", "tokenizers/deepseek_v3", "tokenizers/llama2"]
GGUFS = {"models/smollm2-135m-instruct.Q4_0.gguf": "models/SmolLM2-135M-Instruct",
         "models/gemma-3-270m.Q4_K_M.gguf": "models/gemma-3-270m"}


def expected(tokenizer, row):
    e = tokenizer.encode(row["text"], row.get("pair"))
    return {"ids": e.ids, "tokens": e.tokens, "offsets": [list(o) for o in e.offsets],
            "type_ids": e.type_ids, "special": e.special_tokens_mask,
            "words": [-1 if w is None else w for w in e.word_ids],
            "sequences": [-1 if s is None else s for s in e.sequence_ids], "fast": True,
            "decoded": tokenizer.decode(e.ids, skip_special_tokens=False),
            "skipped": tokenizer.decode(e.ids, skip_special_tokens=True)}


def run_driver(driver, path, rows):
    text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
    done = subprocess.run([driver, path], input=text.encode(), stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"driver failed on {path}")
    return [json.loads(line) for line in done.stdout.decode().split("\n") if line]


def dump_gguf(path, out):
    from gguf import GGUFReader
    reader = GGUFReader(path)

    def get(key, default=None):
        field = reader.fields.get("tokenizer.ggml." + key)
        return default if field is None else field.contents()
    vocab = {k: get(k, d) for k, d in (("model", ""), ("pre", ""), ("tokens", []), ("scores", []),
                                       ("token_type", []), ("merges", []))}
    for ours, theirs in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")):
        vocab[ours + "_id"] = get(theirs + "_token_id")
    vocab["add_bos"], vocab["add_eos"] = get("add_bos_token"), get("add_eos_token")
    vocab["add_space_prefix"] = get("add_space_prefix")
    with open(out, "w") as f:
        json.dump(vocab, f, ensure_ascii=False)


def compare(name, tokenizer, path, args, keys=None):
    rng = random.Random(args.seed)
    specials = [t.content for t in tokenizer.get_added_tokens_decoder().values()][:300]
    rows = []
    for _ in range(args.n):
        row = {"text": random_text(rng, specials)}
        if keys is None and rng.random() < 0.05:
            row["pair"] = random_text(rng, specials)
        rows.append(row)
    got = run_driver(args.driver, path, rows)
    bad = streamed = 0
    for row, ours in zip(rows, got):
        theirs = expected(tokenizer, row)
        if ours["streamed"] != ours["decoded"]:
            streamed += 1
            if streamed <= args.show:
                print("STREAMED", ascii(ours["streamed"]), ascii(ours["decoded"]))
        for key in keys or theirs:
            if ours[key] != theirs[key]:
                bad += 1
                if bad <= args.show:
                    print("MISMATCH", name, key, json.dumps(row), "\n  ours  ", ours[key],
                          "\n  theirs", theirs[key])
                break
    print(f"{name}: {len(rows)} strings, {bad} mismatches, streamed text differs in {streamed}",
          flush=True)
    return bad + (len(got) != len(rows))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("root")
    parser.add_argument("-n", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    bad = 0
    for folder in FOLDERS:
        if args.only in folder:
            path = os.path.join(args.root, folder, "tokenizer.json")
            bad += compare(folder, Tokenizer.from_file(path), path, args)
    for file, folder in GGUFS.items():
        if args.only in file:
            with tempfile.TemporaryDirectory() as scratch:
                dump = os.path.join(scratch, "vocab.gguf.json")
                dump_gguf(os.path.join(args.root, file), dump)
                tokenizer = Tokenizer.from_file(os.path.join(args.root, folder, "tokenizer.json"))
                tokenizer.no_truncation()
                bad += compare(file, tokenizer, dump, args, ["ids", "offsets", "fast"])
    sys.exit(bad > 0)


main()

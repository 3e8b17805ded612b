# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/pipelines/perplexity.json: perplexities of texts over tests/data/models/{gpt2,llama_gqa}, computed
with transformers' models as the perplexity module of evaluate 0.4 does, and in sliding windows as transformers' guide to
fixed-length models does.

Usage: OMP_NUM_THREADS=1 python tests/reference/perplexity.py
"""
import json
import math
import pathlib

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"
TEXTS = ["lorem ipsum", "Happy Birthday!", "Il était une fois", "The quick brown fox jumps over the lazy dog. " * 2]
cases = []


def nll(model, ids, first):
    with torch.no_grad():
        logp = model(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
    return -sum(logp[i, ids[i + 1]].item() for i in range(first - 1, len(ids) - 1))


for name in ("gpt2", "llama_gqa"):
    folder = DATA / "models" / name
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for options in ({}, {"add_start_token": False}, {"max_length": 8}, {"max_length": 8, "add_start_token": False},
                    {"max_length": 12, "stride": 4}, {"max_length": 16, "stride": 15, "add_start_token": False}):
        values = []
        for text in TEXTS:
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            if options.get("add_start_token", True) and tokenizer.bos_token_id is not None: ids = [tokenizer.bos_token_id] + ids
            if "stride" not in options:
                ids = ids[:options.get("max_length", len(ids))]
                values.append(math.exp(nll(model, ids, 1) / (len(ids) - 1)))
                continue
            total, judged, begin = 0.0, 1, 0
            while judged < len(ids):
                end = min(begin + options["max_length"], len(ids))
                total += nll(model, ids[begin:end], judged - begin)
                judged, begin = end, begin + options["stride"]
            values.append(math.exp(total / (len(ids) - 1)))
        cases.append({"model": name, "options": options, "perplexities": values, "mean": sum(values) / len(values)})
(DATA / "pipelines/perplexity.json").write_text(json.dumps(
    {"made_with": f"transformers {transformers.__version__}, torch {torch.__version__}", "texts": TEXTS, "cases": cases}, ensure_ascii=False) + "\n")

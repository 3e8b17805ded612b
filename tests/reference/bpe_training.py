# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/tokenizers/bpe_training.json: vocabularies that tokenizers' BpeTrainer learns.

Usage: python tests/reference/bpe_training.py
"""
import json
import pathlib
import random

import tokenizers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

ROOT = pathlib.Path(__file__).resolve().parents[1] / "data" / "tokenizers"


def texts(seed, count):
    pick = random.Random(seed)
    syllables = ["ka", "lo", "mi", "the", "ing", "re", "ß", "日本", "été", "a", "aa", "42", " ", "\n", "!", "😀"]
    return ["".join(pick.choice(syllables) + (" " if pick.random() < 0.4 else "") for _ in range(pick.randint(1, 40)))
            for _ in range(count)]


def train(corpus, **options):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator(corpus, trainers.BpeTrainer(
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False, **options))
    model = json.loads(t.to_str())["model"]
    tokens = [k for k, _ in sorted(model["vocab"].items(), key=lambda kv: kv[1])]
    return {"texts": corpus, "options": options, "tokens": tokens, "merges": model["merges"]}


cases = [train(texts(1, 60), vocab_size=400, special_tokens=["<s>", "</s>"]),
         train(texts(2, 200), vocab_size=300, special_tokens=[]),
         train(texts(3, 40), vocab_size=5000, special_tokens=["<pad>"], min_frequency=4),
         train(["aaaa aaaa aaaaa aaa", "abababab"], vocab_size=290, special_tokens=[])]
document = {"tokenizers": tokenizers.__version__, "cases": cases}
(ROOT / "bpe_training.json").write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")

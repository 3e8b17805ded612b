#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/data/tokenizers/training.json: what the trainers of tokenizers learn from one small corpus. The
original sums and numbers in the order of hash tables that differ from run to run; each case is trained several
times here, and what all runs share ("always") is told from what only some have ("sometimes").
Usage: tokenizer_training.py OUT_DIR
"""
import json
import random
import sys

from tokenizers import Tokenizer, models, trainers

import tokenizers_data as data

RUNS = 60
random.seed(4)
WORDS = [w for x in data.TEXT for w in x.split()]
CORPUS = data.TEXT + [" ".join(random.choices(WORDS[:120], k=12)) for _ in range(60)]
PARTS = "ka lo mi the ing re un ness est qu ly é o s ed ment".split()
SYLLABLES = [" ".join("".join(random.choices(PARTS, k=random.randint(1, 5))) for _ in range(8)) for _ in range(120)]
TEXTS = {"corpus": CORPUS, "unigram_corpus": SYLLABLES}
SPACE = {"type": "Metaspace", "replacement": data.BAR, "prepend_scheme": "always", "split": True}
BYTE = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
BERT = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}

# kind, components, options, the texts where they are not those of the kind
CASES = [
    ("bpe", {"pre_tokenizer": {"type": "Whitespace"}}, {"vocab_size": 420, "special_tokens": ["<unk>", "<s>"]}),
    ("bpe", {"pre_tokenizer": {"type": "Whitespace"}, "normalizer": {"type": "Lowercase"}},
     {"vocab_size": 3000, "min_frequency": 3, "special_tokens": []}),
    ("bpe", {"pre_tokenizer": SPACE}, {"vocab_size": 500, "max_token_length": 5, "special_tokens": ["<unk>"]}),
    ("bpe", {"pre_tokenizer": {"type": "WhitespaceSplit"}},
     {"vocab_size": 300, "limit_alphabet": 20, "initial_alphabet": ["#", "日"], "special_tokens": []}),
    ("bpe", {"pre_tokenizer": {"type": "BertPreTokenizer"}},
     {"vocab_size": 520, "end_of_word_suffix": "</w>", "special_tokens": ["<unk>"]}),
    ("bpe", {"pre_tokenizer": {"type": "BertPreTokenizer"}},
     {"vocab_size": 560, "continuing_subword_prefix": "@@", "min_frequency": 4, "special_tokens": ["<unk>"]}),
    ("bpe", {"pre_tokenizer": BYTE, "decoder": BYTE}, {"vocab_size": 300, "special_tokens": []}),
    ("wordpiece", {"pre_tokenizer": {"type": "BertPreTokenizer"}, "normalizer": BERT},
     {"vocab_size": 500, "special_tokens": ["[PAD]", "[UNK]", "[CLS]"]}),
    ("wordpiece", {"pre_tokenizer": {"type": "Whitespace"}},
     {"vocab_size": 2000, "min_frequency": 5, "special_tokens": ["[UNK]"]}),
    ("wordlevel", {"pre_tokenizer": {"type": "Whitespace"}}, {"vocab_size": 60, "special_tokens": ["<unk>", "<s>"]}),
    ("wordlevel", {"pre_tokenizer": {"type": "WhitespaceSplit"}, "normalizer": {"type": "NFKC"}},
     {"vocab_size": 1000, "min_frequency": 2, "special_tokens": []}),
    ("unigram", {"pre_tokenizer": SPACE}, {"vocab_size": 480, "special_tokens": ["<unk>"], "unk_token": "<unk>"}),
    ("unigram", {"pre_tokenizer": SPACE}, {"vocab_size": 400, "special_tokens": ["<unk>"], "unk_token": "<unk>"}),
    ("unigram", {"pre_tokenizer": SPACE}, {"vocab_size": 120, "special_tokens": ["<s>", "<unk>"], "unk_token": "<unk>"}),
    ("unigram", {"pre_tokenizer": SPACE, "normalizer": {"type": "Lowercase"}},
     {"vocab_size": 80, "unk_token": "<unk>", "special_tokens": ["<pad>"], "initial_alphabet": ["@", "ж"]}),
    ("unigram", {"pre_tokenizer": {"type": "Whitespace"}},
     {"vocab_size": 150, "n_sub_iterations": 3, "shrinking_factor": 0.6, "max_piece_length": 4, "special_tokens": []}),
    ("unigram", {"pre_tokenizer": SPACE},
     {"vocab_size": 100, "n_sub_iterations": 1, "shrinking_factor": 0.9, "special_tokens": []}),
    ("unigram", {"pre_tokenizer": SPACE}, {"vocab_size": 240, "seed_size": 500, "special_tokens": ["<unk>"], "unk_token": "<unk>"},
     "corpus"),
    ("unigram", {"pre_tokenizer": SPACE}, {"vocab_size": 250, "n_sub_iterations": 1, "shrinking_factor": 0.5, "special_tokens": []},
     "corpus"),
]
# More characters than pieces.
REFUSED = ("unigram", {"pre_tokenizer": SPACE}, {"vocab_size": 200, "special_tokens": []}, "corpus")
MODELS = {"bpe": (models.BPE, trainers.BpeTrainer), "wordpiece": (models.WordPiece, trainers.WordPieceTrainer),
          "wordlevel": (models.WordLevel, trainers.WordLevelTrainer), "unigram": (models.Unigram, trainers.UnigramTrainer)}


def train(kind, components, options, texts):
    model, trainer = MODELS[kind]
    t = json.loads(Tokenizer(model()).to_str())
    t = Tokenizer.from_str(json.dumps({**t, **components}))
    t.train_from_iterator(TEXTS[texts], trainer(show_progress=False, **options))
    return json.loads(t.to_str())["model"]


def summary(kind, components, options, texts=None):
    texts = texts or ("unigram_corpus" if kind == "unigram" else "corpus")
    runs = [train(kind, components, options, texts) for _ in range(RUNS)]
    row = {"kind": kind, "components": components, "options": options, "texts": texts}
    tokens = [[p[0] for p in m["vocab"]] if kind == "unigram" else sorted(m["vocab"], key=m["vocab"].get) for m in runs]
    merges = [[list(x) for x in m.get("merges", [])] for m in runs]
    sets = [set(x) for x in tokens]
    row["size"] = sorted({len(x) for x in tokens})
    row["always"] = sorted(set.intersection(*sets))
    row["sometimes"] = sorted(set.union(*sets) - set.intersection(*sets))
    if kind == "unigram":
        scores = [{p: s for p, s in m["vocab"]} for m in runs]
        row["scores"] = [sum(s[x] for s in scores) / RUNS for x in row["always"]]
        row["spread"] = [max(s[x] for s in scores) - min(s[x] for s in scores) for x in row["always"]]
        row["unk_id"] = runs[0]["unk_id"]
        row["first"] = tokens[0][:len(options["special_tokens"]) + 1]
    if all(t == tokens[0] for t in tokens) and all(m == merges[0] for m in merges) and kind != "unigram":
        row["tokens"], row["merges"] = tokens[0], merges[0]
    return row


def refusal(kind, components, options, texts):
    try:
        train(kind, components, options, texts)
    except Exception as e:
        return {"kind": kind, "components": components, "options": options, "texts": texts, "message": str(e)}
    raise SystemExit("expected the original to refuse")


if __name__ == "__main__":
    cases = [summary(*c) for c in CASES]
    for c in cases:
        print(c["kind"], c["options"], "same" if "tokens" in c else "varies", c["size"], len(c["sometimes"]),
              max(c.get("spread", [0])))
    data.write(sys.argv[1], "training.json", {**TEXTS, "cases": cases, "refused": refusal(*REFUSED)})

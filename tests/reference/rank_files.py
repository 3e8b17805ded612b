#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/data/tokenizers/rank_files.json: a rank file and what tiktoken makes of it under the patterns of its
encodings, and a tekken.json read by mistral_common. The ranks are trained here, over whole lines, so that every pattern
cuts them elsewhere. Usage: rank_files.py OUT_DIR
"""
import base64
import json
import pathlib
import sys
import tempfile
import unicodedata

import mistral_common
import tiktoken
import tiktoken_ext.openai_public as public
from mistral_common.tokens.tokenizers.tekken import Tekkenizer
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers.convert_slow_tokenizer import bytes_to_unicode

import tokenizers_data as data

LINES = [x for x in data.TEXT if x] + ["1234567 1234 12345", "HelloWorld HelloWORLD's don'T we'LL", "a/b/\n/c //\n\n x"] * 40
# QWenTokenizer's, of QwenLM/Qwen tokenization_qwen.py
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?"
          r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
TEXTS = ["1234567 1234 12345", "HelloWorld's HelloWORLD'S", "don'T we'LL I've", "a/b/\n/c //\n\n x", "  two  spaces ", "\t\n \n x",
         "日本語ABCdé e\u0301 ﬁ ½ Ⅷ", "Съешь же ещё этих", "😁 ok <|endoftext|> x", "", "def f(x):\n    return x**2  # 12\n\n"]


def ranks():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    t.train_from_iterator(LINES, trainers.BpeTrainer(
        vocab_size=256 + 260, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    vocab = t.get_vocab()
    to_byte = {c: b for b, c in bytes_to_unicode().items()}
    tokens = [bytes(to_byte[c] for c in x) for x in sorted(vocab, key=vocab.get)]
    return [bytes([i]) for i in range(256)] + [x for x in tokens if len(x) > 1]  # tekken wants the bytes in order


RANKS = ranks()


def pattern(encoding):
    """The pattern of one of tiktoken's encodings, without its vocabulary."""
    public.load_tiktoken_bpe = lambda *a, **k: {}
    public.data_gym_to_mergeable_bpe_ranks = lambda *a, **k: {}
    return getattr(public, encoding)()["pat_str"]


def encoding(pat, nfc=False):
    e = tiktoken.Encoding("test", pat_str=pat, mergeable_ranks={t: i for i, t in enumerate(RANKS)}, special_tokens={})
    return [{"text": x, "ids": e.encode_ordinary(unicodedata.normalize("NFC", x) if nfc else x)} for x in TEXTS]


def tekken(path, version, special, count, size):
    body = {"config": {"pattern": TEKKEN, "num_vocab_tokens": len(RANKS), "default_vocab_size": size,
                       "default_num_special_tokens": count, "version": version},
            "vocab": [{"rank": i, "token_bytes": base64.b64encode(t).decode(), "token_str": None} for i, t in enumerate(RANKS)],
            "special_tokens": special}
    file = pathlib.Path(path, "tekken.json")
    file.write_text(json.dumps(body))
    t = Tekkenizer.from_file(file)
    return {"file": body, "size": t.n_words, "cases": [{"text": x, "ids": t.encode(x, bos=True, eos=False),
                                                        "decoded": t.decode(t.encode(x, bos=False, eos=False))} for x in TEXTS],
            "tokens": {i: t.id_to_piece(i) for i in (0, 1, 2, 11, count - 1)}}


if __name__ == "__main__":
    names = {x: encoding(pattern(x)) for x in ("cl100k_base", "o200k_base", "p50k_base", "r50k_base")}
    names["qwen"] = encoding(QWEN, nfc=True)
    special = [{"rank": i, "token_str": x["token_str"], "is_control": True}
               for i, x in enumerate(Tekkenizer.DEPRECATED_SPECIAL_TOKENS)]
    with tempfile.TemporaryDirectory() as path:
        files = [tekken(path, "v7", special, 30, 30 + len(RANKS)), tekken(path, "v3", None, 24, 24 + 400)]
    data.write(sys.argv[1], "rank_files.json",
               {"versions": f"tiktoken {tiktoken.__version__}, mistral_common {mistral_common.__version__}",
                "ranks": [base64.b64encode(x).decode() for x in RANKS], "encodings": names, "tekken": files})

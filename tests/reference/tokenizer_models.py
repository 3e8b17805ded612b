#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the family_*.json of tests/data/tokenizers whose models are not byte-level BPE alone: WordPiece,
WordLevel, Unigram, and BPE with every option. Same form as tokenizers_data.py, same oracle.
Usage: tokenizer_models.py OUT_DIR
"""
import json
import sys

from tokenizers import Tokenizer, models, trainers

import tokenizers_data as data

BERT = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
        "lowercase": True}
SPACE = {"type": "Metaspace", "replacement": data.BAR, "prepend_scheme": "always", "split": True}
IDS = {t: i for i, t in enumerate(data.ADDED)}
TEMPLATE = data.template("<s>:0 A:0 </s>:0", "<s>:0 A:0 </s>:0 B:1 </s>:1", IDS)
PIECES = {"type": "WordPiece", "prefix": "##", "cleanup": True}
RUNS = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}

# name: model, trainer, normalizer, pre_tokenizer, decoder, model options
FAMILIES = {
    "bert": (models.WordPiece(unk_token="<unk>", max_input_chars_per_word=20), trainers.WordPieceTrainer,
             BERT, {"type": "BertPreTokenizer"}, PIECES, {"max_input_chars_per_word": 20}),
    "bert_cased": (models.WordPiece(unk_token="<unk>"), trainers.WordPieceTrainer,
                   dict(BERT, lowercase=False), {"type": "BertPreTokenizer"}, PIECES, {}),
    "wordlevel": (models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer, {"type": "Lowercase"},
                  {"type": "Whitespace"}, None, {}),
    "unigram": (models.Unigram(), trainers.UnigramTrainer, RUNS, SPACE, SPACE, {}),
    "unigram_bytes": (models.Unigram(), trainers.UnigramTrainer, {"type": "NFKC"}, SPACE,
                      data.seq("d", [{"type": "ByteFallback"}, SPACE]), {"byte_fallback": True}),
    "unigram_whole": (models.Unigram(), trainers.UnigramTrainer, data.replace(" ", data.BAR), None,
                      data.seq("d", [data.replace(data.BAR, " "), {"type": "Fuse"}]), {}),
    "bpe_unknown": (models.BPE(unk_token="<unk>"), trainers.BpeTrainer, None, {"type": "WhitespaceSplit"},
                    None, {"unk_token": "<unk>", "fuse_unk": False, "ignore_merges": True}),
    "bpe_affixes": (models.BPE(unk_token="<unk>", end_of_word_suffix="</w>", continuing_subword_prefix="@"),
                    trainers.BpeTrainer, {"type": "Lowercase"}, {"type": "BertPreTokenizer"},
                    {"type": "BPEDecoder", "suffix": "</w>"}, {"fuse_unk": True}),
    "bpe_fallback": (models.BPE(unk_token="<unk>"), trainers.BpeTrainer, None, {"type": "WhitespaceSplit"},
                     data.seq("d", [{"type": "ByteFallback"}]), {"byte_fallback": True, "fuse_unk": False}),
}


def make(name):
    model, trainer, norm, pre, dec, options = FAMILIES[name]
    shape = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": norm,
             "pre_tokenizer": pre, "post_processor": None, "decoder": dec,
             "model": json.loads(Tokenizer(model).to_str())["model"]}
    special = list(data.ADDED)
    if options.get("byte_fallback"):
        special += [f"<0x{b:02X}>" for b in range(256)]
    more = {"limit_alphabet": 150} if trainer in (trainers.BpeTrainer, trainers.WordPieceTrainer) else {}
    if trainer is trainers.UnigramTrainer:
        more = {"unk_token": "<unk>"}
    if name == "bpe_affixes":
        more.update(end_of_word_suffix="</w>", continuing_subword_prefix="@")
    t = Tokenizer.from_str(json.dumps(shape))
    t.train_from_iterator(data.TEXT * 2, trainer(vocab_size=len(special) + 380, special_tokens=special,
                                                 show_progress=False, **more))
    j = json.loads(t.to_str())
    j["post_processor"] = TEMPLATE
    j["model"].update(options)
    vocab = j["model"]["vocab"]
    if isinstance(vocab, list):  # fewer characters, so that there are unknown ones; equal and positive scores
        vocab[:] = [p for p in vocab if not set(p[0]) & set("日本語éüض한й")]
        vocab += [["the quick", -9.0], ["ab", -8.0], ["abc", -8.5], ["bc", -8.0], ["a▁b", -7.25]]
    next_id = len(vocab) if isinstance(vocab, list) else max(vocab.values()) + 1
    j["added_tokens"] = [data.added(x, IDS[x]) for x in data.ADDED] + [
        data.added("<mask>", next_id, lstrip=True), data.added("tok1", next_id + 1, single_word=True, special=False),
        data.added("NormTok", next_id + 2, normalized=True, special=False)]
    return j


if __name__ == "__main__":
    for seed, family in enumerate(FAMILIES):
        j = make(family)
        t = Tokenizer.from_str(json.dumps(j))
        rows = [{"text": x} for x in data.torture(100 + seed, 40)]
        rows += [{"text": data.TORTURE[a], "pair": data.TORTURE[b]} for a, b in ((10, 11), (6, 0), (41, 12))]
        tokens = {x: t.id_to_token(x) for x in range(0, t.get_vocab_size(), 37)}
        data.write(sys.argv[1], f"family_{family}.json",
                   {"tokenizer": j, "vocab_size": t.get_vocab_size(), "tokens": tokens,
                    "cases": [data.family_case(t, r) for r in rows]})

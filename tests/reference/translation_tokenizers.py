#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/data/tokenizers/translation.json: folders of Marian and M2M100 (SentencePiece models in base64, a
vocab.json with ids of its own) and what the slow tokenizers of transformers make of them: ids of sources and targets,
text of ids. Usage: translation_tokenizers.py OUT_DIR
"""
import base64
import json
import random
import sys
import tempfile

import sentencepiece as spm
import transformers

import slow_tokenizers as folders
import tokenizers_data as data

rng = random.Random(7)
MODELS = {
    "source.model": folders.train_spm("unigram", 190, unk_id=1, eos_id=0, bos_id=-1),
    "target.model": folders.train_spm("unigram", 150, unk_id=1, eos_id=0, bos_id=-1, split_digits=True),
    "bpe.model": folders.train_spm("bpe", 230, unk_id=3, bos_id=0, eos_id=2, pad_id=1),
    "spaces.model": folders.train_spm("unigram", 160, remove_extra_whitespaces=False, add_dummy_prefix=False),
}


def pieces(name):
    p = spm.SentencePieceProcessor(model_proto=base64.b64decode(MODELS[name]))
    return [p.id_to_piece(i) for i in range(p.get_piece_size())
            if not (p.is_control(i) or p.is_unknown(i))]


def vocab(first, names, leave_out):
    """Ids of the pieces in a random order; some pieces are missing, some strings are no pieces."""
    union = sorted(set(x for n in names for x in pieces(n)))
    rng.shuffle(union)
    union = union[leave_out:] + ["日本", "😁", "ﬁ", ">>fra<<", ">>deu<<", ">>cmn_Hans<<"]
    return json.dumps({t: i for i, t in enumerate(first + [x for x in union if x not in first])}, ensure_ascii=False)


MARIAN = ["</s>", "<unk>"]
FILES = dict(MODELS, **{
    "marian.json": vocab(MARIAN + ["<pad>"], ["source.model", "target.model"], 12),
    "source.json": vocab(MARIAN + ["<pad>"], ["source.model"], 6),
    "target.json": vocab(MARIAN + ["<pad>"], ["target.model"], 6),
    "m2m.json": vocab(["<s>", "<pad>", "</s>", "<unk>"], ["bpe.model"], 8),
    "unigram.json": vocab(["<s>", "<pad>", "</s>", "<unk>"], ["source.model"], 8),
    "spaces.json": vocab(MARIAN + ["<pad>"], ["spaces.model", "target.model"], 4)})
SHARED = {"source.spm": "source.model", "target.spm": "target.model", "vocab.json": "marian.json"}
SEPARATE = {"source.spm": "source.model", "target.spm": "target.model", "vocab.json": "source.json",
            "target_vocab.json": "target.json"}
M2M = {"sentencepiece.bpe.model": "bpe.model", "vocab.json": "m2m.json"}
CODES = transformers.models.m2m_100.tokenization_m2m_100.FAIRSEQ_LANGUAGE_CODES
FOLDERS = [
    ("MarianTokenizer", SHARED, {"source_lang": "eng", "target_lang": "deu"}, {}),
    ("MarianTokenizer", SHARED, {}, {"special_tokens_map.json": {"additional_special_tokens": ["<new>", ">>fra<<"]},
                                     "added_tokens.json": {"mixed Word": 500, "<new>": 501}}),
    ("MarianTokenizer", SEPARATE, {"separate_vocabs": True}, {}),
    ("MarianTokenizer", {"source.spm": "spaces.model", "target.spm": "spaces.model", "vocab.json": "spaces.json"}, {},
     {}),
    ("MarianTokenizer", dict(SHARED, **{"source.spm": "bpe.model"}), {}, {}),
    ("M2M100Tokenizer", M2M, {"additional_special_tokens": [f"__{x}__" for x in CODES["m2m100"]]}, {}),
    ("M2M100Tokenizer", M2M, {"src_lang": "de", "tgt_lang": "fr"}, {}),
    ("M2M100Tokenizer", {"sentencepiece.bpe.model": "source.model", "vocab.json": "unigram.json"},
     {"language_codes": "wmt21", "src_lang": "cs"}, {}),
]
TEXTS = folders.TEXTS + [
    ">>fra<< the quick brown fox", ">>deu<<the", ">>xyz<< the", ">>a b<< c", " >>fra<< the", ">>fra the", "a >>fra<< b",
    "a</s>>>deu<< b", ">>cmn_Hans<<", "__en__ hello", "hello __fr__world __de__", "日本 語 日本語😁", "ﬁ", "▁", "\u3000 a\u3000",
    "the\n\nend\n", "a  b   c", "mixed Word<new> x", "\u00a0 nbsp\u00a0", "ab\u0000c"]


def decodes(t):
    for _ in range(40):
        ids = [rng.randrange(len(t)) if rng.random() < 0.8 else rng.randrange(4) for _ in range(rng.randint(1, 9))]
        yield {"ids": ids, "decoded": t.decode(ids, clean_up_tokenization_spaces=False),
               "skipped": t.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)}


def row(t, text, marian):
    ids = t(text)["input_ids"]
    out = {"text": text, "ids": ids, "decoded": t.decode(ids, clean_up_tokenization_spaces=False),
           "skipped": t.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)}
    if marian:
        out["target"] = t(text_target=text)["input_ids"]
    return out


def folder(name, files, config, more):
    with tempfile.TemporaryDirectory() as path:
        folders.write_folder(path, files, config, more, name)
        t = getattr(transformers, name).from_pretrained(path)
        marian = name[:2] == "Ma"
        out = {"class": name, "files": files, "config": config, "more": more, "size": len(t),
               "special": {k: [v, t.convert_tokens_to_ids(v)] for k, v in t.special_tokens_map.items()
                           if isinstance(v, str)},
               "pair": t("the quick", "brown fox")["input_ids"], "cases": [row(t, x, marian) for x in TEXTS],
               "decodes": list(decodes(t))}
        if not marian:
            t.src_lang, t.tgt_lang = "ru", "zh"
            out["source"] = ["ru", t("the fox")["input_ids"]]
            out["target"] = ["zh", t(text_target="the fox")["input_ids"]]
        return out


if __name__ == "__main__":
    folders.FILES.update(FILES)
    data.write(sys.argv[1], "translation.json",
               {"versions": f"transformers {transformers.__version__}, sentencepiece {spm.__version__}",
                "files": FILES, "folders": [folder(*f) for f in FOLDERS]})

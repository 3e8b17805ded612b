#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/data/tokenizers/{normalizers,...}.json: every component of tokenizer.json on its own.

Expected values come from Hugging Face tokenizers (version recorded in the files), character maps
from SentencePiece's trainer. Usage: tokenizer_components.py OUT_DIR
"""
import base64
import io
import json
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer

from tokenizers_data import replace, seq, shell, torture, write

AWKWARD = [
    "½ ¼½", "e\u0301x E\u0301 A\u0300\u0301", "a\r\nb\r\n\r\nc\rd\n", "a\u200db \u200d\u200d", "ﬁ ﬃ x\ufb01\u0301",
    "ｶﾞ ｶ\u0301 ﾊﾟ", "\u0915\u094d\u0937\u094d\u0958\u0301 \u0958\u0301", "©\u200d©\u0301 ©\u0301 ©\u200d\u0301©",
    "👩\u200d👩\u200d👧\u200d👦👍🏽 🇩🇪🇫🇷🇩 ❤\ufe0f 1\ufe0f\u20e3", "\u1100\u1161\u11a8\u0301 \uac00\u11a8 각 \u1100\u0301",
    "\u0600a\u0301 \u06dd\u0661", "กำ กำ\u0301 \u0e33", "\u0301\u0301a \u200d", "\u00ad\u0301x\u00ad", "\ufeff\u200b\u200e\u200f\u2060",
    "\x00\x01\x08\x0b\x1f\x7f\x80\x8f\x9f\x85 ok", "中a文，字\u3400\U00020000\U0002b820\U0002b920\uf900", "ÀÉÎõü ŁØ İIıi ẞß ΣΑΣ",
    "\ue000\U000f0000\ufdd0\ufffe\ufffd|\u0378|\U000e0001", "Ⅷ①²𝟘½ ٣ 一", "q\u0307\u0323 \u0323\u0307 a\u0345\u0301",
    "\u166d\U000111c9 \u2e5d ¿¡§¶ $+<=>^`|~ €", "\u3099 か\u3099 は\u309a", "x\u0300\u0488\u20dd\u093f\u0903y", "\u1cf4\u1df9\u08d4\U00011a3a\u0b95\u0bcd",
    "\U0001d15e \u0344 \u0f73 \u0f71\u0f72 \u2126 \u212b", "ⓐ ㍿ ㎏ ﷺ ℌ ™", "  a  b\u00a0\u2003c\u3000 \t\n", "Ab ▁▁c▁ ▁",
]
TEXTS = AWKWARD + [t for t in torture(99, 25) if len(t) < 40]

RULES = [
    ("½", "1/2"), ("¼", ""), ("e\u0301", "é"), ("A\u0300", "À"), ("A\u0300\u0301", "Â"), ("\r\n", "<>"), ("\n", " "),
    ("\u200d", ""), ("ﬁ", "fi"), ("ﬃ", "ffi"), ("ｶ", "カ"), ("ｶﾞ", "ガ"), ("ﾊﾟ", "パ"), ("\u0958", "\u0915\u093c"),
    ("©", "(c)"), ("👩", "w"), ("\U0001f1e9", "D"), ("❤", "<3"), ("1", "one"), ("\u1100", "g"), ("\u1161", "a"),
    ("\u0600", "#"), ("a\u0301", "á"), ("\u0e33", "\u0e4d\u0e32"), ("\u00ad", ""), ("\ufeff", " "), ("\u200b", ""), ("中", "ZHONG"),
    ("İ", "i\u0307"), ("²", "2"), ("²x", "?"), ("\u0301", "'"), ("か", "ka"), ("か\u3099", "ga"), ("x", "X"), ("xy", "XY"),
    ("\U0001d15e", "\U0001d157\U0001d165"), ("™", "TM"), ("\u3000", " "), ("\t", " "), ("ﷺ", "صلى الله"), ("\x01", ""), ("~", "\u2248"),
]


def charsmap(rules=None, name=None):
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as f:
        for source, target in rules or []:
            f.write("\t".join(" ".join("%X" % ord(c) for c in s) for s in (source, target)) + "\n")
        f.flush()
        model = io.BytesIO()
        kind = {"normalization_rule_name": name} if name else {"normalization_rule_tsv": f.name}
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a b c d e f g h"] * 50), model_writer=model, vocab_size=20,
            minloglevel=2, hard_vocab_limit=False, **kind)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()


def bert(clean, chinese, accents, lower):
    return {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": chinese,
            "strip_accents": accents, "lowercase": lower}


PRECOMPILED = {"type": "Precompiled", "precompiled_charsmap": charsmap(RULES)}
NORMALIZERS = [
    PRECOMPILED, {"type": "NFC"}, {"type": "NFD"}, {"type": "NFKC"}, {"type": "NFKD"}, {"type": "Lowercase"},
    {"type": "StripAccents"}, {"type": "Nmt"}, {"type": "ByteLevel"},
    bert(True, True, None, True), bert(True, True, None, False), bert(False, False, True, False),
    bert(True, False, False, False), bert(False, True, False, False), bert(False, False, None, True),
    {"type": "Strip", "strip_left": True, "strip_right": True},
    {"type": "Strip", "strip_left": True, "strip_right": False},
    {"type": "Strip", "strip_left": False, "strip_right": True}, {"type": "Prepend", "prepend": "▁x"},
    replace("a", ""), replace(" ", "▁▁"), replace("", "-"),
    {"type": "Replace", "pattern": {"Regex": r"\s{2,}"}, "content": " "},
    {"type": "Replace", "pattern": {"Regex": r"(?<=[a-z])\p{N}+"}, "content": "#"},
    seq("n", [{"type": "NFKD"}, {"type": "Lowercase"}, {"type": "Prepend", "prepend": " "}]),
    seq("n", [{"type": "Nmt"}, PRECOMPILED, {"type": "StripAccents"}, {"type": "Strip", "strip_left": False,
              "strip_right": True}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]),
    seq("n", [bert(True, True, True, True), {"type": "NFC"}, {"type": "ByteLevel"}]),
    seq("n", [seq("n", []), {"type": "Prepend", "prepend": "é"}, {"type": "NFKD"}, {"type": "StripAccents"}]),
]


def normalizer_rows(j):
    """[normalized, [begin, end of each character in the original]]; offsets from a model that does
    not know any character and gives each a token of its own."""
    t = shell(normalizer=j, model={"type": "BPE", "vocab": {"unknown": 0}, "merges": [],
                                   "unk_token": "unknown", "fuse_unk": False})
    for text in TEXTS:
        yield [t.normalizer.normalize_str(text), [x for o in t.encode(text).offsets for x in o]]


def normalizers(out_dir):
    write(out_dir, "normalizers.json", {"texts": TEXTS, "normalizers": [
        {"json": j, "rows": list(normalizer_rows(j))} for j in NORMALIZERS]})


if __name__ == "__main__":
    normalizers(sys.argv[1])

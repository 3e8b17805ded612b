#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes normalizers.json, pre_tokenizers.json, decoders.json and encodings.json: every component of
tokenizer.json on its own, and encodings of pairs and pre-split words, truncated and padded;
graphemes.json and scores.json.

Expected values come from Hugging Face tokenizers (version recorded in the files), character maps
from SentencePiece's trainer, grapheme clusters from ICU (through node). Usage: tokenizer_components.py OUT_DIR
"""
import base64
import io
import json
import random
import struct
import subprocess
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer

from tokenizers_data import (BYTE, BYTE_RE, SPM_DECODER, added, replace, seq, shell, split, template,
                             torture, write)

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


def write_rules(path):
    """RULES as SentencePiece's normalization_rule_tsv."""
    with open(path, "w") as f:
        for rule in RULES:
            f.write("\t".join(" ".join("%X" % ord(c) for c in s) for s in rule) + "\n")


def charsmap(name=None):
    """A character map of SentencePiece, or that of RULES."""
    with tempfile.NamedTemporaryFile(suffix=".tsv") as f:
        write_rules(f.name)
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


PRECOMPILED = {"type": "Precompiled", "precompiled_charsmap": charsmap()}
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


BEHAVIORS = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
PRE_TOKENIZERS = [
    BYTE, BYTE_RE, dict(BYTE_RE, add_prefix_space=True),
    {"type": "Digits", "individual_digits": True}, {"type": "Digits", "individual_digits": False},
    {"type": "Whitespace"}, {"type": "WhitespaceSplit"}, {"type": "BertPreTokenizer"},
    {"type": "UnicodeScripts"}, {"type": "FixedLength", "length": 1}, {"type": "FixedLength", "length": 3},
    {"type": "CharDelimiterSplit", "delimiter": " "}, {"type": "CharDelimiterSplit", "delimiter": "本"},
] + [{"type": "Punctuation", "behavior": b} for b in BEHAVIORS
] + [{"type": "Split", "pattern": p, "behavior": b, "invert": i}
     for p in ({"String": "a"}, {"Regex": r"\s"}) for i in (False, True)
     for b in BEHAVIORS
] + [{"type": "Split", "pattern": {"String": ""}, "behavior": "Isolated", "invert": False}
] + [{"type": "Metaspace", "replacement": "▁", "prepend_scheme": s, "split": p}
     for s in ("always", "first", "never") for p in (True, False)
] + [seq("p", [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁",
                                             "prepend_scheme": "first", "split": True}]),
     seq("p", [{"type": "Punctuation", "behavior": "Contiguous"}, BYTE, split("[0-9][0-9][0-9]")]),
     seq("p", [split(r"\p{N}{1,3}(?=(?:\p{N}{3})*$)"), BYTE_RE]),
     seq("p", [{"type": "UnicodeScripts"}, seq("p", [{"type": "BertPreTokenizer"}]), BYTE])]

DECODERS = [
    (BYTE, [["Ġa", "b", "Ã", "©", "Ã"], ["ĠðŁĺ", "ģ", "<s>", "日"], []]),
    (None, [["a", "b"], []]),
    ({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
     [["▁a▁", "▁b", "c▁"], ["▁"], []]),
    ({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": True},
     [["▁a▁", "▁b"]]),
    (seq("d", SPM_DECODER), [["▁a", "<0xC3>", "<0xA9>", "b"], ["<0xC3>", "x"], ["<0xe2>", "<0x82>"],
                             ["<0x4g>", "<0x41>"]]),
    ({"type": "Strip", "content": "a", "start": 1, "stop": 2}, [["aabaaa", "abaa", "bab"]]),
    ({"type": "WordPiece", "prefix": "##", "cleanup": True},
     [["##a", "##b", "c", "'", "s", ".", "do not", "n't", "!"]]),
    ({"type": "WordPiece", "prefix": "##", "cleanup": False}, [["a", "##b", ".", "##"]]),
    ({"type": "BPEDecoder", "suffix": "</w>"}, [["a", "b</w>", "c</w>"], ["</w></w>a"]]),
    ({"type": "BPEDecoder", "suffix": ""}, [["aé", "b", ""], ["é"]]),
    ({"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True},
     [["<pad>", "h", "h", "e", "<pad>", "l", "l", "<pad>", "l", "o", "|", "|", " ."], ["a<pad>", "<pad><pad>b|"]]),
    ({"type": "CTC", "pad_token": "", "word_delimiter_token": "", "cleanup": True}, [["ab", "ab", "é"]]),
    ({"type": "CTC", "pad_token": "p", "word_delimiter_token": "|", "cleanup": False}, [["pp", "a|", "a|", " ."]]),
    (seq("d", [{"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": "_"},
               {"type": "Fuse"}]), [["a  b", " c "]]),
]


def pre_tokenizers(out_dir):
    texts = [t for t in TEXTS if len(t) < 26]
    rows = []
    for j in PRE_TOKENIZERS:
        p = shell(pre_tokenizer=j).pre_tokenizer
        found = [p.pre_tokenize_str(t) for t in texts]
        rows.append({"json": j, "rows": [
            [[s for s, _ in pieces], [x for _, o in pieces for x in o]] for pieces in found]})
    write(out_dir, "pre_tokenizers.json", {"texts": texts, "pre_tokenizers": rows})


def decoders(out_dir):
    rows = []
    for j, lists in DECODERS:
        d = shell(decoder=j).decoder
        rows.append({"json": j, "cases": [
            [x, " ".join(x) if d is None else d.decode(x)] for x in lists]})
    write(out_dir, "decoders.json", {"decoders": rows})


ADDED = ["<s>", "</s>", "<pad>"]
IDS = {t: i for i, t in enumerate(ADDED)}
ROBERTA = {"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0]}
PAIR_WITH_MANY = template("<s>:1 A:3 </s>:1", "B:2 <pad>:7 <s>:5 A:1 </s>:4", IDS)
PAIR_WITH_MANY["special_tokens"]["<s>"].update(ids=[0, 2], tokens=["<s>", "<two>"])
POST_PROCESSORS = [
    None, dict(BYTE, trim_offsets=True), dict(BYTE, trim_offsets=True, add_prefix_space=True),
    {"type": "BertProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0]},
    dict(ROBERTA, trim_offsets=True, add_prefix_space=True),
    dict(ROBERTA, trim_offsets=False, add_prefix_space=False),
    template("<s>:0 A:0 </s>:0", "<s>:0 A:0 </s>:0 B:1 </s>:1", IDS), PAIR_WITH_MANY,
    template("A:0", "A:0", IDS),
    seq("q", [dict(BYTE, trim_offsets=True), template("<s>:0 A:0", "<s>:0 A:0 <s>:1 B:1", IDS)]),
]
WORDS = "the quick brown  fox\njumps over the lazy dog's <mask> 日本 é <s> naïve\t2024 the".split(" ")


def byte_level_tokenizer(post):
    """Every byte a token, and a few merges."""
    from tokenizers import pre_tokenizers as original
    vocab = ADDED + sorted(original.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("o", "v"), ("ov", "er"), ("e", "r"), ("Ġ", "o"),
              ("Ġ", "Ġ"), ("Ã", "©"), ("l", "a")]
    merges = [("e", "r")] + [m for m in merges if m != ("e", "r")]
    vocab += [a + b for a, b in merges]
    ids = {t: i for i, t in enumerate(vocab)}
    tokens = [added(t, IDS[t]) for t in ADDED] + [added("<mask>", len(vocab), lstrip=True)]
    model = {"type": "BPE", "vocab": ids, "merges": [list(m) for m in merges]}
    return json.loads(shell(model=model, added_tokens=tokens, pre_tokenizer=BYTE_RE,
                            post_processor=post, decoder=BYTE).to_str())


def encoding_row(rng, post):
    def text(low, high):
        count, first = rng.randint(low, high), rng.randrange(len(WORDS))
        return (WORDS[first:] + WORDS)[:count]
    row = {"add_special_tokens": rng.random() < 0.75}
    split_words = rng.random() < 0.35
    high = rng.choice((2, 4, 8))
    row["words" if split_words else "text"] = text(0, high)
    if rng.random() < 0.55:
        row["pair_words" if split_words else "pair"] = text(0, high)
    for key in ("text", "pair"):
        if key in row:
            row[key] = rng.choice(("", " ")) + " ".join(row[key])
    if rng.random() < 0.6:
        row["truncation"] = {"max_length": rng.choice((0, 2, 4, 5, 7, 9, 12)),
                             "stride": rng.choice((0, 0, 1, 2, 3)),
                             "strategy": rng.choice(("longest_first", "only_first", "only_second")),
                             "direction": rng.choice(("left", "right"))}
    if rng.random() < 0.5:
        row["padding"] = {"direction": rng.choice(("left", "right")), "pad_id": 2, "pad_type_id": 9,
                          "pad_token": "<pad>", "length": rng.choice((None, 0, 6, 14)),
                          "pad_to_multiple_of": rng.choice((None, 4))}
    if post is None:  # the original then forgets the sequence ids of padding and of what overflows
        row.pop("padding", None)
        if "pair" in row or "pair_words" in row:
            row.pop("truncation", None)
    return row


def as_json(e):
    out = {"ids": e.ids, "offsets": [x for o in e.offsets for x in o], "type_ids": e.type_ids,
           "attention_mask": e.attention_mask, "special_tokens_mask": e.special_tokens_mask,
           "word_ids": e.word_ids, "sequence_ids": e.sequence_ids}
    if e.overflowing:
        out["overflowing"] = [as_json(o) for o in e.overflowing]
    return out


def queries(e):
    """Every position through every mapping of the encoding."""
    out = {"token_to_sequence": [], "token_to_chars": [], "token_to_word": [], "sequences": []}
    for i in range(len(e.ids)):
        for name in ("token_to_sequence", "token_to_chars", "token_to_word"):
            out[name].append(getattr(e, name)(i))
    for s in sorted({s for s in e.sequence_ids if s is not None}):
        out["sequences"].append({"sequence": s} | {name: [getattr(e, name)(i, s) for i in range(12)] for name in (
            "word_to_tokens", "word_to_chars", "char_to_token", "char_to_word")})
    return out


def aligned_labels(word_ids, labels, label_all_tokens):
    """tokenize_and_align_labels of transformers' token classification examples."""
    out, previous = [], None
    for word in word_ids:
        if word is None:
            out.append(-100)
        elif word != previous:
            out.append(labels[word])
        else:
            out.append(labels[word] if label_all_tokens else -100)
        previous = word
    return out


def encode_row(j, row):
    t = Tokenizer.from_str(json.dumps(j))
    is_pair = "pair" in row or "pair_words" in row
    if "truncation" in row and row["truncation"]["max_length"] < max(
            t.num_special_tokens_to_add(False), t.num_special_tokens_to_add(is_pair)):
        return None  # an unsigned number wraps around in the original
    try:
        if "truncation" in row:
            t.enable_truncation(**row["truncation"])
        if "padding" in row:
            t.enable_padding(**row["padding"])
        words = "words" in row
        e = t.encode(row["words" if words else "text"], row.get("pair_words" if words else "pair"),
                     is_pretokenized=words, add_special_tokens=row["add_special_tokens"])
    except BaseException as error:  # panics of the original are no Exception
        return {**row, "error": str(error)}
    row = {**row, "encoding": as_json(e)}
    if "truncation" not in row:
        row["queries"] = queries(e)
    if words and not is_pair:
        row["labels"] = [aligned_labels(e.word_ids, range(100, 200), every) for every in (False, True)]
    return row


def encodings(out_dir):
    rng = random.Random(20)
    rows = []
    for post in POST_PROCESSORS:
        j = byte_level_tokenizer(post)
        found = [encode_row(j, encoding_row(rng, post)) for _ in range(36)]
        # chunks of chunks grow large
        rows.append({"post_processor": post,
                     "rows": [r for r in found if r and len(json.dumps(r)) < 3000]})
    write(out_dir, "encodings.json", {"tokenizer": byte_level_tokenizer(None), "cases": rows})


# One character or more of every class of Unicode Standard Annex 29.
BREAKING = ("a \r\n\x01\u00ad\u0301\u200d\U0001f1e6\U0001f1ff\u0600\u06dd\u0903\u0e33\u1100\u1161\u11a8\uac00\uac01"
            "😀👩©❤\ufe0f\U0001f3fd\u0915\u0937\u094d\u093c\u0995\u09cd\u0d15\u0d4d\u200c\U000e0001\U000e0061\u0308")


def graphemes(out_dir):
    rng = random.Random(29)
    texts = ["".join(rng.choice(BREAKING) for _ in range(rng.randint(1, 9))) for _ in range(1500)]
    texts += [t for t in AWKWARD if "\U00011a3a" not in t]  # of another class in node's Unicode
    done = subprocess.run(["node", "-e", """
        const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
        const segmenter = new Intl.Segmenter("en", {granularity: "grapheme"});
        console.log(JSON.stringify(texts.map(
            t => [...segmenter.segment(t)].map(s => [...s.segment].length))));"""],
                          input=json.dumps(texts).encode(), stdout=subprocess.PIPE, check=True)
    rows = [[t, lengths] for t, lengths in zip(texts, json.loads(done.stdout))]
    write(out_dir, "graphemes.json", {"cases": rows})


def scores(out_dir):
    """Decimal texts and the number that the original reads, as the scores of a Unigram model."""
    rng = random.Random(8)
    texts = [repr(struct.unpack("f", struct.pack("f", -15 * rng.random()))[0]) for _ in range(300)]
    texts += [repr(-rng.random() * 10 ** rng.randint(-30, 12)) for _ in range(150)]
    texts += ["%s%d.%0*dE%+d" % (rng.choice(("-", "")), rng.randrange(10 ** rng.randint(1, 24)), rng.randint(1, 24),
                                 rng.randrange(10 ** 20), rng.randint(-330, 250)) for _ in range(150)]
    texts += ["0.0", "-0.0", "-12", "7", "18446744073709551615", "18446744073709551616", "-99999999999999999999.5",
              "1e-400", "0.1e1", "1.0e-0", "123456789012345678901234567890.25", "4.9e-324", "0.000000000000000000000001",
              "1.00000000000000000000000000000001", "9007199254740993.0", "1e308", "17.976931348623157E307"]
    pieces = ",".join('["p%d",%s]' % pair for pair in enumerate(texts))
    t = Tokenizer.from_str('{"version":"1.0","model":{"type":"Unigram","unk_id":0,"vocab":[%s]}}' % pieces)
    write(out_dir, "scores.json", {"cases": [
        [text, score] for text, (_, score) in zip(texts, json.loads(t.to_str())["model"]["vocab"])]})


if __name__ == "__main__":
    for make in (normalizers, pre_tokenizers, decoders, encodings, graphemes, scores):
        make(sys.argv[1])

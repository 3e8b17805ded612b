#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/data/tokenizers/: small tokenizers of every family's shape with expected results.

Everything comes from Hugging Face tokenizers (version recorded in the files). family_*.json: a
tokenizer.json (BPE trained on the text below) and cases {text[, pair], ids, offsets, ...};
patterns.json: regular expressions;
normalization.json: the four forms. Single components: tokenizer_components.py. Usage: tokenizers_data.py OUT_DIR
"""
import json
import random
import sys

import tokenizers as hf
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, trainers

C = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
P, U, W = r"[^\r\n\p{L}\p{N}]?", r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = C + "|" + P + r"\p{L}+|\p{N}{1,3}|" + TAIL
QWEN2 = C + "|" + P + r"\p{L}+|\p{N}|" + TAIL
QWEN35 = (C + "|" + P + r"[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
O200K_TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = (P + U + "*" + W + "+" + C + "?|" + P + U + "+" + W + "*" + C + r"?|\p{N}{1,3}|" +
         O200K_TAIL)
TEKKEN = P + U + "*" + W + "+|" + P + U + "+" + W + r"*|\p{N}|" + O200K_TAIL
DEEPSEEK = [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^" "\r\n" r"\p{L}\p{P}\p{S}]?"
            r"[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[" "\r\n" r"]*|\s*[" "\r\n" r"]+|\s+(?!\S)|\s+"]

TEXT = """The quick brown fox jumps over the lazy dog. It's a truth universally acknowledged, that a
single man in possession of a good fortune, must be in want of a wife. Don't we'll they've I'm you'd.
def add(first, second):
    return first + second  # 12345 + 67890
HELLO World, camelCase and snake_case; XMLHttpRequest() -> {"key": [1, 2.5, null]}
Le cœur déçu mais l'âme plutôt naïve, Louÿs rêva de crapaüter en canoë. Straße über Öl.
Съешь же ещё этих мягких французских булок, да выпей чаю. Ελληνικά κείμενα.
日本語のテキストと中文文本。これはテストです。我能吞下玻璃而不伤身体。한국어 문장입니다.
العربية نص عربي للاختبار. עברית טקסט. हिन्दी में परीक्षण पाठ. ภาษาไทย ทดสอบ. Tiếng Việt có dấu.
😀 😁 👩‍👩‍👧 🇩🇪 ½ ① Ⅷ ﬁ e\u0301 www.example.com/path?x=1&y=2 foo@bar.org 3.14159 1,000,000
""".split("\n")

TORTURE = [
    "", " ", "  ", "\n", "\t", " \n ", "a", " a", "a ", "  a  b  ", "Hello, y'all! How are you 😁 ?",
    " it'ſ  3 500€\n\n\tx", "日本語ABCdé e\u0301 ﬁ", "def f(x):\n    return x**2  # ½",
    "IT'S DON'T we'Ll I'D 'S 'RE x've 'ſ s'", "camelCaseXMLHttp ÀÉÎ ǅungla ʰx ªº 日ABC ABC日",
    "1 12 123 1234 12345 1,234.56 ٣٤٥ Ⅷ ①② ½¾ 𝟘𝟙", "\r\n\r\n a\r\nb\n\n\nc \n d", "a\u00a0b\u2003c\u3000d",
    "\ufeffBOM \u200bzero\u200dwidth\u2060 \u00adsoft", "👩‍👩‍👧‍👦 👍🏽 🇩🇪🇫🇷 ❤️ 1️⃣", "q\u0307\u0323 q\u0323\u0307 à ạ̇ ཱི",
    "각 각 각ᆨ 각", "Åå Å ﬀ ™ ㎏ ｶﾞ ½ ℌ", "नमस्ते दुनिया क्षत्रिय", "สวัสดีชาวโลก", "שלום עולם ‏RTL‏",
    "مرحبا بالعالم ﷺ", "ΑΣ ΌΔΟΣ ς İI ı ẞ ß", "\x00\x01\x1f\x7f\x80\x9f", "\U0010ffff\ue000\ufffd\ufffe",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "===-----====/////*****#####!!!!!....", "{[(<\"'`~@#$%^&*|\\/?>)]}", "foo.bar_baz-qux/quux:8080?x=%20#y",
    "▁▁a ▁b▁", "Ġx Ċ ĉ", "<0x41> <0x0A>", "<s> </s> <unk>", "x<s>y", "a  <mask>  b <mask>.", "<s><s> <pad>",
    "tok1 tok1x xtok1 tok1", "NormTok normtok NORMTOK", "don't.do n't , ! ? . 's 're", "\n\n\n\t\t\t    \n",
    "the the the the the the", "Съешь же ещё этих мягких", "我能吞下玻璃而不伤身体。", "これはテストです", "Tiếng Việt có dấu",
    "🦙🦙 🦙", "mixed日本English語text", "x\u0301\u0302\u0303\u0304y", "\u0301start", "end\u0301", " \u0301 ",
    "tab\tsep\tvalues\r", "trailing   ", "   leading", "a\u2028b\u2029c\u0085d", "0x1F 1e-5 ١٢٣ x² ¹½¼a", "A1b2C3",
    "#include <vector>\nint main() { return 0; }\n", "https://a.b/c?d=e&f=g", "résumé naïve coöperate",
]

ADDED = ["<s>", "</s>", "<unk>", "<pad>"]


def torture(seed, count):
    rng = random.Random(seed)
    pool = [c for t in TORTURE for c in t] + list(" \n'") * 20
    wide = [(0x20, 0x7e), (0xa0, 0x24f), (0x300, 0x36f), (0x370, 0x5ff), (0x600, 0xfff),
            (0x1000, 0x1fff), (0x2000, 0x2fff), (0x3000, 0x9fff), (0xa000, 0xffff),
            (0x10000, 0x1ffff)]
    out = list(TORTURE)
    for _ in range(count):
        text = []
        for _ in range(rng.randint(1, 14)):
            if rng.random() < 0.7:
                text.append(rng.choice(pool))
            else:
                low, high = rng.choice(wide)
                c = rng.randint(low, high)
                text.append("x" if 0xD800 <= c <= 0xDFFF else chr(c))
        out.append("".join(text))
    return out


def added(content, id_, **flags):
    token = {"id": id_, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
    token.update(flags)
    return token


def template(single, pair, ids):
    def piece(text):
        name, type_id = text.split(":")
        if name in "AB":
            return {"Sequence": {"id": name, "type_id": int(type_id)}}
        return {"SpecialToken": {"id": name, "type_id": int(type_id)}}
    names = {t.split(":")[0] for t in (single + " " + pair).split()} - {"A", "B"}
    return {"type": "TemplateProcessing", "single": [piece(t) for t in single.split()],
            "pair": [piece(t) for t in pair.split()],
            "special_tokens": {n: {"id": n, "ids": [ids[n]], "tokens": [n]} for n in sorted(names)}}


def split(regex, behavior="Isolated"):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": False}


def replace(a, b):
    return {"type": "Replace", "pattern": {"String": a}, "content": b}


BYTE = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
BYTE_RE = dict(BYTE, use_regex=True)


def seq(kind, items):
    key = {"n": "normalizers", "p": "pretokenizers", "d": "decoders", "q": "processors"}[kind]
    return {"type": "Sequence", key: items}


BAR = "▁"
SPM_DECODER = [replace(BAR, " "), {"type": "ByteFallback"}, {"type": "Fuse"}]
SPECIAL = {t: i for i, t in enumerate(ADDED)}
BOS = template("<s>:0 A:0", "<s>:0 A:0 <s>:1 B:1", SPECIAL)

# name: normalizer, pre_tokenizer, post_processor, decoder, model options, trainer options
FAMILIES = {
    "gpt2": (None, BYTE_RE, dict(BYTE, trim_offsets=False), BYTE, {}, {}),
    "roberta": (None, dict(BYTE_RE, add_prefix_space=True),
                {"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0],
                 "trim_offsets": True, "add_prefix_space": True}, BYTE, {}, {}),
    "smollm": (None, seq("p", [{"type": "Digits", "individual_digits": True}, BYTE_RE]), None, BYTE,
               {}, {"holes": True}),
    "llama3": (None, seq("p", [split(LLAMA3), BYTE]),
               seq("q", [dict(BYTE, trim_offsets=False), BOS]), BYTE, {"ignore_merges": True}, {}),
    "qwen2": ({"type": "NFC"}, seq("p", [split(QWEN2), BYTE]), dict(BYTE, trim_offsets=False), BYTE,
              {"continuing_subword_prefix": "", "end_of_word_suffix": ""}, {}),
    "qwen35": ({"type": "NFC"}, seq("p", [split(QWEN35), BYTE]), None, BYTE, {}, {}),
    "o200k": (None, seq("p", [split(O200K), BYTE]), dict(BYTE, trim_offsets=True), BYTE,
              {"ignore_merges": True}, {}),
    "tekken": (None, seq("p", [split(TEKKEN), BYTE]), BOS, BYTE, {"ignore_merges": True}, {}),
    "deepseek": (seq("n", []), seq("p", [split(r) for r in DEEPSEEK] + [BYTE]), None, BYTE, {}, {}),
    "llama2": (seq("n", [{"type": "Prepend", "prepend": BAR}, replace(" ", BAR)]), None, BOS,
               seq("d", SPM_DECODER + [{"type": "Strip", "content": " ", "start": 1, "stop": 0}]),
               {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True}, {"bytes": True}),
    "gemma": (replace(" ", BAR),
              {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
               "invert": False}, BOS, seq("d", SPM_DECODER),
              {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True},
              {"bytes": True, "newlines": True}),
    "metaspace": (None, {"type": "Metaspace", "replacement": BAR, "prepend_scheme": "first",
                         "split": False}, BOS,
                  {"type": "Metaspace", "replacement": BAR, "prepend_scheme": "first",
                   "split": False}, {"unk_token": "<unk>", "fuse_unk": True}, {}),
    "metaspace_split": ({"type": "NFKC"}, {"type": "Metaspace", "replacement": BAR,
                                           "prepend_scheme": "always", "split": True}, None,
                        {"type": "Metaspace", "replacement": BAR, "prepend_scheme": "always",
                         "split": True}, {"unk_token": "<unk>", "fuse_unk": False}, {}),
    "clip": (seq("n", [{"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": r"\s+"},
                                         "content": " "}, {"type": "Lowercase"}]),
             seq("p", [split(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
                             "Removed") | {"invert": True}, BYTE]), None, BYTE,
             {"unk_token": "<unk>", "end_of_word_suffix": "</w>"}, {"suffix": "</w>"}),
    "word": (seq("n", [{"type": "NFD"}, {"type": "Strip", "strip_left": True,
                                         "strip_right": True}, {"type": "Lowercase"}]),
             {"type": "Whitespace"}, {"type": "BertProcessing", "sep": ["</s>", 1],
                                      "cls": ["<s>", 0]},
             {"type": "WordPiece", "prefix": "##", "cleanup": True},
             {"unk_token": "<unk>", "continuing_subword_prefix": "##", "fuse_unk": True},
             {"prefix": "##"}),
}


def make(name):
    norm, pre, post, dec, options, extra = FAMILIES[name]
    shape = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
             "normalizer": norm, "pre_tokenizer": pre, "post_processor": None, "decoder": dec,
             "model": {"type": "BPE", "dropout": None, "unk_token": None,
                       "continuing_subword_prefix": None, "end_of_word_suffix": None,
                       "fuse_unk": False, "byte_fallback": False, "vocab": {}, "merges": []}}
    trainee = Tokenizer.from_str(json.dumps(shape))
    alphabet = pre_tokenizers.ByteLevel.alphabet() if "ByteLevel" in json.dumps(pre) else []
    special = list(ADDED)
    if extra.get("bytes"):
        special += [f"<0x{b:02X}>" for b in range(256)]
    if extra.get("newlines"):
        special += ["\n", "\n\n", "\n\n\n"]
    keep = {k: v for k, v in (("continuing_subword_prefix", extra.get("prefix")),
                              ("end_of_word_suffix", extra.get("suffix"))) if v}
    trainee.train_from_iterator(TEXT * 2, trainers.BpeTrainer(
        vocab_size=len(special) + len(alphabet) + 420, special_tokens=special, show_progress=False,
        initial_alphabet=sorted(alphabet), limit_alphabet=300, **keep))
    j = json.loads(trainee.to_str())
    j["post_processor"] = post
    vocab = j["model"]["vocab"]
    j["model"].update(options)
    if extra.get("holes"):  # bytes without a token, as in SmolLM2
        for b in "ñĹÃ":
            gone = [t for t in vocab if b in t]
            j["model"]["merges"] = [m for m in j["model"]["merges"]
                                    if not any(b in part for part in m)]
            for t in gone:
                vocab.pop(t)
        vocab = {t: i for i, t in enumerate(sorted(vocab, key=vocab.get))}
        j["model"]["vocab"] = vocab
    next_id = max(vocab.values()) + 1
    tokens = [added(t, vocab[t]) for t in ADDED]
    if extra.get("newlines"):
        tokens += [added(t, vocab[t], special=False) for t in ("\n", "\n\n", "\n\n\n")]
    tokens += [added("<mask>", next_id, lstrip=True, rstrip=name in ("word", "llama2")),
               added("tok1", next_id + 1, single_word=True, special=False),
               added("NormTok", next_id + 2, normalized=True, special=False)]
    j["added_tokens"] = tokens
    return j


def family_case(t, row):
    e = t.encode(row["text"], row.get("pair"))
    plain = t.encode(row["text"], row.get("pair"), add_special_tokens=False)
    out = dict(row)
    out.update(ids=e.ids, offsets=[x for o in e.offsets for x in o], plain=plain.ids,
               words=[-1 if w is None else w for w in e.word_ids],
               decoded=t.decode(e.ids, skip_special_tokens=False),
               skipped=t.decode(e.ids, skip_special_tokens=True))
    if "pair" in row:
        out.update(type_ids=e.type_ids, special=e.special_tokens_mask,
                   sequences=[-1 if s is None else s for s in e.sequence_ids])
    return out


def families(out_dir):
    for k, name in enumerate(FAMILIES):
        j = make(name)
        t = Tokenizer.from_str(json.dumps(j))
        rows = [{"text": x} for x in torture(k, 40)]
        rows += [{"text": TORTURE[a], "pair": TORTURE[b]} for a, b in ((10, 11), (6, 0), (41, 12))]
        tokens = {x: t.id_to_token(x) for x in range(0, t.get_vocab_size(), 37)}
        write(out_dir, f"family_{name}.json",
              {"tokenizer": j, "vocab_size": t.get_vocab_size(), "tokens": tokens,
               "cases": [family_case(t, r) for r in rows]})


def shell(**parts):
    shape = {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
             "post_processor": None, "decoder": None,
             "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}
    return Tokenizer.from_str(json.dumps(dict(shape, **parts)))


PATTERNS = [
    GPT2, LLAMA3, QWEN2, QWEN35, O200K, TEKKEN, *DEEPSEEK,
    r" ?[^(\s|[.,!?…。，、।۔،])]+", "[0-9][0-9][0-9]", r"\d{1,3}(?=(?:\d{3})*\b)", r"\s+$", r"^\s+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|"
    r"\s*[\r\n]|\s+(?!\S)|\s+",
    r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{L}&&[^\p{Han}]]+", r"(?<!\w)a|b(?!a)|(?<=a )\w+", r"(?>a+)b|a",
    r"a*?b|a{2}|a{1,2}?", r"(a|ab)(c|bcd)*", r"(?:x*)*", r"x*", r"\w+|[^\w\s]+", r".", r"\b", r"\S+\s?",
    r"[^a-z]+", r"(?i)the|HELLO", r"[a-c[x-z]]", r"\h+", r"\p{^L}+|\P{M}",
    r"\A.|.\z", r"[\w]+|\W", r"[^\W]", r"[\]\-\\^]", r"\x{3042}|\u3044|\t", r"(?:a{0,3}){2,}", r"a|", r"{|a{,2}|b{x}",
]


def patterns(out_dir):
    texts = [t for t in torture(7, 60) if len(t) < 60]
    texts += ["aabab abcbcd xxaxx", "the THE Hello hElLo", "12345678 1234", "a a{,2} b{x} {"]
    rows = []
    for p in PATTERNS:
        s = pre_tokenizers.Split(Regex(p), "isolated")
        rows.append({"regex": p, "cases": [
            [t, [x for _, o in s.pre_tokenize_str(t) for x in o]] for t in texts]})
    # the pieces' ends as one flat list, text once
    write(out_dir, "patterns.json", {"texts": texts, "patterns": [
        {"regex": r["regex"], "ends": [[x for x in c[1][1::2]] for c in r["cases"]]} for r in rows]})


def normalization(out_dir):
    rng = random.Random(3)
    chars = [c for t in TORTURE for c in t if ord(c) > 127]
    marks = [chr(c) for c in (0x300, 0x301, 0x307, 0x323, 0x327, 0x345, 0x334, 0x5b0, 0x64b, 0x93c,
                              0x3099, 0xf71, 0x1161, 0x11a8, 0x1100, 0x9be, 0xac00, 0x1d165)]
    rows = []
    for _ in range(150):
        t = "".join(rng.choice(marks if rng.random() < 0.5 else chars) for _ in range(rng.randint(1, 8)))
        rows.append([t] + [f().normalize_str(t) for f in (
            normalizers.NFC, normalizers.NFD, normalizers.NFKC, normalizers.NFKD)])
    write(out_dir, "normalization.json", rows)


def truncation(out_dir):
    j = make("word")
    rows = []
    words = "the quick brown fox jumps over the lazy dog a single man in want".split()
    for n, m, max_length, stride, strategy, side, pad in (
            (8, 0, 6, 0, "longest_first", "right", None), (8, 0, 6, 2, "longest_first", "right", 8),
            (8, 0, 6, 2, "longest_first", "left", None), (9, 9, 7, 0, "longest_first", "right", 12),
            (9, 3, 8, 1, "longest_first", "right", None), (2, 9, 12, 2, "only_second", "right", 16),
            (9, 2, 12, 1, "only_first", "left", None), (3, 0, 20, 0, "longest_first", "right", 9),
            (8, 0, 2, 0, "longest_first", "right", None)):
        t = Tokenizer.from_str(json.dumps(j))
        t.enable_truncation(max_length, stride=stride, strategy=strategy, direction=side)
        if pad:
            t.enable_padding(direction=side, pad_id=3, pad_type_id=1, pad_token="<pad>", length=pad)
        text, pair = " ".join(words[:n]), " ".join(words[4:4 + m])
        e = t.encode(text, pair) if m else t.encode(text)

        def flat(x):
            return {"ids": x.ids, "offsets": [v for o in x.offsets for v in o],
                    "type_ids": x.type_ids, "attention": x.attention_mask,
                    "special": x.special_tokens_mask}
        rows.append({"text": text, "pair": pair if m else None, "max_length": max_length,
                     "stride": stride, "strategy": strategy, "side": side, "pad": pad, **flat(e),
                     "overflowing": [flat(o) for o in e.overflowing]})
    write(out_dir, "truncation.json", {"tokenizer": j, "cases": rows})


def write(out_dir, name, value):
    if isinstance(value, dict):
        value = {"made_with": "tokenizers " + hf.__version__, **value}
    with open(f"{out_dir}/{name}", "w") as f:
        json.dump(value, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    families(sys.argv[1])
    patterns(sys.argv[1])
    normalization(sys.argv[1])
    truncation(sys.argv[1])

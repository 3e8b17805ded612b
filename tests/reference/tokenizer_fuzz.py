#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares our tokenizers with the Hugging Face library on random text, by the hundred thousand.

Usage: tokenizer_fuzz.py TOKENIZE FOLDER... [-n COUNT] [--seed S] [--batch B] [--show K] [--components]
TOKENIZE is the built example of that name; a FOLDER holds a tokenizer.json (or is that file). With
--components also every component of tokenizer_components.py in front of a model that shows each byte
of the normalized text, SentencePiece's own character maps among them. Ids,
tokens, offsets, type ids, masks, word ids and sequence ids must agree for single texts, pairs and
pre-split words. Prints one line a tokenizer; exit status 1 on any mismatch.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

SCRIPTS = [(0x20, 0x7E)] * 6 + [
    (0, 0x1F), (0x7F, 0xFF), (0x100, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF),
    (0x400, 0x4FF), (0x530, 0x58F), (0x590, 0x6FF), (0x700, 0x8FF), (0x900, 0x97F), (0x980, 0xDFF),
    (0xE00, 0xFFF), (0x1000, 0x109F), (0x10A0, 0x11FF), (0x1200, 0x139F), (0x13A0, 0x17FF),
    (0x1800, 0x1CFF), (0x1D00, 0x1DFF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x218F),
    (0x2190, 0x24FF), (0x2500, 0x27BF), (0x27C0, 0x2DFF), (0x2E00, 0x303F), (0x3040, 0x30FF),
    (0x3100, 0x33FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA000, 0xABFF), (0xAC00, 0xD7FF),
    (0xE000, 0xF8FF), (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFFFF), (0x10000, 0x10FFF),
    (0x11000, 0x11FFF), (0x12000, 0x1CFFF), (0x1D000, 0x1D3FF), (0x1D400, 0x1D7FF),
    (0x1E000, 0x1EFFF), (0x1F000, 0x1F2FF), (0x1F300, 0x1FAFF), (0x20000, 0x323AF),
    (0xE0000, 0xE01EF), (0xF0000, 0x10FFFF)]
WORDS = ("the of and to in is you that it he was for on are with as his they be at one have this "
         "from or had by hot but some what there we can out other were all your when up use word "
         "tokenization unbelievable internationalization antidisestablishmentarianism lowercase "
         "I'm don't it's we've they'll HELLO World camelCase snake_case XMLHttpRequest 日本語 東京 "
         "français naïve Straße русский текст العربية עברית हिन्दी क्षत्रिय ไทย 한국어 Việt ελληνικά "
         "中文测试 これは テスト ｶﾞ ﾊﾟ Ａｂｃ é ñ ﬁ ① ½ Ⅷ ٣ 123 1234567 3.14 0x1F ㎏ ﷺ ™ İ ǅ ʰ Ǆ ẞ "
         "https://example.com/?q=1 a@b.co x.y.z 2024-01-31 12:30 $5.00 50% C++ C# 'S 'ſ ’s “q” ‘q’ "
         "… — – • ▁ ▁▁ Ġ Ċ <0x0A> ## ##ing [UNK] ạ̇ 각 ཱི ́ ̀ q̣̇ e\u0301 \u0041\u030a").split(" ")
EMOJI = ("😀 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 🇩🇪🇫🇷🇩 ❤️ 1️⃣ 👨🏿‍🚀 🧑‍🤝‍🧑 ☺ ©️ ™️ 🦙 🫠 🏴󠁧󠁢󠁥󠁮󠁧󠁿").split(" ")
CODE = ["def f(x):\n    return x**2  # ½\n", "for (int i = 0; i < n; ++i) { a[i] += b[i]; }\n",
        "\tif err != nil {\n\t\treturn err\n\t}\n", "SELECT * FROM t WHERE a='b''c';", "{\"k\": [1, 2.5e-3, null]}",
        "<div class=\"x\">&nbsp;</div>", "#include <vector>\n\n\n", "\\frac{a}{b}^{2}", "$ ls -la | grep '^d' > /dev/null 2>&1\n",
        "/* comment */ //", "x = y if z else w\n", "fn main() -> Result<(), Box<dyn Error>> {\n"]
BLANKS = [" ", "  ", "   ", "\n", "\n\n", "\t", " \n ", "\r\n", "\r", "    ", "\u00a0", "\u3000", "\u2003", "\u200b",
          "\u200d", "\ufeff", "\u2028", "\x0b\x0c", "\x85", " \t \n\n  ", "\u180e", "\u202f"]


def character(rng):
    low, high = rng.choice(SCRIPTS)
    c = rng.randint(low, high)
    return " " if 0xD800 <= c <= 0xDFFF else chr(c)


def random_text(rng, specials):
    """Words, blanks, runs of one script, marks piled on letters, emoji, code, numbers, long words
    and the tokenizer's own special tokens, in any order."""
    parts = []
    for _ in range(rng.choice([0, 1, 1, 2, 2, 3, 5, 8, 13, 21])):
        kind = rng.random()
        if kind < 0.35:
            parts.append(rng.choice(WORDS))
        elif kind < 0.45:
            parts.append("".join(rng.choice(BLANKS) for _ in range(rng.choice([1, 1, 2, 3]))))
        elif kind < 0.60:
            parts.append("".join(character(rng) for _ in range(rng.randint(1, 6))))
        elif kind < 0.70:
            low, high = rng.choice(SCRIPTS)
            run = [rng.randint(low, high) for _ in range(rng.randint(2, 9))]
            parts.append("".join("x" if 0xD800 <= c <= 0xDFFF else chr(c) for c in run))
        elif kind < 0.75:
            marks = [chr(rng.choice((rng.randint(0x300, 0x36F), 0x200D, 0xFE0F, 0x93C, 0x94D, 0x3099, 0x5B0, 0x64B)))
                     for _ in range(rng.randint(1, 4))]
            parts.append(rng.choice("aeioAEIxカかक日ㅏ1 ") + "".join(marks))
        elif kind < 0.80:
            parts.append("".join(rng.choice(EMOJI) for _ in range(rng.randint(1, 3))))
        elif kind < 0.84:
            parts.append(rng.choice(CODE))
        elif kind < 0.89:
            parts.append("".join(rng.choice("0123456789.,") for _ in range(rng.randint(1, 12))))
        elif kind < 0.94 and specials:
            parts.append(rng.choice(specials))
        elif kind < 0.97:
            parts.append(rng.choice(WORDS)[:4] * rng.randint(1, 40))
        else:
            parts.append("".join(rng.choice("abcdefghijklmnopqrstuvwxyzABC'-_") for _ in range(rng.randint(5, 120))))
        if rng.random() < 0.4:
            parts.append(" ")
    return "".join(parts)


def random_row(rng, specials):
    kind = rng.random()
    if kind < 0.9:
        row = {"text": random_text(rng, specials)}
        if kind > 0.84:
            row["pair"] = random_text(rng, specials)
    else:
        row = {"words": [random_text(rng, specials)[:20] for _ in range(rng.randint(0, 6))]}
        if kind > 0.97:
            row["pair"] = [random_text(rng, specials)[:20] for _ in range(rng.randint(0, 4))]
    if rng.random() < 0.1:
        row["add_special_tokens"] = False
    return row


def expected(tokenizer, row):
    words = "words" in row
    e = tokenizer.encode(row["words"] if words else row["text"], row.get("pair"), is_pretokenized=words,
                         add_special_tokens=row.get("add_special_tokens", True))
    return {"ids": e.ids, "tokens": e.tokens, "offsets": [list(o) for o in e.offsets],
            "type_ids": e.type_ids, "attention_mask": e.attention_mask,
            "special_tokens_mask": e.special_tokens_mask, "word_ids": e.word_ids,
            "sequence_ids": e.sequence_ids}


def answers(program, path, rows):
    text = "".join(json.dumps(r) + "\n" for r in rows)
    done = subprocess.run([program, path], input=text.encode(), stdout=subprocess.PIPE)
    lines = [json.loads(line) for line in done.stdout.decode().split("\n") if line]
    if done.returncode or len(lines) != len(rows):
        sys.exit(f"{program} failed on {path}: {len(lines)} of {len(rows)} lines")
    return lines


def component_files(folder):
    """Writes a tokenizer.json a component into the folder and yields the paths."""
    import tokenizer_components as components
    model = {"type": "BPE", "unk_token": "unknown", "byte_fallback": True, "fuse_unk": False, "merges": [],
             "vocab": {"unknown": 0, **{f"<0x{b:02X}>": b + 1 for b in range(256)}}}
    maps = [{"type": "Precompiled", "precompiled_charsmap": components.charsmap(name=name)}
            for name in ("nmt_nfkc", "nmt_nfkc_cf", "nfkc", "nfkc_cf")]
    tokens = [components.added("<s>", 257), components.added("<mask>", 258, lstrip=True, rstrip=True),
              components.added("tok1", 259, single_word=True, special=False),
              components.added("NormTok", 260, normalized=True, special=False)]
    for kind, list_of in (("normalizer", maps + components.NORMALIZERS),
                          ("pre_tokenizer", components.PRE_TOKENIZERS)):
        for i, component in enumerate(list_of):
            path = os.path.join(folder, f"{kind}_{i}_{component['type']}.json")
            with open(path, "w") as f:
                f.write(components.shell(model=model, added_tokens=tokens, **{kind: component}).to_str())
            yield path


def compare(path, args):
    from tokenizers import Tokenizer
    file = path if path.endswith(".json") else os.path.join(path, "tokenizer.json")
    tokenizer = Tokenizer.from_file(file)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    specials = [t.content for t in tokenizer.get_added_tokens_decoder().values()][:300]
    rng = random.Random(args.seed)
    bad = done = 0
    while done < args.n:
        rows = [random_row(rng, specials) for _ in range(min(args.batch, args.n - done))]
        for row, ours in zip(rows, answers(args.tokenize, file, rows)):
            theirs = expected(tokenizer, row)
            wrong = [key for key in theirs if ours.get(key) != theirs[key]]
            if wrong:
                bad += 1
                if bad <= args.show:
                    print("MISMATCH", path, wrong, json.dumps(row), "\n  ours  ", ours.get(wrong[0], ours),
                          "\n  theirs", theirs[wrong[0]], flush=True)
        done += len(rows)
    print(f"{path}: {done} strings, {bad} mismatches", flush=True)
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tokenize")
    parser.add_argument("folders", nargs="*")
    parser.add_argument("-n", type=int, default=200000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, default=20000)
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("--components", action="store_true")
    args = parser.parse_args()
    bad = sum(compare(folder, args) for folder in args.folders)
    if args.components:
        with tempfile.TemporaryDirectory() as folder:
            bad += sum(compare(path, args) for path in component_files(folder))
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peers of tokenizer_speed.

  tokenizing.py texts OUT                      three texts of 5 MB from what a Debian machine has: prose.txt (WordNet's
                                               definitions), code.txt (Python's library), scripts.txt (translated messages)
  tokenizing.py run FOLDER TEXT [--threads 1]  one JSON line for the library `tokenizers`
  tokenizing.py tiktoken FOLDER TEXT           the same vocabulary in tiktoken (byte-level BPE only)
"""
import argparse
import gettext
import json
import os
import pathlib
import re
import statistics
import sys
import sysconfig
import time

parser = argparse.ArgumentParser()
parser.add_argument("mode", choices=["texts", "run", "tiktoken"])
parser.add_argument("folder", type=pathlib.Path), parser.add_argument("text", nargs="?")
parser.add_argument("--threads", type=int, default=1), parser.add_argument("--runs", type=int, default=3)
args = parser.parse_args()
SIZE = 5_000_000


def texts():
    glosses = (line.split("| ", 1)[1].strip() for part in ("noun", "verb", "adj", "adv")
               for line in open(f"/usr/share/wordnet/data.{part}", encoding="utf-8") if "| " in line)
    code = (p.read_text(encoding="utf-8", errors="ignore") for p in sorted(pathlib.Path(sysconfig.get_path("stdlib")).rglob("*.py")))

    def messages():
        files = [sorted(pathlib.Path("/usr/share/locale").glob(f"{language}*/LC_MESSAGES/*.mo"))
                 for language in ("ru", "zh", "ja", "el", "hi", "ar", "ko", "th", "uk", "vi", "he", "bn", "de", "fr")]
        for i in range(max(map(len, files))):
            for some in files:
                if i < len(some):
                    try: catalog = gettext.GNUTranslations(some[i].open("rb"))._catalog
                    except Exception: continue
                    yield "\n".join(v for v in catalog.values() if isinstance(v, str))

    args.folder.mkdir(parents=True, exist_ok=True)
    for name, parts in (("prose", glosses), ("code", code), ("scripts", messages())):
        out, size = [], 0
        for part in parts:
            out.append(part + "\n"), (size := size + len(part.encode()) + 1)
            if size >= SIZE: break
        (args.folder / f"{name}.txt").write_bytes("".join(out).encode())
        print(name, size)


def documents(data):
    begin = 0
    while begin < len(data):
        end = min(len(data), begin + 10000)
        while end < len(data) and data[end - 1] != 10: end += 1
        yield data[begin:end].decode()
        begin = end


def median(f):
    times = []
    for _ in range(args.runs):
        start = time.perf_counter()
        out = f()
        times.append(time.perf_counter() - start)
    return statistics.median(times), out


def report(engine, load, encode, offsets, decode, ids):
    data = os.path.getsize(args.text) * 1e-6
    flat = [i for one in ids for i in one]
    total = sum((n % 1000) * i for n, i in enumerate(flat, 1)) % 2**64
    print(json.dumps({"engine": engine, "threads": args.threads, "load_ms": round(load * 1e3, 1), "ids_mb_s": round(data / encode, 2),
                      "offsets_mb_s": offsets and round(data / offsets, 2), "decode_mb_s": round(data / decode, 2),
                      "tokens": len(flat), "sum": total}))


def run(texts):
    from tokenizers import Tokenizer
    load, tok = median(lambda: Tokenizer.from_file(str(args.folder / "tokenizer.json")))
    tok.no_truncation(), tok.no_padding()
    encode, fast = median(lambda: tok.encode_batch_fast(texts, add_special_tokens=False))
    offsets, _ = median(lambda: tok.encode_batch(texts, add_special_tokens=False))
    ids = [e.ids for e in fast]
    decode, _ = median(lambda: [tok.decode(one, skip_special_tokens=False) for one in ids])
    report("tokenizers", load, encode, offsets, decode, ids)


def tiktoken(texts):
    import tiktoken
    from transformers.convert_slow_tokenizer import bytes_to_unicode
    spec = json.loads((args.folder / "tokenizer.json").read_text())
    to_byte = {c: b for b, c in bytes_to_unicode().items()}
    ranks = {}
    for token, i in spec["model"]["vocab"].items():
        if all(c in to_byte for c in token): ranks[bytes(to_byte[c] for c in token)] = i
    parts = (spec["pre_tokenizer"] or {}).get("pretokenizers", [spec["pre_tokenizer"]])
    pattern = next((p["pattern"]["Regex"] for p in parts if p.get("type") == "Split" and "Regex" in p["pattern"]),
                   r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s")
    load, enc = median(lambda: tiktoken.Encoding("x", pat_str=pattern, mergeable_ranks=ranks, special_tokens={}))
    encode, ids = median(lambda: [enc.encode_ordinary(t) for t in texts])
    decode, _ = median(lambda: [enc.decode(one) for one in ids])
    report("tiktoken", load, encode, None, decode, ids)


if args.mode == "texts":
    texts()
else:
    os.environ["RAYON_NUM_THREADS"] = str(args.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if args.threads > 1 else "false"
    {"run": run, "tiktoken": tiktoken}[args.mode](list(documents(open(args.text, "rb").read())))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds tokenizer folders for tokenizer_fuzz.py with the original libraries.

Usage: build_tokenizers.py OUT_DIR | --sample tests/data/tokenizers
GPT-2's and CLIP's vocabularies come from the packages js-tiktoken (npm) and open_clip_torch (pip)
and are the published ones; roberta, neox and bart have the published pipelines over GPT-2's
vocabulary. The SentencePiece and WordPiece families (t5, albert, xlm_roberta, mbart, camembert,
deberta_v2, pegasus, xlnet, big_bird, llama_spm, bert_cased) have the published pipelines, made by
transformers' converters, over vocabularies trained here on generated text and Python's library.
--sample makes the family_*.json of some of them with small vocabularies and character maps.
"""
import base64
import glob
import gzip
import json
import os
import random
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile

import sentencepiece
import transformers
from tokenizers import (AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers,
                        processors, trainers)
from transformers.convert_slow_tokenizer import convert_slow_tokenizer

from tokenizer_components import write_rules
from tokenizer_fuzz import random_text
from tokenizers_data import TEXT, family_case, write

BYTE_CHARS = transformers.models.gpt2.tokenization_gpt2.bytes_to_unicode()


def corpus():
    rng = random.Random(11)
    lines = [random_text(rng, []) for _ in range(15000)]
    for path in sorted(glob.glob(os.path.join(os.path.dirname(os.__file__), "*.py")))[:60]:
        with open(path, encoding="utf-8", errors="ignore") as f:
            lines += [line.strip() for line in f if line.strip()]
    return [line.replace("\0", "") for line in lines]


def gpt2_ranks(scratch):
    subprocess.run(["npm", "pack", "js-tiktoken"], cwd=scratch, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    with tarfile.open(glob.glob(os.path.join(scratch, "js-tiktoken*.tgz"))[0]) as tar:
        text = tar.extractfile("package/dist/ranks/gpt2.js").read().decode()
    packed = re.search(r'"bpe_ranks":\s*"((?:[^"\\]|\\.)*)"', text).group(1).encode().decode("unicode_escape")
    ranks = {}
    for line in packed.split("\n"):
        if not line:
            continue
        _, first, *tokens = line.split(" ")
        for i, token in enumerate(tokens):
            ranks[base64.b64decode(token)] = int(first) + i
    return ranks


def split_by_ranks(ranks, token):
    """The two parts whose merge gives the token, by the ranks below its own."""
    parts = [bytes([b]) for b in token]
    while len(parts) > 2:
        pairs = [(ranks.get(a + b, 1 << 30), i) for i, (a, b) in enumerate(zip(parts, parts[1:]))]
        rank, i = min(pairs)
        assert rank < ranks[token]
        parts[i:i + 2] = [parts[i] + parts[i + 1]]
    return parts


def byte_level_model(ranks, extra=()):
    def name(token):
        return "".join(BYTE_CHARS[b] for b in token)
    ordered = sorted(ranks, key=ranks.get)
    vocab = {name(t): i for i, t in enumerate(ordered)}
    for token in extra:
        vocab.setdefault(token, len(vocab))
    merges = [tuple(map(name, split_by_ranks(ranks, t))) for t in ordered if len(t) > 1]
    return models.BPE(vocab=vocab, merges=merges)


def byte_level(ranks, prefix_space=False, extra=("<|endoftext|>",)):
    t = Tokenizer(byte_level_model(ranks, extra))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    t.add_special_tokens([AddedToken(e, special=True) for e in extra if e.startswith("<")])
    return t


def byte_level_families(scratch):
    ranks = gpt2_ranks(scratch)
    yield "gpt2", byte_level(ranks)
    special = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    for name in ("roberta", "bart"):
        t = byte_level(ranks, name == "bart", special)
        t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
        ids = [(s, t.token_to_id(s)) for s in ("</s>", "<s>")]
        t.post_processor = processors.RobertaProcessing(ids[0], ids[1], trim_offsets=True,
                                                        add_prefix_space=name == "bart")
        yield name, t
    t = byte_level(ranks)
    t.normalizer = normalizers.NFC()
    t.add_tokens([AddedToken(" " * n, normalized=True) for n in range(24, 1, -1)])
    yield "neox", t


def clip(scratch):
    subprocess.run([sys.executable, "-m", "pip", "download", "open_clip_torch", "--no-deps", "-q", "-d",
                    scratch], check=True, stderr=subprocess.DEVNULL)
    with zipfile.ZipFile(glob.glob(os.path.join(scratch, "open_clip*.whl"))[0]) as z:
        text = gzip.decompress(z.read("open_clip/bpe_simple_vocab_16e6.txt.gz")).decode()
    merges = [tuple(m.split()) for m in text.split("\n")[1:49152 - 256 - 2 + 1]]
    chars = list(BYTE_CHARS.values())
    vocab = chars + [c + "</w>" for c in chars] + ["".join(m) for m in merges]
    vocab += ["<|startoftext|>", "<|endoftext|>"]
    files = os.path.join(scratch, "vocab.json"), os.path.join(scratch, "merges.txt")
    with open(files[0], "w") as f:
        json.dump({t: i for i, t in enumerate(vocab)}, f)
    with open(files[1], "w") as f:
        f.write("#version: 0.2\n" + "\n".join(" ".join(m) for m in merges) + "\n")
    slow = transformers.CLIPTokenizer(*files)
    return convert_slow_tokenizer(slow)


SPM = {"t5": ("T5Tokenizer", dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1)),
       "pegasus": ("PegasusTokenizer", dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1)),
       "albert": ("AlbertTokenizer", dict(pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols="[CLS],[SEP],[MASK]")),
       "xlnet": ("XLNetTokenizer", dict(control_symbols="<cls>,<sep>,<pad>,<mask>,<eod>,<eop>")),
       "xlm_roberta": ("XLMRobertaTokenizer", {}), "mbart": ("MBartTokenizer", {}), "camembert": ("CamembertTokenizer", {}),
       "nllb": ("NllbTokenizer", {}),
       "deberta_v2": ("DebertaV2Tokenizer", dict(pad_id=0, bos_id=1, eos_id=2, unk_id=3, control_symbols="[MASK]")),
       "big_bird": ("BigBirdTokenizer", dict(control_symbols="[CLS],[SEP],[MASK]")),
       "llama_spm": ("LlamaTokenizer", dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
                                            remove_extra_whitespaces=False))}


def sentence_piece(scratch, name, lines, **more):
    class_name, options = SPM[name]
    prefix = os.path.join(scratch, name)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=prefix, minloglevel=2, hard_vocab_limit=False,
        max_sentence_length=20000,
        **{"character_coverage": 0.98, "vocab_size": 12000, "model_type": "unigram", "normalization_rule_name": "nmt_nfkc", **options, **more})
    slow = getattr(transformers, class_name)(prefix + ".model")
    return convert_slow_tokenizer(slow)


def bert_cased(lines):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator(lines, trainers.WordPieceTrainer(vocab_size=6000, special_tokens=special,
                                                           limit_alphabet=2000, show_progress=False))
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(s, t.token_to_id(s)) for s in ("[CLS]", "[SEP]")])
    t.decoder = decoders.WordPiece()
    return t


def sample(out_dir):
    """Small tokenizers of the SentencePiece families with what the original makes of random text."""
    rng = random.Random(12)
    with tempfile.TemporaryDirectory() as scratch:
        rules = os.path.join(scratch, "rules.tsv")
        write_rules(rules)
        for name in ("t5", "albert", "xlm_roberta", "deberta_v2", "mbart"):
            fast = sentence_piece(scratch, name, TEXT * 2, vocab_size=420, character_coverage=1.0,
                                  normalization_rule_name="", normalization_rule_tsv=rules)
            j = json.loads(fast.to_str())
            specials = [t.content for t in fast.get_added_tokens_decoder().values()][:20]
            rows = [{"text": random_text(rng, specials)} for _ in range(110)]
            rows += [{"text": random_text(rng, specials), "pair": random_text(rng, specials)} for _ in range(10)]
            tokens = {i: fast.id_to_token(i) for i in range(0, fast.get_vocab_size(), 37)}
            write(out_dir, f"family_{name}.json",
                  {"tokenizer": j, "vocab_size": fast.get_vocab_size(), "tokens": tokens,
                   "cases": [family_case(fast, row) for row in rows]})


def main():
    if sys.argv[1] == "--sample":
        return sample(sys.argv[2])
    out = sys.argv[1]
    lines = corpus()

    def save(name, tokenizer):
        os.makedirs(os.path.join(out, name), exist_ok=True)
        tokenizer.save(os.path.join(out, name, "tokenizer.json"))
        print(name, tokenizer.get_vocab_size(), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name, tokenizer in byte_level_families(scratch):
            save(name, tokenizer)
        save("clip", clip(scratch))
        save("bert_cased", bert_cased(lines))
        for name in SPM:
            save(name, sentence_piece(scratch, name, lines))


if __name__ == "__main__":
    main()

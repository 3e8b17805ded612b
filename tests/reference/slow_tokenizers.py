#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/data/tokenizers/folders.json: folders without a tokenizer.json (the files themselves, binary ones
in base64) and what the tokenizer class of transformers makes of them: ids, offsets, tokens. The SentencePiece
models are trained here on the text of tokenizers_data.py. Usage: slow_tokenizers.py OUT_DIR
"""
import base64
import io
import json
import os
import pathlib
import sys
import tempfile

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import sentencepiece as spm
import tokenizers as hf
import transformers
from importlib import import_module
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

import tokenizers_data as data

slow = import_module("transformers.convert_slow_tokenizer")

LINES = [x for x in data.TEXT if x]
LATIN = [x for x in LINES if not any(0x590 <= ord(c) < 0x1e00 or ord(c) > 0x2fff for c in x)]
RULES = [("ﬁ", "fi"), ("½", "1/2"), ("Ａ", "A"), ("e\u0301", "\u00e9"), ("…", "..."), ("\u3000", " "), ("\t", " "), ("\n", " "),
         ("①", "1"), ("Ⅷ", "VIII")]


def train_spm(kind, size, **options):
    out = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        for a, b in RULES:
            rules.write(" ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n")
        rules.flush()
        spm.SentencePieceTrainer.train(sentence_iterator=iter(LATIN * 3), model_writer=out, vocab_size=size,
                                       model_type=kind, hard_vocab_limit=False, normalization_rule_tsv=rules.name,
                                       character_coverage=1.0, minloglevel=2, **options)
    return base64.b64encode(out.getvalue()).decode()


def byte_bpe(special, **options):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=256 + 120 + len(special), special_tokens=special,
                                                     initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                                     show_progress=False, **options))
    m = json.loads(t.to_str())["model"]
    return {"vocab.json": json.dumps(m["vocab"], ensure_ascii=False),
            "merges.txt": "#version: 0.2\n" + "\n".join(" ".join(x) for x in m["merges"]) + "\n"}


def word_piece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator([x.lower() for x in LINES] + LINES, trainers.WordPieceTrainer(
        vocab_size=400, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    v = t.get_vocab()
    return "\n".join(sorted(v, key=v.get)) + "\n"


def ranks():
    vocab = json.loads(byte_bpe([])["vocab.json"])
    to_byte = {c: b for b, c in slow.bytes_to_unicode().items()}
    return "".join(base64.b64encode(bytes(to_byte[c] for c in t)).decode() + f" {i}\n"
                   for t, i in sorted(vocab.items(), key=lambda x: x[1]))


MODELS = {
    "t5.model": train_spm("unigram", 170, pad_id=0, eos_id=1, unk_id=2, bos_id=-1),
    "albert.model": train_spm("unigram", 170, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1,
                              control_symbols=["[CLS]", "[SEP]"], user_defined_symbols=["[MASK]", "3,"]),
    "fairseq.model": train_spm("unigram", 170, unk_id=0, bos_id=1, eos_id=2),
    "pegasus.model": train_spm("unigram", 170, pad_id=0, eos_id=1, unk_id=2, bos_id=-1),
    "xlnet.model": train_spm("unigram", 170, unk_id=0, bos_id=1, eos_id=2,
                             control_symbols=["<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"]),
    "llama.model": train_spm("bpe", 430, unk_id=0, bos_id=1, eos_id=2, byte_fallback=True),
    "gemma.model": train_spm("bpe", 430, pad_id=0, eos_id=1, bos_id=2, unk_id=3, byte_fallback=True,
                             user_defined_symbols=["<mask>", "<start_of_turn>", "\n\n"]),
}
ROBERTA = byte_bpe(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
FILES = dict(MODELS, **{"vocab.txt": word_piece(), "ranks": ranks(),
                        "roberta/vocab.json": ROBERTA["vocab.json"], "roberta/merges.txt": ROBERTA["merges.txt"]})
BPE = {"vocab.json": "roberta/vocab.json", "merges.txt": "roberta/merges.txt"}
CLIP = byte_bpe(["<|startoftext|>", "<|endoftext|>"], end_of_word_suffix="</w>")
FILES.update({"clip/vocab.json": CLIP["vocab.json"], "clip/merges.txt": CLIP["merges.txt"]})

# class, files {name in the folder: key of FILES}, tokenizer_config.json, more files as objects
FOLDERS = [
    ("BertTokenizer", {"vocab.txt": "vocab.txt"}, {}, {}),
    ("BertTokenizer", {"vocab.txt": "vocab.txt"}, {"do_lower_case": False, "tokenize_chinese_chars": False}, {}),
    ("DistilBertTokenizer", {"vocab.txt": "vocab.txt"}, {"strip_accents": False},
     {"special_tokens_map.json": {"cls_token": "[CLS]", "additional_special_tokens": ["<extra>"]},
      "added_tokens.json": {"new word": 401, "<extra>": 400}}),
    ("ElectraTokenizer", {"vocab.txt": "vocab.txt"},
     {"added_tokens_decoder": {"400": {"content": "<t1>", "lstrip": True, "rstrip": False, "normalized": False,
                                       "single_word": False, "special": True},
                               "401": {"content": "Mixed", "lstrip": False, "rstrip": False, "normalized": True,
                                       "single_word": False, "special": False}}}, {}),
    ("BertTokenizer", {"vocab.txt": "vocab.txt"}, {"additional_special_tokens": ["<extra>", "<both>"], "cls_token": "[UNK]"},
     {"special_tokens_map.json": {"additional_special_tokens": ["<t1>", "<both>", {
         "content": "<t2>", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False}],
         "cls_token": "[CLS]"}}),
    ("GPT2Tokenizer", BPE, {}, {}),
    ("GPT2Tokenizer", BPE, {"add_prefix_space": True, "add_bos_token": True, "bos_token": "<s>", "eos_token": "</s>",
                            "unk_token": "<unk>"}, {}),
    ("RobertaTokenizer", BPE, {}, {}),
    ("RobertaTokenizer", BPE, {"add_prefix_space": True}, {}),
    ("BartTokenizer", BPE, {}, {}),
    ("DebertaTokenizer", BPE, {}, {}),
    ("Qwen2Tokenizer", BPE, {}, {}),
    ("CLIPTokenizer", {"vocab.json": "clip/vocab.json", "merges.txt": "clip/merges.txt"}, {}, {}),
    ("T5Tokenizer", {"spiece.model": "t5.model"}, {}, {}),
    ("T5Tokenizer", {"spiece.model": "t5.model"}, {"extra_ids": 5, "legacy": False}, {}),
    ("T5Tokenizer", {"spiece.model": "t5.model"}, {"additional_special_tokens": ["<extra>", "<t1>"], "extra_ids": 9}, {}),
    ("AlbertTokenizer", {"spiece.model": "albert.model"}, {}, {}),
    ("AlbertTokenizer", {"spiece.model": "albert.model"}, {"do_lower_case": False, "keep_accents": True}, {}),
    ("XLMRobertaTokenizer", {"sentencepiece.bpe.model": "fairseq.model"}, {}, {}),
    ("CamembertTokenizer", {"sentencepiece.bpe.model": "fairseq.model"}, {}, {}),
    ("MBartTokenizer", {"sentencepiece.bpe.model": "fairseq.model"}, {"src_lang": "de_DE"}, {}),
    ("MBartTokenizer", {"sentencepiece.bpe.model": "fairseq.model"}, {}, {}),
    ("MBartTokenizer", {"sentencepiece.bpe.model": "fairseq.model"}, {"additional_special_tokens": ["<extra>", "fr_XX"]},
     {"special_tokens_map.json": {"additional_special_tokens": ["<t1>", "<extra>"]}}),
    ("MBart50Tokenizer", {"sentencepiece.bpe.model": "fairseq.model"}, {"src_lang": "fr_XX"}, {}),
    ("MBart50Tokenizer", {"sentencepiece.bpe.model": "fairseq.model"}, {"additional_special_tokens": ["<extra>", "de_DE"]},
     {}),
    ("NllbTokenizer", {"sentencepiece.bpe.model": "fairseq.model"}, {}, {}),
    ("NllbTokenizer", {"sentencepiece.bpe.model": "fairseq.model"},
     {"src_lang": "deu_Latn", "legacy_behaviour": True}, {}),
    ("PegasusTokenizer", {"spiece.model": "pegasus.model"}, {}, {}),
    ("PegasusTokenizer", {"spiece.model": "pegasus.model"}, {"additional_special_tokens": ["<extra>", "<t1>"]}, {}),
    ("DebertaV2Tokenizer", {"spm.model": "t5.model"}, {}, {}),
    ("DebertaV2Tokenizer", {"spm.model": "albert.model"}, {"do_lower_case": True, "split_by_punct": True}, {}),
    ("XLNetTokenizer", {"spiece.model": "xlnet.model"}, {}, {}),
    ("RemBertTokenizer", {"sentencepiece.model": "albert.model"}, {}, {}),
    ("BigBirdTokenizer", {"spiece.model": "albert.model"}, {}, {}),
    ("LlamaTokenizer", {"tokenizer.model": "llama.model"}, {}, {}),
    ("LlamaTokenizer", {"tokenizer.model": "llama.model"}, {"legacy": False, "add_eos_token": True}, {}),
    ("LlamaTokenizer", {"tokenizer.model": "llama.model"}, {"add_prefix_space": False, "add_bos_token": False}, {}),
    ("GemmaTokenizer", {"tokenizer.model": "gemma.model"}, {}, {}),
]
TEXTS = ["Hello, y'all! How are you 😁 ?", "  the quick  brown fox ", "", " ", "日本語ABCdé e\u0301 ﬁ ½ Ⅷ", "x <mask> y[MASK].z",
         "def f(x):\n    return x**2  # ½\n\n", "3, 13, 9,", "<s> a</s>b <pad>", "``Quoted'' TEXT", "NEW word new word <extra><t1> a Mixed mixed",
         "<extra_id_0> and<extra_id_4> x", "en_XX de_DE<unk> fra_Latn", "a\tb\u3000c…", "▁▁under ▁score", "<0x41><|endoftext|> x",
         "ΑΣ ς straße Съешь же ещё", "don't we'll 1234567", "<start_of_turn>user\n\nhi<end_of_turn>", "<unk_7><mask_1> x<mask_2>", "ok [CLS] [SEP]<sep><cls>"]

NAMED = [x for x in TEXTS if "<extra" in x or "de_DE" in x or "[CLS]" in x or "<unk_7>" in x] + ["a <t2><both>b <t1>"]


def write_folder(path, files, config, more, name):
    for f, key in files.items():
        raw = FILES[key]
        pathlib.Path(path, f).write_bytes(base64.b64decode(raw) if key.endswith(".model") else raw.encode())
    pathlib.Path(path, "tokenizer_config.json").write_text(json.dumps(dict(config, tokenizer_class=name)))
    for f, value in more.items():
        pathlib.Path(path, f).write_text(json.dumps(value))


def row(t, text):
    e = t(text, return_offsets_mapping=True)
    return {"text": text, "ids": e["input_ids"], "offsets": [x for o in e["offset_mapping"] for x in o],
            "decoded": t.decode(e["input_ids"], clean_up_tokenization_spaces=False),
            "skipped": t.decode(e["input_ids"], skip_special_tokens=True, clean_up_tokenization_spaces=False)}


def folder(name, files, config, more):
    with tempfile.TemporaryDirectory() as path:
        write_folder(path, files, config, more, name)
        t = getattr(transformers, name + "Fast").from_pretrained(path)
        pair = t("the quick", "brown fox", return_token_type_ids=True)
        special = {k: v for k, v in t.special_tokens_map.items() if isinstance(v, str)}
        last = len(t)
        out = {"class": name, "files": files, "config": config, "more": more, "size": last,
               "tokens": {i: t.convert_ids_to_tokens(i) for i in (0, 1, 2, 3, last - 2, last - 1)},
               "special": {k: [v, t.convert_tokens_to_ids(v)] for k, v in special.items()},
               "pair": [pair["input_ids"], pair["token_type_ids"]],
               "cases": [row(t, x) for x in (NAMED if "additional_special_tokens" in config else TEXTS)]}
        if hasattr(t, "src_lang"):
            code = {"N": "fra_Latn"}.get(name[0], "ro_RO")
            t.src_lang = code
            out["source"] = [code, t("the fox")["input_ids"]]
            t.tgt_lang = code = {"N": "zul_Latn"}.get(name[0], "zh_CN")
            out["target"] = [code, t(text_target="the fox")["input_ids"]]
        return out


def tiktoken_folder():
    with tempfile.TemporaryDirectory() as path:
        file = pathlib.Path(path, "tokenizer.model")
        file.write_text(FILES["ranks"])
        t = slow.TikTokenConverter(
            vocab_file=str(file), additional_special_tokens=["<|end|>"]).converted()
        fast = transformers.PreTrainedTokenizerFast(tokenizer_object=t)
        return {"class": "PreTrainedTokenizer", "files": {"tokenizer.model": "ranks"},
                "config": {"additional_special_tokens": ["<|end|>"]}, "more": {}, "size": len(fast),
                "tokens": {i: fast.convert_ids_to_tokens(i) for i in (0, 100, len(fast) - 1)}, "special": {},
                "pair": [fast("the quick", "brown fox")["input_ids"], None], "cases": [row(fast, x) for x in TEXTS + ["a<|end|>b"]]}


if __name__ == "__main__":
    data.write(sys.argv[1], "folders.json",
               {"versions": f"transformers {transformers.__version__}, sentencepiece {spm.__version__}",
                "files": FILES, "folders": [folder(*f) for f in FOLDERS] + [tiktoken_folder()]})

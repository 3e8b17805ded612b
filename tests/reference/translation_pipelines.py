# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/pipelines/translation: tiny encoder-decoders with the tokenizers of Marian (one vocabulary and
two), M2M100, mBART and mBART-50, and in cases.json what the translation and text2text-generation pipelines of
transformers 4.57.6 return for payloads over them, or that they raise.

Usage: OMP_NUM_THREADS=1 python tests/reference/translation_pipelines.py
Cases are those of text2text_pipelines.py, with one more error: "language", where the original takes a language that
the tokenizer does not know for <unk>.
"""
import base64
import json
import pathlib
import shutil
import warnings

import torch
import transformers
from transformers import (
    AutoModelForSeq2SeqLM, AutoTokenizer, M2M100Config, MarianConfig, MBart50TokenizerFast, MBartConfig, pipeline)

import slow_tokenizers as folders
from seq2seq import bart, random_weights
from text2text_pipelines import TEXTS, call, write_cases

ROOT = pathlib.Path(__file__).resolve().parents[1] / "data" / "pipelines" / "translation"
SMALL = dict(d_model=18, encoder_layers=1, decoder_layers=2, encoder_ffn_dim=20, decoder_ffn_dim=20,
             encoder_attention_heads=2, max_position_embeddings=100, no_repeat_ngram_size=2)
folders.FILES.update({
    "source.model": folders.train_spm("unigram", 150, unk_id=1, eos_id=0, bos_id=-1),
    "target.model": folders.train_spm("unigram", 130, unk_id=1, eos_id=0, bos_id=-1, split_digits=True),
    "m2m.model": folders.train_spm("bpe", 180, unk_id=3, bos_id=0, eos_id=2, pad_id=1),
    "mbart.model": folders.train_spm("unigram", 140, unk_id=0, bos_id=1, eos_id=2)})


def vocab(first, last, *models):
    """A vocab.json of the pieces of these models."""
    import sentencepiece as spm
    tokens = list(first)
    for name in models:
        p = spm.SentencePieceProcessor(model_proto=base64.b64decode(folders.FILES[name]))
        tokens += [t for t in map(p.id_to_piece, range(p.get_piece_size())) if t not in tokens and t[0] != "<"]
    return json.dumps({t: i for i, t in enumerate(tokens + last)}, ensure_ascii=False)


MARIAN = ["</s>", "<unk>", ">>fra<<"]
folders.FILES.update({
    "marian.json": vocab(MARIAN, ["<pad>"], "source.model", "target.model"),
    "marian_source.json": vocab(MARIAN, ["<pad>"], "source.model"),
    "marian_target.json": vocab(MARIAN[:2], ["<pad>"], "target.model"),
    "m2m.json": vocab(["<s>", "<pad>", "</s>", "<unk>"], [], "m2m.model")})


def write(folder, name, files, **settings):
    folders.write_folder(folder, files, {"model_max_length": 40, **settings}, {}, name)
    return AutoTokenizer.from_pretrained(folder)


def marian_config(tok, **k):
    return MarianConfig(**bart(**{**SMALL, "vocab_size": len(tok.encoder), "scale_embedding": True,
                                  "pad_token_id": tok.pad_token_id, "decoder_start_token_id": tok.pad_token_id,
                                  "eos_token_id": 0, "forced_eos_token_id": 0, "activation_function": "swish",
                                  "bad_words_ids": [[tok.pad_token_id]], "num_beams": 4, "max_length": 30, **k}))


def make_marian(folder):
    return marian_config(write(folder, "MarianTokenizer", {
        "source.spm": "source.model", "target.spm": "target.model", "vocab.json": "marian.json"}))


def make_marian_separate(folder):
    tok = write(folder, "MarianTokenizer", {
        "source.spm": "source.model", "target.spm": "target.model", "vocab.json": "marian_source.json",
        "target_vocab.json": "marian_target.json"}, separate_vocabs=True)
    # The decoder starts with its own padding id.
    pad = len(tok.target_encoder) - 1
    return marian_config(tok, share_encoder_decoder_embeddings=False, tie_word_embeddings=False,
                         decoder_vocab_size=len(tok.target_encoder), decoder_start_token_id=pad,
                         bad_words_ids=[[pad]])


def make_m2m100(folder):
    tok = write(folder, "M2M100Tokenizer", {"sentencepiece.bpe.model": "m2m.model", "vocab.json": "m2m.json"})
    return M2M100Config(**bart(**SMALL, vocab_size=len(tok.encoder) + 108, encoder_layerdrop=0.0, decoder_layerdrop=0.0,
                               num_beams=5, max_length=20, early_stopping=True))


def make_mbart(folder):
    tok = write(folder, "MBartTokenizer", {"sentencepiece.bpe.model": "mbart.model"}, src_lang="en_XX")
    return MBartConfig(**bart(**SMALL, vocab_size=len(tok), scale_embedding=True, max_length=18,
                              decoder_start_token_id=tok.convert_tokens_to_ids("ro_RO"),
                              task_specific_params={"translation_en_to_ro": {"num_beams": 2, "prefix": "never "},
                                                    "translation": {"prefix": "never used "}}))


def make_mbart50(folder):
    write(folder, "MBart50Tokenizer", {"sentencepiece.bpe.model": "mbart.model"}, src_lang="en_XX")
    tok = MBart50TokenizerFast.from_pretrained(folder)
    shutil.rmtree(folder)
    tok.save_pretrained(folder, legacy_format=False)
    (folder / "sentencepiece.bpe.model").unlink(missing_ok=True)
    return MBartConfig(**bart(**SMALL, vocab_size=len(tok), scale_embedding=True, forced_eos_token_id=2,
                              early_stopping=True, num_beams=5, max_length=20))


MODELS = {"marian": make_marian, "marian_separate": make_marian_separate, "m2m100": make_m2m100,
          "mbart": make_mbart, "mbart50": make_mbart50}
CODES = {"m2m100": ("en", "fr", "zz"), "mbart": ("en_XX", "ro_RO", "en"), "mbart50": ("fr_XX", "pt_XX", "eng")}


def build(name):
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = AutoModelForSeq2SeqLM.from_config(MODELS[name](folder), attn_implementation="eager").eval()
    random_weights(model, 31)
    if hasattr(model, "final_logits_bias"):
        model.final_logits_bias[0, model.config.eos_token_id] -= 2  # the end does not come at once
    model.save_pretrained(folder)
    for f in folder.iterdir():
        f.chmod(0o644)
    return folder


def parameter_sets():
    short = {"max_new_tokens": 7}
    yield from ({}, short, {**short, "return_tensors": True}, {**short, "clean_up_tokenization_spaces": True},
                {"max_length": 9}, {"max_length": 9, "num_beams": 1}, {**short, "num_beams": 2},
                {**short, "num_return_sequences": 3, "return_tensors": True}, {**short, "forced_bos_token_id": 17},
                {**short, "forced_eos_token_id": 5}, {"min_length": 6, **short}, {**short, "truncation": True},
                {**short, "bad_words_ids": [[20], [21, 22]]}, {**short, "num_beams": 1, "repetition_penalty": 1.7},
                {**short, "stop_sequence": "e"}, {**short, "decoder_start_token_id": 5})


def plan(task, name):
    inputs = [*TEXTS, ">>fra<< the words, don't they ?"]
    for i, p in enumerate(parameter_sets()):
        yield inputs[i % len(inputs)], p
    short = {"max_new_tokens": 6}
    yield from ((TEXTS, short), (TEXTS[:1], short), (TEXTS[:2], {**short, "num_return_sequences": 2}), ([], short),
                (5, short), ("", short), (TEXTS[3] * 3, {**short, "truncation": True}))


def payloads(task, name):
    if name not in CODES or task == "text2text-generation":
        for inputs, p in plan(task, name):
            yield inputs, {"num_beams": 1, **p} if name == "marian_separate" else p
        return
    source, target, wrong = CODES[name]
    both, short = {"src_lang": source, "tgt_lang": target}, {"max_new_tokens": 6}
    named = task.count("_") == 3
    for inputs, p in plan(task, name):
        yield inputs, p if named and name == "m2m100" else {**p, **both}
    yield from ((TEXTS[0], short), (TEXTS[0], {**short, "src_lang": source}), (TEXTS[0], {**short, "tgt_lang": target}),
                (TEXTS[0], {**short, "src_lang": target, "tgt_lang": source}),
                (TEXTS[0], {**short, **both, "tgt_lang": wrong}), (TEXTS[0], {**short, **both, "src_lang": wrong}),
                (TEXTS[0], {**short, **both, "forced_bos_token_id": 9}))


TASKS = [("translation", "marian"), ("translation_en_to_fr", "marian"), ("text2text-generation", "marian"),
         ("translation", "marian_separate"), ("text2text-generation", "marian_separate"),
         ("translation", "m2m100"), ("translation_en_to_fr", "m2m100"), ("text2text-generation", "m2m100"),
         ("translation", "mbart"), ("translation_en_to_ro", "mbart"), ("text2text-generation", "mbart"),
         ("translation", "mbart50"), ("text2text-generation", "mbart50")]


def unknown_language(pipe, parameters):
    named = pipe.task.split("_")[1::2] if pipe.task.count("_") == 3 else [None, None]
    codes = [parameters.get(k) or v for k, v in zip(("src_lang", "tgt_lang"), named)]
    mbart = "MBart" in type(pipe.tokenizer).__name__ and pipe.task.startswith("translation")
    return mbart and any(c and c not in pipe.tokenizer.get_vocab() for c in codes)


def main():
    cases, skipped = [], 0
    where = {name: build(name) for name in MODELS}
    for task, name in TASKS:
        for inputs, parameters in payloads(task, name):
            # Some calls leave marks on the tokenizer (src_lang): a new pipeline for each.
            pipe = pipeline(task, model=str(where[name]), device="cpu")
            result = call(pipe, inputs, dict(parameters), False)
            if unknown_language(pipe, parameters):
                result = {"error": "language"}
            elif result.get("error") == "RuntimeError":  # beams over two vocabularies are broken in the original
                continue
            elif call(pipe, inputs, dict(parameters), True) != result:
                skipped += 1
                continue
            cases.append({"task": task, "model": name, "inputs": inputs, "parameters": parameters, **result})
    write_cases(ROOT / "cases.json", cases, skipped)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    torch.set_num_threads(1)
    main()

# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/pipelines/text2text: three tiny encoder-decoders with tokenizers (T5, BART, NLLB), one of them
(bart_old) with the options of generation in config.json as old checkpoints have them, and in cases.json what the text2text-generation, summarization and translation pipelines of transformers 4.57.6 return
for payloads over them, or that they raise.

Usage: OMP_NUM_THREADS=1 python tests/reference/text2text_pipelines.py
A case is {"task", "model", "inputs", "parameters", "output"} or {..., "error": name}. Cases that change under
noise of 2e-5 on the scores are left out.
"""
import json
import pathlib
import shutil
import sys
import warnings

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForSeq2SeqLM, BartConfig, BartTokenizerFast, LogitsProcessorList, M2M100Config, NllbTokenizerFast,
    T5Config, T5TokenizerFast, pipeline)

from beams import Noise
from models import TEXT
from seq2seq import bart, random_weights, t5

ROOT = pathlib.Path(__file__).resolve().parents[1] / "data" / "pipelines" / "text2text"
TEXTS = ["The quick brown fox jumps over the lazy dog.", "Il était une fois une petite souris.", "x",
         "A small model is trained on a little text, and the tokenizer learns a few merges from the words."]


def unigram(vocab_size, special, unk):
    tok = Tokenizer(models.Unigram())
    tok.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    tok.pre_tokenizer = pre_tokenizers.Metaspace()
    tok.decoder = decoders.Metaspace()
    tok.train_from_iterator([TEXT] * 3, trainers.UnigramTrainer(
        vocab_size=vocab_size, special_tokens=special, unk_token=unk, show_progress=False))
    return tok


def make_t5(folder):
    tok = unigram(150, ["<pad>", "</s>", "<unk>"], "<unk>")
    tok.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    fast = T5TokenizerFast(tokenizer_object=tok, extra_ids=4, model_max_length=24)
    fast.save_pretrained(folder)
    return T5Config(**t5(vocab_size=len(fast), task_specific_params={
        "summarization": {"prefix": "summarize: ", "max_length": 12, "min_length": 4, "num_beams": 2,
                          "early_stopping": True, "length_penalty": 2.0},
        "translation_en_to_fr": {"prefix": "translate: ", "max_length": 14, "num_beams": 3}}))


def make_bart(folder):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator([TEXT], trainers.BpeTrainer(
        vocab_size=290, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tok.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    fast = BartTokenizerFast(tokenizer_object=tok, model_max_length=48)
    fast.save_pretrained(folder)
    return BartConfig(**bart(vocab_size=len(fast), forced_eos_token_id=2, max_length=18, min_length=5,
                             no_repeat_ngram_size=2, num_beams=3))


def make_nllb(folder):
    tok = unigram(150, ["<s>", "<pad>", "</s>", "<unk>"], "<unk>")
    fast = NllbTokenizerFast(tokenizer_object=tok, src_lang="eng_Latn", tgt_lang="fra_Latn", model_max_length=40)
    fast.save_pretrained(folder)
    return M2M100Config(**bart(vocab_size=len(fast), max_length=16, encoder_layerdrop=0.0, decoder_layerdrop=0.0,
                               d_model=12, encoder_ffn_dim=20, decoder_ffn_dim=20))


MODELS = {"t5": make_t5, "bart": make_bart, "bart_old": make_bart, "nllb": make_nllb}


def build(name):
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = AutoModelForSeq2SeqLM.from_config(MODELS[name](folder), attn_implementation="eager").eval()
    random_weights(model, 21)
    model.save_pretrained(folder)
    if name == "bart_old":
        options = json.loads((folder / "generation_config.json").read_text())
        (folder / "generation_config.json").unlink()
        config = {**json.loads((folder / "config.json").read_text()), **options, "task_specific_params": {
            "summarization": {"length_penalty": 2.0, "max_length": 14, "min_length": 6, "num_beams": 4}}}
        (folder / "config.json").write_text(json.dumps(config, indent=2))
    for f in folder.iterdir():
        f.chmod(0o644)
    return folder


def parameter_sets(task):
    yield {}
    for extra in ({"max_new_tokens": 6}, {"max_length": 9}, {"min_length": 8}, {"num_beams": 1},
                  {"num_beams": 1, "max_new_tokens": 30}, {"num_return_sequences": 2},
                  {"num_return_sequences": 2, "return_tensors": True}, {"return_tensors": True},
                  {"return_text": True}, {"clean_up_tokenization_spaces": True}, {"truncation": True},
                  {"truncation": "only_first"}, {"stop_sequence": "the"}, {"stop_sequence": "e"},
                  {"early_stopping": "never", "length_penalty": 0.5}, {"repetition_penalty": 1.4},
                  {"num_beams": 1, "do_sample": True, "top_k": 1}, {"no_such_option": 1}, {"num_beams": 0},
                  {"num_return_sequences": 9}, {"max_new_tokens": 0}, {"stop_sequence": ""},
                  {"encoder_no_repeat_ngram_size": 2}, {"forced_bos_token_id": 40},
                  {"suppress_tokens": [20, 21, 22, 23, 24]}, {"bad_words_ids": [[30], [31, 32]]}):
        yield {**({"max_new_tokens": 10} if not {"max_new_tokens", "max_length", "min_length"} & set(extra) else {}),
               **extra}
    if task.startswith("translation"):
        for pair in ({"src_lang": "eng_Latn", "tgt_lang": "fra_Latn"}, {"src_lang": "fra_Latn", "tgt_lang": "deu_Latn"},
                     {"src_lang": "fra_Latn"}, {"tgt_lang": "fra_Latn"}):
            yield {"max_new_tokens": 8, **pair}


def call(pipe, inputs, parameters, noise):
    extra = {"logits_processor": LogitsProcessorList([Noise()])} if noise else {}
    try:
        out = pipe(inputs, **parameters, **extra)
    except Exception as e:
        return {"error": type(e).__name__}
    return {"output": json.loads(json.dumps(out, default=lambda t: t.tolist()))}


def write_cases(path, cases, skipped):
    lines = ",\n".join(json.dumps(c, separators=(",", ":"), ensure_ascii=False) for c in cases)
    head = json.dumps({"transformers": transformers.__version__, "torch": torch.__version__})
    path.write_text('{"made_with":%s,\n"cases":[\n%s\n]}\n' % (head, lines), encoding="utf-8")
    print(len(cases), "cases,", sum("error" in c for c in cases), "errors,", skipped, "skipped", file=sys.stderr)


def main():
    cases, skipped = [], 0
    folders = {name: build(name) for name in MODELS}
    for task, name in [("text2text-generation", "t5"), ("summarization", "t5"), ("translation_en_to_fr", "t5"),
                       ("text2text-generation", "bart"), ("summarization", "bart"), ("translation", "bart"),
                       ("summarization", "bart_old"), ("text2text-generation", "bart_old"), ("translation", "nllb")]:
        pipe = pipeline(task, model=str(folders[name]), device="cpu")
        plan = [(TEXTS[i % 4], p) for i, p in enumerate(parameter_sets(task))]
        short = {"max_new_tokens": 7}
        plan += [(TEXTS, short), (TEXTS[:1], short), (TEXTS[:2], {**short, "num_return_sequences": 2}), ([], short),
                 (5, short), (TEXTS[3] * 3, {**short, "truncation": True}), ("", short)]
        if name == "nllb":
            languages = {"src_lang": "eng_Latn", "tgt_lang": "ron_Latn"}
            plan = [(i, p if {"src_lang", "tgt_lang"} & set(p) else {**p, **languages}) for i, p in plan] + [
                ("x", short)]
        for inputs, parameters in plan:
            result = call(pipe, inputs, dict(parameters), False)
            if call(pipe, inputs, dict(parameters), True) != result:
                skipped += 1
                continue
            cases.append({"task": task, "model": name, "inputs": inputs, "parameters": parameters, **result})
    write_cases(ROOT / "cases.json", cases, skipped)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    torch.set_num_threads(1)
    main()

# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/pipelines/text_generation.json: what the text-generation pipeline of transformers
4.57.6 returns for payloads over tests/data/models/{llama_gqa,gpt2}, or that it raises.

Usage: OMP_NUM_THREADS=1 python tests/reference/text_generation_pipeline.py
A case is {"model", "inputs", "parameters", "output"} or {..., "error": name}; "model" is a name of "models",
which says the folder, its chat template when it is not its own, and what differs from its config.json and
generation_config.json (null: no such file). Nothing is left to chance: decoding is greedy, or sampling among
one id (top_k 1). Cases with near ties are left out.
"""
import copy
import json
import pathlib
import random
import shutil
import sys
import tempfile
import warnings

import torch
import transformers
from transformers import pipeline

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity(transformers.logging.CRITICAL)
torch.set_num_threads(1)
DATA = pathlib.Path(__file__).resolve().parents[1] / "data"
MARGIN = 1e-3
pick = random.Random(20241125)
margins = []

MODELS = {
    "llama": {"folder": "llama_gqa"},
    "gpt2": {"folder": "gpt2", "chat_template": "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}\n"
             "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"},
    "gpt2_task": {"folder": "gpt2", "config": {"task_specific_params": {
        "text-generation": {"do_sample": False, "max_new_tokens": 7, "prefix": "The "}}}},
    "llama_file": {"folder": "llama_gqa", "generation_config": {
        "max_length": 30, "eos_token_id": [2, 101, 115], "bos_token_id": 1}},
    "llama_old": {"folder": "llama_gqa", "generation_config": None,
                  "config": {"max_length": 28, "repetition_penalty": 1.7}},
}
PROMPTS = [
    "The quick brown fox", "Il était une fois", "the words ", "x", "🦙 and the end", "for i in range(10):",
    "A small model is trained on a little text .", " \n", "don 't , he said . It 's", "",
    "The model reads the words in the prompt and then it reads them again. " * 3,
]
CHATS = [
    [{"role": "user", "content": "The story?"}],
    [{"role": "system", "content": "Be short."}, {"role": "user", "content": "the fox"}],
    [{"role": "user", "content": "a mouse"}, {"role": "assistant", "content": "Il était"}],
]
OPTIONS = {
    "return_full_text": [True, False],
    "return_tensors": [True],
    "return_text": [True],
    "clean_up_tokenization_spaces": [True, False],
    "skip_special_tokens": [True, False],
    "add_special_tokens": [True, False],
    "prefix": ["Once: ", "", "the"],
    "stop_sequence": ["e", "the", " ,", "\n"],
    "handle_long_generation": ["hole", None],
    "truncation": [True, False, "only_first"],
    "continue_final_message": [True, False],
    "max_length": [4, 40, 90, 130],
    "min_length": [3, 30],
    "min_new_tokens": [5],
    "eos_token_id": [2, [70, 71, 72, 73, 74, 75, 76, 77, 78, 79]],
    "repetition_penalty": [1.3, 0.8],
    "no_repeat_ngram_size": [2],
    "bad_words_ids": [[[70], [101, 102]]],
    "suppress_tokens": [[100, 101, 105, 110]],
    "num_return_sequences": [1, 2],
    "num_beams": [1],
    "max_time": [100.0],
    "use_cache": [True],
}
FIXED = [
    {"max_new_tokens": 0}, {"max_new_tokens": -1}, {"max_new_tokens": 4, "num_return_sequences": 2},
    {"max_new_tokens": 4, "return_full_text": True, "return_text": True},
    {"max_new_tokens": 4, "return_full_text": True, "return_tensors": True},
    {"max_new_tokens": 4, "return_text": True, "return_tensors": True},
    {"max_new_tokens": 4, "handle_long_generation": "drop"},
    {"max_new_tokens": 128, "handle_long_generation": "hole"},
    {"max_new_tokens": 100, "handle_long_generation": "hole"},
    {"max_new_tokens": 4, "no_such_option": 1},
    {"max_new_tokens": 4, "prefix": None, "stop_sequence": None, "skip_special_tokens": None},
    {"max_new_tokens": 4, "do_sample": True, "temperature": 0.0},
    {"max_new_tokens": 12, "stop_strings": ["e"]},
    {"max_new_tokens": 12, "stop_strings": [" th", "s"]},
    {"max_new_tokens": 12, "do_sample": True, "top_k": 1, "num_return_sequences": 3},
    {"max_new_tokens": 5, "tokenizer_encode_kwargs": {"truncation": True, "max_length": 3}},
]


def run(pipe, inputs, parameters):
    margins.clear()
    extra = {"tokenizer": pipe.tokenizer} if "stop_strings" in parameters else {}
    try:
        output = pipe(copy.deepcopy(inputs), **copy.deepcopy(parameters), **extra)
    except Exception as e:
        return {"error": type(e).__name__}
    if margins and min(margins) < MARGIN:
        return None
    return {"output": output}


def watch(model):
    """Records the smallest gap between the two best scores of every step."""
    plain = model.generate

    def generate(*args, **kwargs):
        out = plain(*args, **kwargs, return_dict_in_generate=True, output_scores=True)
        for step in out.scores:
            top = step.topk(2, -1).values
            margins.append((top[..., 0] - top[..., 1]).min().item())
        return out.sequences

    model.generate = generate


def parameters():
    out = {"max_new_tokens": pick.choice([1, 3, 9, 16])}
    for name in pick.sample(list(OPTIONS), pick.randint(0, 4)):
        out[name] = pick.choice(OPTIONS[name])
    if pick.random() < 0.1:
        del out["max_new_tokens"]
    if out.get("num_return_sequences", 1) > 1 and pick.random() < 0.8:
        out["do_sample"], out["top_k"] = True, 1
    else:
        out["do_sample"] = False
    return out


def plan():
    for p in FIXED:
        yield pick.choice(PROMPTS[:-1]), {"do_sample": False, **p}
        yield pick.choice(PROMPTS), {"do_sample": False, **p}
    for chat in CHATS:
        for p in ({}, {"return_full_text": False}, {"return_tensors": True},
                  {"continue_final_message": True}, {"continue_final_message": False}):
            yield chat, {"do_sample": False, "max_new_tokens": 6, **p}
    p = {"do_sample": False, "max_new_tokens": 5}
    yield PROMPTS[:4], p
    yield PROMPTS[:1], p
    yield CHATS, p
    yield CHATS[:1], p
    yield [], p
    yield 5, p
    for prompt in PROMPTS:
        yield prompt, p
    for _ in range(110):
        yield pick.choice(PROMPTS + CHATS), parameters()


def open_pipeline(model):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(DATA / "models" / model["folder"], folder, dirs_exist_ok=True)
        for name in ("config", "generation_config"):
            path = pathlib.Path(folder) / f"{name}.json"
            if name in model and model[name] is None:
                path.unlink()
            elif name in model:
                path.write_text(json.dumps({**json.loads(path.read_text()), **model[name]}))
        pipe = pipeline("text-generation", model=folder, device="cpu")
    if "chat_template" in model:
        pipe.tokenizer.chat_template = model["chat_template"]
    watch(pipe.model)
    return pipe


def other_plan():
    """For models with settings of their own: these, not the call, decide the length."""
    for prompt in ["the words", "Il était", "A small model is"]:
        for p in ({}, {"max_new_tokens": 5}, {"max_length": 26}, {"prefix": "fox "}, {"min_new_tokens": 4},
                  {"return_full_text": False}, {"repetition_penalty": 1.0}, {"num_return_sequences": 2},
                  {"handle_long_generation": "hole"}, {"eos_token_id": 2}):
            yield prompt, {"do_sample": False, **p}


def beam_plan():
    for prompt in PROMPTS[:4] + CHATS[:1]:
        for p in ({}, {"num_return_sequences": 4}, {"num_beams": 2, "early_stopping": True, "eos_token_id": 101},
                  {"length_penalty": 2.0, "eos_token_id": [101, 115, 32]}, {"no_repeat_ngram_size": 2},
                  {"num_return_sequences": 2, "return_tensors": True}, {"return_full_text": False}):
            yield prompt, {"do_sample": False, "num_beams": 4, "max_new_tokens": 10, **p}
    yield PROMPTS[:3], {"do_sample": False, "num_beams": 3, "max_new_tokens": 6, "num_return_sequences": 2}


def main():
    cases, skipped = [], 0
    for name, model in MODELS.items():
        pipe = open_pipeline(model)
        shared = name in ("llama", "gpt2")
        for inputs, given in [*(plan() if shared else other_plan()), *(beam_plan() if shared else [])]:
            # An implied bos that is also the pad id is masked, by accident, unless it is an end.
            if inputs == "" and name == "gpt2" and {"stop_sequence", "eos_token_id"} & set(given):
                continue
            result = run(pipe, inputs, given)
            if result is None:
                skipped += 1
                continue
            cases.append({"model": name, "inputs": inputs, "parameters": given, **result})
    path = DATA / "pipelines" / "text_generation.json"
    lines = ",\n".join(json.dumps(c, separators=(",", ":"), ensure_ascii=False) for c in cases)
    head = json.dumps({"transformers": transformers.__version__, "torch": torch.__version__})
    path.write_text('{"made_with":%s,\n"models":%s,\n"cases":[\n%s\n]}\n' % (head, json.dumps(MODELS), lines),
                    encoding="utf-8")
    print(len(cases), "cases,", sum("error" in c for c in cases), "errors,", skipped, "skipped,",
          path.stat().st_size, "bytes", file=sys.stderr)


main()

# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/generation/config.json: final option values of transformers for combinations of
call, generation_config.json, pipeline default and task parameters, or that it raises."""
import copy
import json
import pathlib
import random
import warnings

import torch
import transformers
from tokenizers import Tokenizer, models
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers import TextGenerationPipeline

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity(transformers.logging.CRITICAL)
pick = random.Random(7)
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=Tokenizer(models.WordLevel({"a": 0, "<unk>": 1}, unk_token="<unk>")), unk_token="<unk>"
)
VALUES = {
    "max_length": [20, 30, 142, 5],
    "max_new_tokens": [256, 7, 20, None],
    "min_length": [0, 3, 56],
    "min_new_tokens": [2, 9, None],
    "do_sample": [False, True],
    "num_beams": [1, 4],
    "num_return_sequences": [1, 3],
    "temperature": [1.0, 0.6, 0.7, 0.0, None],
    "top_k": [50, 20, 0, None],
    "top_p": [1.0, 0.9, None],
    "min_p": [0.1, None],
    "typical_p": [1.0, 0.5],
    "repetition_penalty": [1.0, 1.3, None],
    "length_penalty": [1.0, 2.0],
    "no_repeat_ngram_size": [0, 3],
    "early_stopping": [False, True, "never"],
    "eos_token_id": [2, [3, 4], None],
    "pad_token_id": [0, 5],
    "bos_token_id": [1],
}
DEFAULTS = [
    None,
    {},
    {"max_new_tokens": 256, "do_sample": True, "temperature": 0.7},
    {"max_new_tokens": 256, "num_beams": 4},
]
WRONG = [
    {"max_new_tokens": 0},
    {"max_new_tokens": -3},
    {"max_length": 3},
    {"do_sample": True, "temperature": 0.0},
    {"do_sample": True, "temperature": -1.0},
    {"do_sample": True, "top_k": -1},
    {"do_sample": True, "top_p": -0.1},
    {"do_sample": True, "top_p": 1.5},
    {"do_sample": True, "min_p": 1.5},
    {"do_sample": True, "min_p": -0.5},
    {"do_sample": True, "typical_p": 0.0},
    {"do_sample": True, "typical_p": -1.0},
    {"do_sample": True, "epsilon_cutoff": 2.0},
    {"repetition_penalty": 0.0},
    {"repetition_penalty": -1.0},
    {"encoder_repetition_penalty": -1.0},
    {"num_return_sequences": 2},
    {"num_return_sequences": 2, "do_sample": True},
    {"num_return_sequences": 5, "num_beams": 4},
    {"early_stopping": "always"},
    {"bad_words_ids": []},
    {"bad_words_ids": [[]]},
    {"bad_words_ids": [[-1]]},
    {"bad_words_ids": [[2]], "eos_token_id": 2},
    {"sequence_bias": []},
    {"sequence_bias": [[[-4], 1.0]]},
    {"no_repeat_ngram_size": -1},
    {"exponential_decay_length_penalty": [1, 1.5]},
    {"forced_eos_token_id": -1},
]


def final_values(default, file, task, call, prompt):
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=8,
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            max_position_embeddings=64,
            bos_token_id=None,
            eos_token_id=None,
            task_specific_params={"text-generation": copy.deepcopy(task)} if task else None,
        )
    )
    model.generation_config = GenerationConfig(**copy.deepcopy(file))
    base = None
    if default is not None:
        kind = type("P", (TextGenerationPipeline,), {"_default_generation_config": GenerationConfig(**default)})
        base = kind(model=model, tokenizer=tokenizer, task="text-generation", device=torch.device("cpu"))
        base = base.generation_config
    config, rest = model._prepare_generation_config(base, **copy.deepcopy(call))
    assert not rest, rest
    config.validate()
    values = {name: getattr(config, name) for name in VALUES}
    model._prepare_special_tokens(config, True, device="cpu")
    no_length = call.get("max_length") is None and config.max_length is not None
    no_minimum = call.get("min_length") is None and config.min_length is not None
    config = model._prepare_generated_length(config, no_length, no_minimum, "input_ids", prompt, None)
    model._validate_generated_length(config, prompt, no_length)
    ids = torch.zeros((1, prompt), dtype=torch.long)
    processors = model._get_logits_processor(config, prompt, encoder_input_ids=ids, device="cpu")
    processors(ids, torch.zeros((1, 8)))
    return {"values": values, "limits": [config.max_length, config.min_length]}


def some(most):
    return {name: pick.choice(VALUES[name]) for name in pick.sample(list(VALUES), pick.randint(0, most))}


def main():
    cases = []
    plan = [(None, {}, {}, wrong) for wrong in WRONG]
    plan += [
        (pick.choice(DEFAULTS), some(6), some(2) if pick.random() < 0.2 else {}, some(4)) for _ in range(420)
    ]
    for default, file, task, call in plan:
        if default is None:
            task = {}
        prompt = pick.randint(3, 6)
        try:
            file_ok = GenerationConfig(**copy.deepcopy(file))
        except ValueError:
            continue
        case = {"default": default, "file": file, "task": task, "call": call, "prompt": prompt}
        try:
            result = final_values(default, file, task, call, prompt)
        except (ValueError, RuntimeError, TypeError, IndexError) as e:
            result = {"error": type(e).__name__}
        cases.append({**case, **result})
    path = pathlib.Path(__file__).parent.parent / "data" / "generation" / "config.json"
    for case in cases:  # keep values that differ from the global default
        if "values" in case:
            plain = GenerationConfig()
            case["values"] = {k: v for k, v in case["values"].items() if v != getattr(plain, k)}
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    path.write_text('{"made_with":{"transformers":"%s"},"cases":[\n%s\n]}\n' % (transformers.__version__, lines))
    print(len(cases), sum("error" in c for c in cases), path.stat().st_size)


main()

# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/generation/processors.json: what the logits processors of transformers make of
random scores, alone and in random combinations, through the model's own _get_logits_processor."""
import base64
import copy
import json
import pathlib
import random
import struct
import warnings

import torch
import transformers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from generation_common import SplitMix, make_ids, make_scores

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
pick = random.Random(20240611)
model = LlamaForCausalLM(
    LlamaConfig(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
)
model.generation_config = GenerationConfig()


def real(low, high):
    return round(pick.uniform(low, high), 3)


def ids_in(vocabulary, most):
    return sorted(pick.sample(range(vocabulary), pick.randint(1, most)))


def sequence(vocabulary, ids):
    """A short sequence, most often one that continues the ids so far."""
    length = pick.randint(1, 3)
    if pick.random() < 0.6 and len(ids) >= length:
        return ids[len(ids) - length + 1 :] + [pick.randrange(1, vocabulary)]
    return [pick.randrange(1, vocabulary) for _ in range(length)]


def biases(vocabulary, ids):
    return [[[max(i, 1) for i in sequence(vocabulary, ids)], real(-4, 4)] for _ in range(pick.randint(1, 4))]


def bad_words(vocabulary, ids):
    return [sequence(vocabulary, ids) for _ in range(pick.randint(1, 4))] + [[1, 2, 3]]


OPTIONS = {
    "sequence_bias": lambda v, ids, prompt: biases(v, ids),
    "encoder_repetition_penalty": lambda v, ids, prompt: real(0.5, 2.5),
    "repetition_penalty": lambda v, ids, prompt: real(0.5, 2.5),
    "no_repeat_ngram_size": lambda v, ids, prompt: pick.randint(1, 4),
    "encoder_no_repeat_ngram_size": lambda v, ids, prompt: pick.randint(1, 4),
    "bad_words_ids": lambda v, ids, prompt: bad_words(v, ids),
    "min_length": lambda v, ids, prompt: pick.randint(1, 14),
    "min_new_tokens": lambda v, ids, prompt: pick.randint(1, 8),
    "forced_bos_token_id": lambda v, ids, prompt: pick.randrange(v),
    "forced_eos_token_id": lambda v, ids, prompt: ids_in(v, 3),
    "remove_invalid_values": lambda v, ids, prompt: True,
    "exponential_decay_length_penalty": lambda v, ids, prompt: [pick.randint(0, 4), real(1.01, 1.9)],
    "suppress_tokens": lambda v, ids, prompt: ids_in(v, 4),
    "begin_suppress_tokens": lambda v, ids, prompt: ids_in(v, 4),
    "temperature": lambda v, ids, prompt: real(0.3, 2.5),
    "top_k": lambda v, ids, prompt: pick.randint(1, v + 3),
    "top_p": lambda v, ids, prompt: real(0.05, 0.99),
    "min_p": lambda v, ids, prompt: real(0.001, 0.6),
    "typical_p": lambda v, ids, prompt: real(0.05, 0.99),
    "epsilon_cutoff": lambda v, ids, prompt: real(0.001, 0.2),
    "eta_cutoff": lambda v, ids, prompt: real(0.001, 0.3),
    "renormalize_logits": lambda v, ids, prompt: True,
}
WARPERS = ["temperature", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff"]
BORDERS = ["top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff"]


def run(options, ids, scores, prompt):
    config = GenerationConfig(**copy.deepcopy(options))
    model._prepare_special_tokens(config, True, device="cpu")
    config = model._prepare_generated_length(config, True, True, "input_ids", prompt, None)
    tensor = torch.tensor([ids])
    processors = model._get_logits_processor(
        config, prompt, encoder_input_ids=tensor[:, :prompt], logits_processor=[], device="cpu"
    )
    return processors(tensor, torch.tensor([scores], dtype=torch.float32))[0].tolist()


def on_a_border(options, ids, scores, prompt, result):
    """Whether a change of a threshold in its last digits changes what is kept."""
    for name in BORDERS:
        if name not in options:
            continue
        for factor in (1 - 2e-6, 1 + 2e-6):
            other = run({**options, name: options[name] * factor}, ids, scores, prompt)
            if [x == float("-inf") for x in other] != [x == float("-inf") for x in result]:
                return True
    return False


def make_case(names, seed):
    vocabulary, prompt, new = pick.randint(8, 32), pick.randint(1, 6), pick.randint(0, 7)
    kind = pick.choice(["continuous", "continuous", "ties", "holes"])
    if "remove_invalid_values" in names and pick.random() < 0.7:
        kind = "broken"
    source = SplitMix(seed)
    spread = pick.choice([3, vocabulary])
    ids = make_ids(source, prompt + new, spread)
    scores = make_scores(source, vocabulary, kind)
    options = {name: OPTIONS[name](vocabulary, ids, prompt) for name in names}
    if pick.random() < 0.8 or "exponential_decay_length_penalty" in names or "bad_words_ids" in names:
        options["eos_token_id"] = ids_in(vocabulary, 3)
    if any(name in WARPERS for name in names):
        options["do_sample"] = True
        options.setdefault("top_k", 0)
    if pick.random() < 0.15:
        options["num_beams"] = 3
    if "forced_eos_token_id" in names:
        options["max_length" if pick.random() < 0.5 else "max_new_tokens"] = pick.randint(new, new + 2) + 1
        if "max_length" in options:
            options["max_length"] += prompt
    result = run(options, ids, scores, prompt)
    if any(x != x for x in result) or on_a_border(options, ids, scores, prompt, result):
        return None
    case = {"o": options, "d": [seed, vocabulary, prompt, new, spread], "k": kind[0]}
    single = [struct.unpack("<f", struct.pack("<f", x))[0] for x in scores]
    if all(b in (a, float("-inf")) for a, b in zip(single, result)):
        case["m"] = "%x" % sum(1 << i for i, x in enumerate(result) if x == float("-inf"))
    else:
        case["v"] = base64.b64encode(struct.pack("<%df" % vocabulary, *result)).decode()
    return case


def main():
    cases, seed = [], 0
    plan = [[name] for name in OPTIONS for _ in range(30)]
    plan += [pick.sample(WARPERS, pick.randint(2, 5)) for _ in range(420)]
    plan += [pick.sample(list(OPTIONS), pick.randint(2, 9)) for _ in range(330)]
    skipped = 0
    for names in plan:
        seed += 1
        try:
            case = make_case(names, seed)
        except ValueError:  # contradictory lengths
            case = None
        if case is None:
            skipped += 1
            continue
        cases.append(case)
    path = pathlib.Path(__file__).parent.parent / "data" / "generation" / "processors.json"
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    head = json.dumps({"transformers": transformers.__version__, "torch": torch.__version__})
    path.write_text('{"made_with":%s,"cases":[\n%s\n]}\n' % (head, lines))
    print(len(cases), "cases,", skipped, "skipped,", path.stat().st_size, "bytes")


main()

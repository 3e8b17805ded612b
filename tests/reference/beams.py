# SPDX-License-Identifier: Apache-2.0
"""Writes what beam search of transformers gives over the tiny checkpoints of tests/data/models.

Usage: OMP_NUM_THREADS=1 python tests/reference/beams.py           (transformers 4.57.6: beams.json)
       OMP_NUM_THREADS=1 python tests/reference/beams.py groups    (4.49.0, the last release whose core has
                                                                    diverse groups: beam_groups.json)
A case is {"model", "prompts" (numbers of golden.json's), "options", "ids" (new ids of every returned sequence),
"scores"}. Prompts run as one left-padded batch. Sampled beams draw as the library does: the original's
distribution, by inversion, with the uniform numbers of its Philox stream; nothing but torch.multinomial is
replaced. encoder_repetition_penalty is not among the options: with beams the original
applies it to the first rows of the batch only. A case whose ids change under noise of 2e-5 on the log-probabilities has near ties and is left out.
"""
import json
import pathlib
import random
import sys

import torch
import transformers
from transformers import AutoModelForCausalLM, LogitsProcessorList

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"
NOISE = 2e-5
pick = random.Random(20251125)


def philox(counter, key):
    mask = 0xFFFFFFFF
    for _ in range(10):
        a, b = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [(b >> 32) ^ counter[1] ^ key[0], b & mask, (a >> 32) ^ counter[3] ^ key[1], a & mask]
        key = [(key[0] + 0x9E3779B9) & mask, (key[1] + 0xBB67AE85) & mask]
    return counter


def uniform(seed, index):
    """Number `index` in [0, 1) of stream 0, with 53 bits."""
    def bits(at):
        return philox([at // 4, 0, 0, 0], [seed & 0xFFFFFFFF, seed >> 32])[at % 4]
    return (((bits(2 * index) >> 5) << 26) | (bits(2 * index + 1) >> 6)) / (1 << 53)


class Draws:
    """Stands in for torch.multinomial: each row draws without replacement."""

    def __init__(self, seed):
        self.seed, self.step = seed, 0

    def __call__(self, probabilities, num_samples):
        rows = []
        for p in probabilities.double():
            p, row = p.clone(), []
            for j in range(num_samples):
                left = uniform(self.seed, self.step * num_samples + j) * p.sum().item()
                at = min(int((p.cumsum(0) <= left).sum()), len(p) - 1)
                while at > 0 and p[at] == 0:
                    at -= 1
                if p[at] == 0:  # nothing is left that has a probability
                    at = next(i for i in range(len(p)) if i not in row)
                row.append(at)
                p[at] = 0
            rows.append(row)
        self.step += 1
        return torch.tensor(rows)


class Noise(transformers.LogitsProcessor):
    def __init__(self):
        self.generator = torch.Generator().manual_seed(7)

    def __call__(self, input_ids, scores):
        return scores + NOISE * (torch.rand(scores.shape, generator=self.generator) - 0.5)


def generate(model, rows, mask, options, noise):
    extra = {"logits_processor": LogitsProcessorList([Noise()])} if noise else {}
    plain = torch.multinomial
    options = dict(options)
    torch.multinomial = Draws(options.pop("seed", 0))
    try:
        out = model.generate(torch.tensor(rows), attention_mask=torch.tensor(mask), return_dict_in_generate=True,
                             output_scores=True, **options, **extra)
    finally:
        torch.multinomial = plain
    new = out.sequences[:, len(rows[0]):].tolist()
    if options.get("num_beam_groups", 1) > 1:  # whose beam_indices count wrongly
        lengths = [next((i + 1 for i, t in enumerate(s) if t in options["eos_token_id"]), len(s)) for s in new]
    else:
        lengths = (out.beam_indices != -1).sum(1).tolist()
    ids = [s[:n] for s, n in zip(new, lengths)]
    return ids, out.sequences_scores.tolist()


def case(name, model, golden, numbers, options):
    prompts = [golden["prompts"][i]["ids"] for i in numbers]
    width, pad = max(map(len, prompts)), golden["pad_token_id"]
    rows = [[pad] * (width - len(p)) + p for p in prompts]
    mask = [[0] * (width - len(p)) + [1] * len(p) for p in prompts]
    ids, scores = generate(model, rows, mask, options, False)
    if generate(model, rows, mask, options, True)[0] != ids or min(scores) < -1e8:  # nothing has ended
        return None
    return {"model": name, "prompts": numbers, "options": options, "ids": ids,
            "scores": [float(f"{s:.7g}") for s in scores]}


def ends(golden):
    """Ids that the model likes to say, so that beams end."""
    said = sorted({i for p in golden["prompts"] for i in p["greedy"][:20]})
    return pick.sample(said, pick.choice([1, 1, 2, 3]))


def common_options(golden):
    beams = pick.choice([2, 3, 4, 7])
    out = {"num_beams": beams, "do_sample": False, "max_new_tokens": pick.choice([1, 8, 20, 30]),
           "num_return_sequences": pick.choice([1, 1, 2, beams]), "eos_token_id": ends(golden)}
    choices = {"length_penalty": [0.0, -1.0, 0.5, 2.0], "early_stopping": [True, "never"],
               "no_repeat_ngram_size": [1, 2, 3], "repetition_penalty": [1.3, 0.8], "min_new_tokens": [3, 9],
               "forced_eos_token_id": [5], "bad_words_ids": [[[70], [11, 12]]], "renormalize_logits": [True],
               "suppress_tokens": [[20, 21, 22, 23]], "exponential_decay_length_penalty": [[2, 1.2]],
               "sequence_bias": [[[[9], 2.0], [[10, 11], -3.0]]], "encoder_no_repeat_ngram_size": [1, 2]}
    for option in pick.sample(sorted(choices), pick.randint(0, 3)):
        out[option] = pick.choice(choices[option])
    return out


def sampled(options):
    options["do_sample"], options["seed"] = True, pick.randint(0, 1 << 40)
    for option, values in {"temperature": [0.7, 1.5], "top_k": [0, 5, 50], "top_p": [0.8], "min_p": [0.05]}.items():
        if pick.random() < 0.5:
            options[option] = pick.choice(values)


def main():
    groups = sys.argv[1:] == ["groups"]
    assert transformers.__version__ == ("4.49.0" if groups else "4.57.6")
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    torch.set_num_threads(1)
    names = ["gpt2", "llama_gqa"] + (["llama_mha"] if groups else ["gemma2", "qwen3", "mistral_sliding"])
    cases, skipped = [], 0
    for name in names:
        model = AutoModelForCausalLM.from_pretrained(DATA / "models" / name, attn_implementation="eager").eval()
        golden = json.loads((DATA / "models" / name / "golden.json").read_text())
        for number in range(24 if groups else 36):
            options = common_options(golden)
            if groups:
                options["num_beam_groups"] = pick.choice([2, 3])
                options["num_beams"] = options["num_beam_groups"] * pick.choice([1, 2, 3])
                options["num_return_sequences"] = pick.choice([1, options["num_beams"]])
                options["diversity_penalty"] = pick.choice([0.3, 1.0, 5.0])
            elif number % 3 == 2:
                sampled(options)
            numbers = pick.choice([[0], [1], [2], [0, 1, 2], [1, 0]])
            # The original's processors also look at padding.
            if {"no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "repetition_penalty"} & set(options):
                numbers = numbers[:1]
            result = case(name, model, golden, numbers, options)
            skipped += result is None
            cases += [result] if result else []
    path = DATA / "generation" / ("beam_groups.json" if groups else "beams.json")
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    head = json.dumps({"transformers": transformers.__version__, "torch": torch.__version__})
    path.write_text('{"made_with":%s,\n"cases":[\n%s\n]}\n' % (head, lines))
    print(len(cases), "cases,", skipped, "skipped,", path.stat().st_size, "bytes", file=sys.stderr)


if __name__ == "__main__":
    main()

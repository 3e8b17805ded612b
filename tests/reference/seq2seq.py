# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/seq2seq: tiny random encoder-decoders and what transformers 4.57.6 computes with them.

Usage: OMP_NUM_THREADS=1 python tests/reference/seq2seq.py [family ...]
golden.json: {"sources": [{"ids", "states" (last encoder state of the last row), "targets" (ids fed to the
decoder), "logits" (of its last two rows), "loss"}], "runs": [{"options", "ids" (of all sources and returned
sequences, without the start), "scores" (of beams)}]}; of LED also "global": {"ids", "mask" (global_attention_mask),
"states" (of all rows)}. Sources are padded to one batch. Runs whose ids change
under noise of 2e-5 are left out; sampled ones draw as beams.py says.
"""
import json
import pathlib
import shutil
import sys

import torch
import transformers
from transformers import (
    AutoModelForSeq2SeqLM, BartConfig, BartForSequenceClassification, LEDConfig, LogitsProcessorList, M2M100Config,
    MarianConfig, MBartConfig, MT5Config, PegasusConfig, T5Config, UMT5Config)

from beams import Draws, Noise

ROOT = pathlib.Path(__file__).resolve().parents[1] / "data" / "seq2seq"
LENGTHS = (4, 11, 23)


def t5(**k):
    return {**dict(vocab_size=120, d_model=20, d_kv=8, d_ff=28, num_layers=3, num_decoder_layers=2, num_heads=3,
                   relative_attention_num_buckets=8, relative_attention_max_distance=20, dropout_rate=0.0,
                   decoder_start_token_id=0), **k}


def bart(**k):
    return {**dict(vocab_size=120, d_model=24, encoder_layers=2, decoder_layers=2, encoder_attention_heads=3,
                   decoder_attention_heads=2, encoder_ffn_dim=28, decoder_ffn_dim=36, max_position_embeddings=64,
                   dropout=0.0, decoder_start_token_id=2), **k}


FAMILIES = {
    "t5": lambda: T5Config(**t5()),
    "t5_gated": lambda: T5Config(**t5(feed_forward_proj="gated-gelu", tie_word_embeddings=False, d_model=32, d_ff=64,
                                         num_heads=4)),
    "mt5": lambda: MT5Config(**t5(d_ff=26)),
    "umt5": lambda: UMT5Config(**t5()),
    "bart": lambda: BartConfig(**bart(forced_eos_token_id=2, d_model=32, encoder_attention_heads=4,
                                       encoder_ffn_dim=64, decoder_ffn_dim=32)),
    "mbart": lambda: MBartConfig(**bart(scale_embedding=True)),
    "pegasus": lambda: PegasusConfig(**bart(scale_embedding=True, pad_token_id=0, eos_token_id=1,
                                            decoder_start_token_id=0, activation_function="relu")),
    "marian": lambda: MarianConfig(**bart(scale_embedding=True, pad_token_id=119, eos_token_id=0,
                                          decoder_start_token_id=119, forced_eos_token_id=0, d_model=18,
                                          activation_function="swish")),
    "marian_separate": lambda: MarianConfig(**bart(
        scale_embedding=True, pad_token_id=119, eos_token_id=0, decoder_start_token_id=119, tie_word_embeddings=False,
        share_encoder_decoder_embeddings=False)),
    "led": lambda: LEDConfig(**bart(attention_window=[4, 12], max_encoder_position_embeddings=64,
                                    max_decoder_position_embeddings=40)),
    "m2m_100": lambda: M2M100Config(**bart(encoder_layerdrop=0.0, decoder_layerdrop=0.0)),
}
RUNS = [
    {"max_new_tokens": 20},
    {"max_new_tokens": 20, "repetition_penalty": 1.5, "encoder_no_repeat_ngram_size": 2},
    {"max_new_tokens": 20, "num_beams": 4, "num_return_sequences": 2},
    {"max_new_tokens": 24, "num_beams": 3, "length_penalty": 2.0, "early_stopping": True, "min_new_tokens": 5},
    {"max_new_tokens": 8, "num_beams": 2, "forced_bos_token_id": 17, "no_repeat_ngram_size": 2},
    {"max_new_tokens": 16, "do_sample": True, "temperature": 1.3, "top_k": 20, "seed": 11},
    {"max_new_tokens": 12, "do_sample": True, "top_k": 0, "num_beams": 3, "seed": 12},
]


def random_weights(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, p in sorted(model.named_parameters()):
        noise = torch.randn(p.shape, generator=generator)
        if "embed_positions" in name and not p.requires_grad:
            continue
        if p.dim() == 1 and name.endswith("weight"):
            value = 0.25 * noise + 1.0
        else:
            unscaled = "Attention.q" in name  # T5 does not divide its scores
            value = (0.6 if "shared" in name else 0.1 if unscaled else 0.3) * noise
        with torch.no_grad():
            p.copy_(value)
    if hasattr(model, "final_logits_bias"):
        model.final_logits_bias.copy_(0.3 * torch.randn(model.final_logits_bias.shape, generator=generator))


def digits(x):
    x = x.detach().double().tolist() if isinstance(x, torch.Tensor) else x
    return [digits(v) for v in x] if isinstance(x, list) else float(f"{x:.7g}")


def source_record(model, ids, generator):
    start = model.config.decoder_start_token_id
    target = torch.randint(3, 119, (len(ids) // 2 + 2,), generator=generator).tolist()
    labels, fed = target, [start] + target[:-1]
    out = model(input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([fed]), labels=torch.tensor([labels]))
    return {"ids": ids, "states": digits(out.encoder_last_hidden_state[0, -1]), "targets": fed, "labels": labels,
            "logits": digits(out.logits[0, -2:]), "loss": digits(out.loss)}


def generate(model, rows, mask, options, noise):
    extra = {"logits_processor": LogitsProcessorList([Noise()])} if noise else {}
    options, plain = dict(options), torch.multinomial
    torch.multinomial = Draws(options.pop("seed", 0))
    try:
        out = model.generate(torch.tensor(rows), attention_mask=torch.tensor(mask), return_dict_in_generate=True,
                             output_scores=True, **{"do_sample": False, **options}, **extra)
    finally:
        torch.multinomial = plain
    new = out.sequences[:, 1:].tolist()
    eos = model.generation_config.eos_token_id
    ids = [s[:s.index(eos) + 1] if eos in s else s for s in new]
    return ids, digits(out.sequences_scores) if options.get("num_beams", 1) > 1 else None


def global_record(model, ids, generator):
    mask = (torch.rand(len(ids), generator=generator) < 0.2).long()
    mask[0], mask[-1] = 1, 0
    out = model.get_encoder()(input_ids=torch.tensor([ids]), global_attention_mask=mask[None])
    return {"ids": ids, "mask": mask.tolist(), "states": digits(out.last_hidden_state[0])}


def make(family):
    folder, config = ROOT / family, FAMILIES[family]()
    config.dtype = torch.float32
    model = AutoModelForSeq2SeqLM.from_config(config, attn_implementation="eager").eval()
    random_weights(model, 5)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation="eager").eval()
    generator = torch.Generator().manual_seed(77)
    sources = [torch.randint(3, 119, (n,), generator=generator).tolist() for n in LENGTHS]
    pad, width = config.pad_token_id, max(LENGTHS)
    rows = [s + [pad] * (width - len(s)) for s in sources]
    mask = [[1] * len(s) + [0] * (width - len(s)) for s in sources]
    runs = []
    for options in RUNS:
        ids, scores = generate(model, rows, mask, options, False)
        if generate(model, rows, mask, options, True)[0] == ids:
            runs.append({"options": options, "ids": ids, **({"scores": scores} if scores else {})})
    golden = {"versions": {"transformers": transformers.__version__, "torch": torch.__version__},
              "sources": [source_record(model, s, generator) for s in sources], "runs": runs}
    if family == "led":
        golden["global"] = [global_record(model, s, generator) for s in sources]
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    for f in folder.iterdir():
        f.chmod(0o644)
    print(family, len(runs), "runs", sum(f.stat().st_size for f in folder.iterdir()), "bytes", flush=True)


def make_classifier():
    folder = ROOT / "bart_classifier"
    config = FAMILIES["bart"]()
    config.num_labels, config.dtype = 3, torch.float32
    config.id2label = {0: "contradiction", 1: "neutral", 2: "entailment"}
    model = BartForSequenceClassification._from_config(config, attn_implementation="eager").eval()
    random_weights(model, 6)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    generator = torch.Generator().manual_seed(78)
    records = []
    for n in LENGTHS:
        ids = [0] + torch.randint(3, 119, (n,), generator=generator).tolist() + [2]
        records.append({"ids": ids, "logits": digits(model(input_ids=torch.tensor([ids])).logits[0])})
    (folder / "golden.json").write_text(json.dumps({"sequences": records}, separators=(",", ":")) + "\n")
    for f in folder.iterdir():
        f.chmod(0o644)


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    for name in sys.argv[1:] or [*FAMILIES, "bart_classifier"]:
        make_classifier() if name == "bart_classifier" else make(name)

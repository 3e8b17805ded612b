# SPDX-License-Identifier: Apache-2.0
"""The peers of benchmarks/seq2seq.cpp: PyTorch (transformers) and CTranslate2 over the same random checkpoints.

Usage: seq2seq.py make DIR                     random models of the shapes of T5-small, BART-base and Marian
       seq2seq.py torch MODEL THREADS BEAMS BATCH [SOURCE NEW RUNS]
       seq2seq.py ctranslate2 MODEL THREADS BEAMS BATCH [SOURCE NEW RUNS [float32|int8]]
One JSON line each: median seconds of a run, and the first ids, to be compared before the times are.
"""
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time


def make(folder):
    import torch
    from transformers import AutoModelForSeq2SeqLM, BartConfig, MarianConfig, T5Config
    shapes = {
        "t5_small": T5Config(decoder_start_token_id=0),
        "bart_base": BartConfig(d_model=768, encoder_layers=6, decoder_layers=6, encoder_attention_heads=12,
                                decoder_attention_heads=12, encoder_ffn_dim=3072, decoder_ffn_dim=3072,
                                decoder_start_token_id=2, init_std=0.06, normalize_before=False,
                                normalize_embedding=True),  # two fields that CTranslate2 asks for
        "marian": MarianConfig(vocab_size=58101, d_model=512, encoder_layers=6, decoder_layers=6,
                               encoder_attention_heads=8, decoder_attention_heads=8, encoder_ffn_dim=2048,
                               decoder_ffn_dim=2048, scale_embedding=True, activation_function="swish",
                               pad_token_id=58100, eos_token_id=0, forced_eos_token_id=None,
                               max_position_embeddings=512, decoder_start_token_id=58100, init_std=0.06),
    }
    for name, config in shapes.items():
        torch.manual_seed(1)
        config.forced_eos_token_id = None
        AutoModelForSeq2SeqLM.from_config(config).save_pretrained(pathlib.Path(folder) / name)


def sources(batch, length):
    return [[(i * 7919 + b * 104729 + 11) % 20000 + 100 for i in range(length)] for b in range(batch)]


def measure(run, runs):
    ids, seconds = run(), []
    for _ in range(runs):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return ids, statistics.median(seconds), min(seconds)


def with_torch(model, threads, beams, batch, length, new, runs):
    import torch
    from transformers import AutoModelForSeq2SeqLM
    torch.set_num_threads(threads)
    m = AutoModelForSeq2SeqLM.from_pretrained(model).eval()
    ids = torch.tensor(sources(batch, length))
    mask = torch.ones_like(ids)

    def run():
        with torch.inference_mode():
            out = m.generate(ids, attention_mask=mask, num_beams=beams, do_sample=False, max_new_tokens=new,
                             min_new_tokens=new)
        return out[0, 1:].tolist()

    return measure(run, runs)


def with_ctranslate2(model, threads, beams, batch, length, new, runs, kind="float32"):
    import ctranslate2
    from ctranslate2.converters import TransformersConverter
    from transformers import AutoConfig, PreTrainedTokenizerFast
    from tokenizers import Tokenizer, models

    config = AutoConfig.from_pretrained(model)
    names = [f"t{i}" for i in range(config.vocab_size)]
    for at, name in ((config.pad_token_id, "<pad>"), (config.eos_token_id, "</s>")):
        names[at] = name
    names[3 if config.eos_token_id != 3 else 4] = "<unk>"
    tok = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(
        {n: i for i, n in enumerate(names)}, unk_token="<unk>")), unk_token="<unk>", pad_token="<pad>",
        eos_token="</s>", bos_token="</s>")

    class Converter(TransformersConverter):
        def load_tokenizer(self, *_args, **_kwargs):
            return tok

    with tempfile.TemporaryDirectory() as work:
        out = os.path.join(work, "model")
        Converter(model).convert(out, quantization=kind, force=True)
        translator = ctranslate2.Translator(out, device="cpu", compute_type=kind, inter_threads=1,
                                            intra_threads=threads)
    texts = [[names[i] for i in s] for s in sources(batch, length)]

    def run():
        result = translator.translate_batch(texts, beam_size=beams, max_decoding_length=new,
                                            min_decoding_length=new, max_input_length=0)
        return [names.index(t) for t in result[0].hypotheses[0]]

    return measure(run, runs)


def main():
    if sys.argv[1] == "make":
        return make(sys.argv[2])
    engine, model, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
    threads, beams, batch, length, new, runs = [int(x) for x in rest[:6]] + [1, 1, 1, 64, 64, 5][len(rest[:6]):]
    extra = rest[6:7]
    ids, seconds, least = (with_torch if engine == "torch" else with_ctranslate2)(
        model, threads, beams, batch, length, new, runs, *extra)
    print(json.dumps({"engine": engine, "weights": (extra or ["f32"])[0], "threads": threads, "beams": beams,
                      "batch": batch, "seconds": round(seconds, 4), "least": round(least, 4), "ids": ids[:12]}))


if __name__ == "__main__":
    main()

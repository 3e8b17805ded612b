# SPDX-License-Identifier: MIT
"""Writes tests/data/models: tiny random checkpoints and what transformers 4.57.6 computes with them.

Usage: OMP_NUM_THREADS=1 python tests/reference/models.py [family ...]
The format of golden.json is described in tests/data/models/README.md. Seeds are raised until the greedy
paths have no near ties, vary, and never meet the end-of-sequence id.
"""
import json
import pathlib
import shutil
import sys

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM, Gemma2Config, Gemma3TextConfig, GemmaConfig, GPT2Config, LlamaConfig,
    MistralConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen3Config, SmolLM3Config)

ROOT = pathlib.Path(__file__).resolve().parents[1] / "data" / "models"
LENGTHS = (5, 13, 29)
NEW_TOKENS = 64
MARGIN = 1e-3

TEXT = """The quick brown fox jumps over the lazy dog. A small model is trained on a little text, and the
tokenizer learns a few merges from the words in the text. Then the model reads the words in the prompt.
Il était une fois une petite souris. The end of the story is here, and there is no more to say about it.
for i in range(10): print(i)  # the numbers and the lines
"""


def llama(**k):
    base = dict(vocab_size=131, hidden_size=24, intermediate_size=40, num_hidden_layers=2,
                num_attention_heads=3, num_key_value_heads=1, max_position_embeddings=128,
                tie_word_embeddings=False, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2,
                pad_token_id=0)
    return {**base, **k}


LLAMA_GQA = dict(vocab_size=275, hidden_size=36, intermediate_size=44, num_attention_heads=6,
                 num_key_value_heads=2, head_dim=8, attention_bias=True)
FAMILIES = {
    "gpt2": lambda: GPT2Config(vocab_size=275, n_positions=128, n_embd=24, n_layer=2, n_head=3,
                               resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=274,
                               eos_token_id=274, pad_token_id=274),
    "llama_mha": lambda: LlamaConfig(**llama(hidden_size=30, num_key_value_heads=3, mlp_bias=True)),
    "llama_gqa": lambda: LlamaConfig(**llama(**LLAMA_GQA)),
    "llama_llama3": lambda: LlamaConfig(**llama(rope_theta=500.0, rope_scaling={
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32})),
    "llama_linear": lambda: LlamaConfig(**llama(rope_scaling={"rope_type": "linear", "factor": 3.0})),
    "llama_dynamic": lambda: LlamaConfig(**llama(max_position_embeddings=24, rope_scaling={
        "rope_type": "dynamic", "factor": 2.0})),
    "llama_yarn": lambda: LlamaConfig(**llama(rope_theta=1000.0, head_dim=16, rope_scaling={
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32,
        "beta_fast": 8.0, "beta_slow": 1.0})),
    "llama_longrope": lambda: LlamaConfig(**llama(original_max_position_embeddings=32, rope_scaling={
        "rope_type": "longrope", "short_factor": [1.0, 1.1, 1.3, 1.75],
        "long_factor": [1.25, 2.0, 3.5, 6.0]})),
    "llama_sharded": lambda: LlamaConfig(**llama(tie_word_embeddings=True)),
    "mistral_sliding": lambda: MistralConfig(**llama(
        hidden_size=28, num_attention_heads=4, num_key_value_heads=2, head_dim=8, sliding_window=4)),
    "qwen2": lambda: Qwen2Config(**llama(
        hidden_size=32, intermediate_size=37, num_attention_heads=4, tie_word_embeddings=True,
        rms_norm_eps=1e-6, rope_theta=1e6)),
    "qwen2_sliding": lambda: Qwen2Config(**llama(
        num_hidden_layers=3, use_sliding_window=True, sliding_window=4, max_window_layers=1)),
    "qwen3": lambda: Qwen3Config(**llama(
        hidden_size=28, head_dim=12, tie_word_embeddings=True, rms_norm_eps=1e-6, rope_theta=1e6)),
    "smollm3": lambda: SmolLM3Config(**llama(
        num_hidden_layers=3, no_rope_layers=[1, 0, 1], use_sliding_window=False,
        tie_word_embeddings=True, rope_theta=2e6, rms_norm_eps=1e-6)),
    "gemma": lambda: GemmaConfig(**llama(
        head_dim=10, tie_word_embeddings=True, rms_norm_eps=1e-6)),
    "gemma2": lambda: Gemma2Config(**llama(
        num_hidden_layers=3, head_dim=10, tie_word_embeddings=True, rms_norm_eps=1e-6,
        sliding_window=4, attn_logit_softcapping=2.0, final_logit_softcapping=2.5,
        query_pre_attn_scalar=5)),
    "gemma3": lambda: Gemma3TextConfig(**llama(
        hidden_size=20, intermediate_size=28, num_hidden_layers=7, num_attention_heads=2, head_dim=8,
        tie_word_embeddings=True, rms_norm_eps=1e-6, sliding_window=4, rope_theta=1e6,
        rope_local_base_freq=1e4, query_pre_attn_scalar=8)),
    "gemma3_linear": lambda: Gemma3TextConfig(**llama(
        num_hidden_layers=3, head_dim=8, tie_word_embeddings=True, rms_norm_eps=1e-6,
        sliding_window=4, rope_theta=1e6, rope_local_base_freq=1e4, query_pre_attn_scalar=11,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_scaling={"rope_type": "linear", "factor": 8.0})),
}
# Their rotary tables depend on the longest row of a batch and outlive a call.
STATEFUL = ("llama_dynamic", "llama_longrope")


def random_weights(model, seed):
    """Weights large enough to spread logits, each exactly a bf16 number."""
    generator = torch.Generator().manual_seed(seed)
    gemma = "Gemma" in type(model).__name__
    for name, p in sorted(model.named_parameters()):
        noise = torch.randn(p.shape, generator=generator)
        if p.dim() == 1 and name.endswith("weight"):
            value = 0.25 * noise + (0.0 if gemma else 1.0)
        elif p.dim() == 1:
            value = 0.25 * noise
        elif "embed_tokens" in name or "wte" in name or "wpe" in name:
            value = (0.15 if gemma else 0.3) * noise
        elif "lm_head" in name:
            value = 0.4 * noise
        else:
            value = 0.3 * noise
        with torch.no_grad():
            p.copy_(value.bfloat16().float())


def digits(x):
    if isinstance(x, torch.Tensor):
        x = x.detach().double().tolist()
    return [digits(v) for v in x] if isinstance(x, list) else float(f"{x:.7g}")


def parts(model):
    if hasattr(model, "transformer"):
        return model.transformer.h, model.transformer.ln_f
    return model.model.layers, model.model.norm


def trace(model, ids):
    """Logits and the residual stream of one prompt, no cache."""
    seen, handles = {}, []
    layers, norm = parts(model)

    def keep(key):
        def hook(_, __, output):
            seen[key] = (output[0] if isinstance(output, tuple) else output)[0]
        return hook

    def first(_, args, kwargs):
        seen["embedding"] = (args[0] if args else kwargs["hidden_states"])[0]

    handles.append(layers[0].register_forward_pre_hook(first, with_kwargs=True))
    for i, layer in enumerate(layers):
        handles.append(layer.register_forward_hook(keep(i)))
    handles.append(norm.register_forward_hook(keep("norm")))
    logits = model(torch.tensor([ids]), use_cache=False).logits[0]
    for h in handles:
        h.remove()
    return logits, seen["embedding"], [seen[i] for i in range(len(layers))], seen["norm"]


def greedy(model, ids, mask=None):
    ids = torch.tensor(ids)
    mask = torch.ones_like(ids) if mask is None else torch.tensor(mask)
    out = model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=NEW_TOKENS,
                         return_dict_in_generate=True, output_logits=True)
    top = torch.stack(out.logits).topk(2, -1).values
    return out.sequences[:, ids.shape[1]:].tolist(), (top[..., 0] - top[..., 1]).min().item()


def prompt_record(load, ids):
    logits, embedding, hidden, norm = trace(load(), ids)
    n = len(ids)
    h = n - 2
    new, margin = greedy(load(), [ids])
    positions = sorted({0, n // 2, n - 2})
    return margin, {
        "ids": ids, "last_logits": digits(logits[-1]), "positions": positions,
        "logits": digits(logits[positions]), "logsumexp": digits(torch.logsumexp(logits, -1)),
        "argmax": logits.argmax(-1).tolist(), "hidden_position": h, "embedding": digits(embedding[h]),
        "hidden_states": [digits(x[h]) for x in hidden], "final_norm": digits(norm[h]),
        "greedy": new[0]}


def attempt(family, folder, seed):
    config = FAMILIES[family]()
    config.torch_dtype = torch.float32
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    random_weights(model, seed)
    special = {"bos_token_id": config.bos_token_id, "eos_token_id": config.eos_token_id,
               "pad_token_id": config.pad_token_id}
    model.generation_config = transformers.GenerationConfig(**special)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, **({"max_shard_size": "40KB"} if family == "llama_sharded" else {}))

    def fresh():
        return AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()

    shared = fresh()
    load = fresh if family in STATEFUL else lambda: shared
    generator = torch.Generator().manual_seed(seed + 1000)
    low, high = (0, config.vocab_size - 1) if family == "gpt2" else (3, config.vocab_size)
    prompts = [torch.randint(low, high, (n,), generator=generator).tolist() for n in LENGTHS]
    worst, records = 1e9, []
    for ids in prompts:
        margin, record = prompt_record(load, ids)
        new = record["greedy"]
        if margin < MARGIN or config.eos_token_id in new or len(set(new)) < 6:
            return None
        worst = min(worst, margin)
        records.append(record)
    width = max(LENGTHS)
    rows = [[config.pad_token_id] * (width - len(p)) + p for p in prompts]
    mask = [[0] * (width - len(p)) + [1] * len(p) for p in prompts]
    new, margin = greedy(load(), rows, mask)
    same = new == [r["greedy"] for r in records]
    if margin < MARGIN or any(config.eos_token_id in r for r in new):
        return None
    if not same and family not in STATEFUL:
        raise RuntimeError(f"{family}: the padded batch differs from single prompts")
    return {
        "family": family,
        "versions": {"transformers": transformers.__version__, "torch": torch.__version__},
        "seed": seed, "vocab_size": config.vocab_size, "eos_token_id": config.eos_token_id,
        "pad_token_id": config.pad_token_id, "min_margin": digits(min(worst, margin)),
        "prompts": records,
        "batch": {"input_ids": rows, "attention_mask": mask, "greedy": new, "equals_singles": same}}


def tokenizer(folder, kind):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>"] if kind == "llama_gqa" else []
    size = 275 if special else 274
    tok.train_from_iterator([TEXT], trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    names = {}
    if special:
        tok.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)])
        names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    else:
        tok.add_special_tokens(["<|endoftext|>"])
        names = {k: "<|endoftext|>" for k in ("bos_token", "eos_token", "pad_token", "unk_token")}
    assert tok.get_vocab_size() == 275
    fast = PreTrainedTokenizerFast(tokenizer_object=tok, model_max_length=128,
                                   clean_up_tokenization_spaces=False, **names)
    if special:
        fast.chat_template = (
            "{{ bos_token }}{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}"
            "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}")
    fast.save_pretrained(folder)


def make(family):
    folder = ROOT / family
    for seed in range(1, 400):
        golden = attempt(family, folder, seed)
        if golden:
            break
    else:
        raise RuntimeError(f"{family}: no seed gives clear greedy paths")
    if family in ("gpt2", "llama_gqa"):
        tokenizer(folder, family)
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    for f in folder.iterdir():
        f.chmod(0o644)
    size = sum(f.stat().st_size for f in folder.iterdir())
    paths = [len(set(r["greedy"])) for r in golden["prompts"]]
    print(f"{family}: seed {seed}, margin {golden['min_margin']:.2g}, distinct {paths}, "
          f"equal {golden['batch']['equals_singles']}, {size} bytes", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    for name in sys.argv[1:] or FAMILIES:
        make(name)

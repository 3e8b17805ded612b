# SPDX-License-Identifier: MIT
"""Writes the GGUF twins of some checkpoints of tests/data/models, as llama.cpp's converter would.

Usage: OMP_NUM_THREADS=1 python tests/reference/gguf_models.py   (after models.py)
Conversions: GGUF names; q/k rows of Llama permuted for interleaved rotation; Conv1D of GPT-2 transposed;
Gemma's norms stored as 1 + w; Llama 3.1 rope scaling as the tensor rope_freqs.weight. F32 twins hold the
checkpoint's values, BF16 ones too (they are exact in bf16). `llama_q8_0` is quantised first: its
model.safetensors holds the dequantised weights, so its golden.json also describes the Q8_0 file.
Each file is then loaded by llama.cpp, whose logits must agree with golden.json.
"""
import json
import math
import pathlib

import gguf
import numpy as np
import torch
from safetensors.torch import load_file

import models

ROOT = models.ROOT
ARCH = {"llama": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2, "qwen3": gguf.MODEL_ARCH.QWEN3,
        "gemma3_text": gguf.MODEL_ARCH.GEMMA3, "gpt2": gguf.MODEL_ARCH.GPT2}
TYPES = {"f32": gguf.GGMLQuantizationType.F32, "bf16": gguf.GGMLQuantizationType.BF16,
         "q8_0": gguf.GGMLQuantizationType.Q8_0}
FILE_TYPES = {"f32": gguf.LlamaFileType.ALL_F32, "bf16": gguf.LlamaFileType.MOSTLY_BF16,
              "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}
FILES = [("llama_gqa", "f32"), ("gpt2", "f32"), ("qwen2", "f32"), ("qwen3", "f32"), ("gemma3", "f32"),
         ("llama_llama3", "bf16"), ("llama_linear", "bf16"), ("llama_yarn", "bf16"),
         ("llama_q8_0", "q8_0")]


def permute(weights, heads):
    return (weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
            .swapaxes(1, 2).reshape(weights.shape))


def converted(config, name, x):
    kind = config["model_type"]
    if kind == "llama" and ".q_proj." in name:
        return permute(x, config["num_attention_heads"])
    if kind == "llama" and ".k_proj." in name:
        return permute(x, config["num_key_value_heads"])
    if kind == "gpt2" and x.ndim == 2 and ".h." in name:
        return x.T
    if kind == "gemma3_text" and name.endswith("norm.weight"):
        return x + 1
    return x


def llama3_factors(config):
    """The divisors of the rotary frequencies that the converter stores for rope_type llama3."""
    s = config["rope_scaling"]
    half = config["head_dim"] // 2
    frequencies = 1.0 / config["rope_theta"] ** (np.arange(half, dtype=np.float32) / half)
    original = s["original_max_position_embeddings"]
    factors = []
    for f in frequencies:
        wavelength = 2 * math.pi / f
        if wavelength < original / s["high_freq_factor"]:
            factors.append(1.0)
        elif wavelength > original / s["low_freq_factor"]:
            factors.append(s["factor"])
        else:
            smooth = ((original / wavelength - s["low_freq_factor"])
                      / (s["high_freq_factor"] - s["low_freq_factor"]))
            factors.append(1 / ((1 - smooth) / s["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


def add_rope_scaling(w, scaling):
    kind = scaling["rope_type"]
    if kind == "linear":
        w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        w.add_rope_scaling_factor(scaling["factor"])
    elif kind == "yarn":
        w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        w.add_rope_scaling_factor(scaling["factor"])
        w.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
        w.add_rope_scaling_yarn_beta_fast(scaling["beta_fast"])
        w.add_rope_scaling_yarn_beta_slow(scaling["beta_slow"])


def add_shape(w, c):
    if c["model_type"] == "gpt2":
        w.add_context_length(c["n_positions"])
        w.add_embedding_length(c["n_embd"])
        w.add_block_count(c["n_layer"])
        w.add_feed_forward_length(c.get("n_inner") or 4 * c["n_embd"])
        w.add_head_count(c["n_head"])
        w.add_layer_norm_eps(c["layer_norm_epsilon"])
        return
    head_dim = c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"]
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(c["hidden_size"])
    w.add_block_count(c["num_hidden_layers"])
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_head_count(c["num_attention_heads"])
    w.add_head_count_kv(c["num_key_value_heads"])
    w.add_layer_norm_rms_eps(c["rms_norm_eps"])
    w.add_rope_freq_base(c["rope_theta"])
    w.add_vocab_size(c["vocab_size"])
    w.add_key_length(head_dim)
    w.add_value_length(head_dim)
    if c["model_type"] == "llama":
        w.add_rope_dimension_count(head_dim)
    if c["model_type"] == "gemma3_text":
        w.add_sliding_window(c["sliding_window"])
    if c.get("rope_scaling"):
        add_rope_scaling(w, c["rope_scaling"])


def add_tokenizer(w, folder, c):
    special = {k: c[f"{k}_token_id"] for k in ("bos", "eos", "pad")}
    if not (folder / "tokenizer.json").exists():
        w.add_tokenizer_model("no_vocab")
    else:
        t = json.loads((folder / "tokenizer.json").read_text())
        ids = {i: token for token, i in t["model"]["vocab"].items()}
        control = {a["id"] for a in t["added_tokens"]}
        ids.update({a["id"]: a["content"] for a in t["added_tokens"]})
        w.add_tokenizer_model("gpt2")
        w.add_tokenizer_pre("gpt-2")
        w.add_token_list([ids[i] for i in range(len(ids))])
        w.add_token_types([gguf.TokenType.CONTROL if i in control else gguf.TokenType.NORMAL
                           for i in range(len(ids))])
        w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in t["model"]["merges"]])
        w.add_add_bos_token(c["model_type"] == "llama")
        template = folder / "chat_template.jinja"
        if template.exists():
            w.add_chat_template(template.read_text())
    w.add_bos_token_id(special["bos"])
    w.add_eos_token_id(special["eos"])
    w.add_pad_token_id(special["pad"])


def write(family, dtype, path):
    folder = ROOT / family
    config = json.loads((folder / "config.json").read_text())
    arch = ARCH[config["model_type"]]
    layers = config.get("num_hidden_layers") or config["n_layer"]
    names = gguf.get_tensor_name_map(arch, layers)
    w = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[arch])
    w.add_name(family)
    w.add_file_type(FILE_TYPES[dtype])
    add_shape(w, config)
    add_tokenizer(w, folder, config)
    if (config.get("rope_scaling") or {}).get("rope_type") == "llama3":
        w.add_tensor("rope_freqs.weight", llama3_factors(config))
    for name, tensor in load_file(folder / "model.safetensors").items():
        x = np.ascontiguousarray(converted(config, name, tensor.numpy()))
        kind = TYPES[dtype] if x.ndim == 2 else TYPES["f32"]
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert target, name
        if kind == TYPES["f32"]:
            w.add_tensor(target, x)
        else:
            w.add_tensor(target, gguf.quantize(x, kind), raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    path.chmod(0o644)


def llama_logits(path, ids):
    import llama_cpp
    llm = llama_cpp.Llama(str(path), n_ctx=128, n_batch=128, n_ubatch=128, logits_all=True, n_threads=1,
                          n_threads_batch=1, verbose=False, flash_attn=False,
                          type_k=0, type_v=0)  # an F32 cache
    llm.eval(ids)
    return np.array(llm.scores[:len(ids)])


def check(family, path, golden):
    worst = 0.0
    for p in golden["prompts"]:
        got = llama_logits(path, p["ids"])
        worst = max(worst, float(np.abs(got[-1] - p["last_logits"]).max()),
                    float(np.abs(got[p["positions"]] - p["logits"]).max()))
    return worst


def make_quantized_family():
    """llama_q8_0: a checkpoint whose matrices are exactly what its Q8_0 file holds."""
    original = models.random_weights

    def quantized(model, seed):
        original(model, seed)
        with torch.no_grad():
            for p in model.parameters():
                if p.dim() == 2:
                    packed = gguf.quantize(p.numpy(), TYPES["q8_0"])
                    p.copy_(torch.from_numpy(gguf.dequantize(packed, TYPES["q8_0"]).copy()))

    models.random_weights = quantized
    models.FAMILIES["llama_q8_0"] = lambda: models.LlamaConfig(**models.llama(
        hidden_size=32, intermediate_size=64, num_attention_heads=4, num_key_value_heads=2))
    models.make("llama_q8_0")
    models.random_weights = original


def main():
    torch.set_num_threads(1)
    make_quantized_family()
    for family, dtype in FILES:
        golden = json.loads((ROOT / family / "golden.json").read_text())
        path = ROOT / family / f"model.{dtype}.gguf"
        write(family, dtype, path)
        # llama.cpp rounds activations for narrow formats: the F32 form shows that the layout is right.
        exact = pathlib.Path("/tmp") / f"parlance_{family}.f32.gguf"
        write(family, "f32", exact)
        error = check(family, exact, golden)
        narrow = check(family, path, golden)
        exact.unlink()
        # llama.cpp's GELU is a table of f16 values.
        assert error < (5e-3 if family.startswith(("gpt2", "gemma")) else 1e-4), (family, error)
        print(f"{family}.{dtype}: llama.cpp differs by {error:.1e} as F32, {narrow:.1e} as {dtype}, "
              f"{path.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Writes tests/data/training/{llama,gpt2}: 50 AdamW steps of two tiny models in PyTorch.

Usage: OMP_NUM_THREADS=1 python tests/reference/training.py
The format of golden.json is described in tests/data/training/README.md.
"""
import json
import pathlib
import shutil

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig

ROOT = pathlib.Path(__file__).resolve().parents[1] / "data" / "training"
STEPS, CYCLE, BATCH, LENGTH, VOCAB = 50, 10, 4, 32, 256
LR, BETAS, EPS, DECAY, CLIP = 1e-3, (0.9, 0.999), 1e-8, 0.01, 1.0

CONFIGS = {
    "llama": LlamaConfig(
        vocab_size=VOCAB, hidden_size=64, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
        tie_word_embeddings=False, attention_dropout=0.0, initializer_range=0.03),
    "gpt2": GPT2Config(
        vocab_size=VOCAB, n_positions=32, n_embd=64, n_layer=2, n_head=4, n_inner=96, resid_pdrop=0.0,
        embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0, initializer_range=0.03),
}
# Gradients of the first step that are kept whole.
GRADIENTS = {
    "llama": ["model.layers.0.self_attn.q_proj.weight", "model.layers.1.self_attn.k_proj.weight",
              "model.layers.0.mlp.down_proj.weight", "model.layers.0.input_layernorm.weight",
              "model.norm.weight"],
    "gpt2": ["transformer.h.0.attn.c_attn.bias", "transformer.h.1.attn.c_proj.weight",
             "transformer.h.0.ln_1.weight", "transformer.ln_f.bias", "transformer.wpe.weight"],
}


def make_batches():
    """Sequences with something to learn (each id follows from the last one most of the time)."""
    g = torch.Generator().manual_seed(7)
    follow = torch.randperm(VOCAB, generator=g)
    batches = []
    for _ in range(CYCLE):
        ids = torch.randint(0, VOCAB, (BATCH, LENGTH), generator=g)
        stray = torch.rand((BATCH, LENGTH), generator=g) < 0.25
        for t in range(1, LENGTH):
            ids[:, t] = torch.where(stray[:, t], ids[:, t], follow[ids[:, t - 1]])
        labels = ids.clone()
        labels[torch.rand((BATCH, LENGTH), generator=g) < 0.15] = -100
        labels[0, :6] = -100  # a masked prompt
        labels[3, 20:] = -100  # padding
        batches.append((ids, labels))
    return batches


def digits(x):
    return [digits(v) for v in x] if isinstance(x, list) else float(f"{x:.9g}")


def run(name, folder, batches, dtype):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").to(dtype).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, betas=BETAS, eps=EPS, weight_decay=DECAY,
                                  foreach=False)
    losses, norms, first, kept = [], [], {}, {}
    for step in range(STEPS):
        ids, labels = batches[step % CYCLE]
        loss = model(input_ids=ids, labels=labels, use_cache=False).loss
        loss.backward()
        if step == 0:
            first = {n: p.grad.norm().item() for n, p in model.named_parameters()}
            kept = {n: p.grad.clone() for n, p in model.named_parameters() if n in GRADIENTS[name]}
            assert len(kept) == len(GRADIENTS[name])
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP).item())
        losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
    final = {n: [p.double().norm().item(), p.double().sum().item()] for n, p in model.named_parameters()}
    return losses, norms, first, kept, final


def make(name):
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    config = CONFIGS[name]
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():  # norms and biases away from their defaults, all weights exact in bf16
        for p in model.parameters():
            if p.dim() == 1:
                p.add_(0.1 * torch.randn(p.shape))
            p.copy_(p.bfloat16().float())
    model.save_pretrained(folder)
    batches = make_batches()
    losses, norms, first, kept, final = run(name, folder, batches, torch.float32)
    exact = run(name, folder, batches, torch.float64)
    save_file({n: g.contiguous() for n, g in kept.items()}, folder / "gradients.safetensors")
    golden = {
        "versions": {"transformers": transformers.__version__, "torch": torch.__version__},
        "optimizer": {"name": "adamw", "lr": LR, "betas": list(BETAS), "eps": EPS,
                      "weight_decay": DECAY, "decay_parameters": "all", "max_grad_norm": CLIP},
        "steps": STEPS, "batches": [{"input_ids": i.tolist(), "labels": l.tolist()} for i, l in batches],
        "losses": digits(losses), "grad_norms": digits(norms),
        "losses_f64": digits(exact[0]), "grad_norms_f64": digits(exact[1]),
        "first_grad_norms": {n: digits(v) for n, v in first.items()},
        "final_weights": {n: digits(v) for n, v in final.items()}}
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    for f in folder.iterdir():
        f.chmod(0o644)
    drift = max(abs(a - b) for a, b in zip(losses, exact[0]))
    print(f"{name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}, f32 to f64 {drift:.1e}, "
          f"gradient norm {norms[0]:.3f} -> {norms[-1]:.3f}, clipped {sum(n > CLIP for n in norms)}, "
          f"{sum(f.stat().st_size for f in folder.iterdir())} bytes")


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    for key in CONFIGS:
        make(key)

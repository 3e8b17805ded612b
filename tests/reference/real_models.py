# SPDX-License-Identifier: MIT
"""What transformers (float32) and llama.cpp make of two real models and their GGUF forms.

Usage: python tests/reference/real_models.py [smollm2|gemma3 ...] [--models DIR] [--out DIR]
Writes OUT/NAME.json (default DIR: /root/.cache/parlance-oracle/{models,goldens}); the one of SmolLM2 is
also copied to tests/data/models/smollm2_135m_instruct.json. Schema:

{"model": folder name, "versions": {...}, "eos_token_id": e,
 "prompts": [20 x {"text": ..} or {"messages": [..]},   messages: through the chat template, with
              "ids": [..],                              add_generation_prompt
              "greedy": [<= 64 ids],                    greedy with cache; ends with e if that came
              "margins": [top1-top2 logit gap of each]}],
 "text": str, "text_ids": [500],                        special tokens as the tokenizer adds them
 "logprobs": [null, 499 numbers],                       natural log-probability of each id of text_ids
 "perplexity": exp(-mean of logprobs),
 "ggufs": {file: {"perplexity": with exactly dequantised weights, arithmetic in float32,
                  "llama_cpp_perplexity": with llama.cpp (2 threads, F32 cache),
                  "first_logprobs": [null, 31 numbers], "tensor_types": {type: count},
                  "greedy": [for prompts 0, 5, 9: 32 ids], "margins": [..]}}}
"""
import argparse
import collections
import json
import math
import pathlib
import shutil

import gguf
import numpy as np
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

CACHE = pathlib.Path("/root/.cache/parlance-oracle")
COMMITTED = pathlib.Path(__file__).resolve().parents[1] / "data" / "models"
MODELS = {"smollm2": ("SmolLM2-135M-Instruct", "smollm2-135m-instruct"),
          "gemma3": ("gemma-3-270m", "gemma-3-270m")}
NEW, SCORED, GGUF_PROMPTS = 64, 500, (0, 5, 9)


def user(text, system=None):
    return ([{"role": "system", "content": system}] if system else []) + [{"role": "user", "content": text}]


PROMPTS = [
    "The capital of France is",
    "Once upon a time, in a small village by the sea,",
    "Water boils at a temperature of",
    "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n",
    "#include <vector>\n#include <algorithm>\n\nint main() {\n  std::vector<int> v = {3, 1, 2};\n  ",
    "La Révolution française a commencé en",
    "Il était une fois, dans une forêt lointaine,",
    "日本の首都は",
    "Emoji: 🙂🚀 and math: ∑ᵢ xᵢ² ≤ ∞. In words,",
    "Q: What is 12 plus 30?\nA:",
    "The three primary colours are red, ",
    "{\"name\": \"Alice\", \"age\": 31, \"languages\": [",
    "A",
    "SELECT name, COUNT(*) FROM orders WHERE",
    user("What is the capital of Italy?"),
    user("Write a short poem about the sea."),
    user("Explain gravity in one sentence.", "You are a terse teacher."),
    user("Écris une phrase sur les chats."),
    user("Write a Python function that reverses a string."),
    user("Hi!") + [{"role": "assistant", "content": "Hello! How can I help?"}] + user("List three fruits."),
]

TEXT = """A lighthouse stands on the rocks at the edge of the bay. For more than a century its lamp was lit
by hand each evening, first with oil and later with gas, and the keeper wrote the weather into a thick book
before going to bed. On 14 November 1903 the book says only: "Wind from the north-west, heavy sea, two ships
waiting." Nobody knows what the ships were waiting for.

When electricity came to the coast, the work of the keeper changed. The lamp could now be switched on from
the village, and a small motor turned the lens once every fifteen seconds. The last keeper, a quiet woman who
had studied mathematics, used the long evenings to compute tables of tides. She checked each value twice:

    h(t) = a0 + sum(a[k] * cos(w[k] * t - p[k]) for k in range(1, 8))

Her tables were better than the printed ones. Fishermen came up the hill to copy them, and in return they
brought fish, bread, and news from the other side of the bay. One of them, who spoke French, liked to say:
« La mer est calme aujourd'hui, mais demain elle sera en colère. » She laughed and answered that the sea has
no feelings, only boundary conditions.

Today the tower is a museum. Visitors climb 137 steps, look at the lens, and read the books behind glass.
A small computer in the corner predicts the tides for the next ten years; its program has about 40 lines:

    int main() {
      const double hours = 24.0 * 365.25;
      for (double t = 0; t < hours; t += 0.5) std::printf("%.1f %.3f\\n", t, height(t));
      return 0;
    }

The children prefer the old tables. They run their fingers down the columns, find their birthday, and ask
whether the water was high or low on the day when they were born. The guide always has an answer, because the
keeper's numbers, written with a pencil and a great deal of patience, were never wrong by more than a hand.
In winter, when the museum is closed, the light still turns, and sometimes, if the wind comes from the
north-west, two ships can be seen on the horizon, waiting."""


def digits(x, n=7):
    return [digits(v, n) for v in x] if isinstance(x, list) else float(f"{x:.{n}g}")


def greedy(model, ids, count):
    out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                         do_sample=False, max_new_tokens=count, return_dict_in_generate=True,
                         output_logits=True)
    top = torch.cat(out.logits).topk(2, -1).values
    return out.sequences[0, len(ids):].tolist(), digits((top[:, 0] - top[:, 1]).tolist(), 4)


def score(logits, ids):
    """Natural log-probability of ids[1:]; logits [len(ids), V]."""
    logprobs = torch.log_softmax(logits[:-1].double(), -1)
    return logprobs[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].tolist()


def transformers_score(model, ids):
    return score(model(torch.tensor([ids]), use_cache=False).logits[0], ids)


def llama_cpp_score(path, ids):
    import llama_cpp
    llm = llama_cpp.Llama(str(path), n_ctx=512, n_batch=512, n_ubatch=512, logits_all=True, n_threads=2,
                          n_threads_batch=2, verbose=False, flash_attn=False, type_k=0, type_v=0)
    llm.eval(ids)
    result = score(torch.from_numpy(np.array(llm.scores[:len(ids)])), ids)
    llm.close()
    return result


def perplexity(logprobs):
    return math.exp(-sum(logprobs) / len(logprobs))


def unpermute(x, heads):
    return x.reshape(heads, x.shape[0] // heads // 2, 2, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)


def load_gguf(model, path):
    """Puts the dequantised tensors of a GGUF file into a transformers model."""
    config = model.config
    reader = gguf.GGUFReader(path)
    tensors = {t.name: t for t in reader.tensors}
    arch = {"llama": gguf.MODEL_ARCH.LLAMA, "gemma3_text": gguf.MODEL_ARCH.GEMMA3}[config.model_type]
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    used = set()
    with torch.no_grad():
        for name, p in model.named_parameters():
            t = tensors[names.get_name(name, try_suffixes=(".weight", ".bias"))]
            used.add(t.name)
            x = gguf.dequantize(t.data, t.tensor_type).reshape(tuple(p.shape))
            if config.model_type == "llama" and ("q_proj" in name or "k_proj" in name):
                x = unpermute(x, config.num_attention_heads if "q_proj" in name
                              else config.num_key_value_heads)
            if config.model_type == "gemma3_text" and name.endswith("norm.weight"):
                x = x - 1
            p.copy_(torch.from_numpy(np.array(x, dtype=np.float32)))
    if "output.weight" in tensors and "output.weight" not in used:
        t = tensors["output.weight"]
        model.lm_head.weight = torch.nn.Parameter(
            torch.from_numpy(np.array(gguf.dequantize(t.data, t.tensor_type), dtype=np.float32)))
        used.add("output.weight")
    left = set(tensors) - used - {"rope_freqs.weight"}
    assert not left, left
    return dict(collections.Counter(t.tensor_type.name for t in reader.tensors))


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32,
                                                attn_implementation="eager").eval()


def encode(tok, prompt):
    if isinstance(prompt, str):
        return {"text": prompt, "ids": tok(prompt).input_ids}
    return {"messages": prompt, "ids": tok.apply_chat_template(prompt, add_generation_prompt=True)}


def describe(folder, files, out):
    tok = AutoTokenizer.from_pretrained(folder)
    model = load(folder)
    prompts = PROMPTS if tok.chat_template else [p if isinstance(p, str) else p[-1]["content"]
                                                 for p in PROMPTS]
    records = [encode(tok, p) for p in prompts]
    for r in records:
        r["greedy"], r["margins"] = greedy(model, r["ids"], NEW)
    ids = tok(TEXT).input_ids[:SCORED]
    assert len(ids) == SCORED
    logprobs = transformers_score(model, ids)
    result = {
        "model": folder.name,
        "versions": {"transformers": transformers.__version__, "torch": torch.__version__},
        "eos_token_id": model.generation_config.eos_token_id, "prompts": records, "text": TEXT,
        "text_ids": ids, "logprobs": [None] + digits(logprobs), "perplexity": perplexity(logprobs),
        "ggufs": {}}
    print(f"{folder.name}: perplexity {result['perplexity']:.6f}, smallest margin "
          f"{min(min(r['margins']) for r in records)}", flush=True)
    for path in files:
        model = load(folder)
        types = load_gguf(model, path)
        logprobs = transformers_score(model, ids)
        runs = [greedy(model, records[i]["ids"], NEW // 2) for i in GGUF_PROMPTS]
        del model
        peer = perplexity(llama_cpp_score(path, ids))
        result["ggufs"][path.name] = {
            "perplexity": perplexity(logprobs), "llama_cpp_perplexity": peer,
            "first_logprobs": [None] + digits(logprobs[:31]), "tensor_types": types,
            "greedy": [r[0] for r in runs], "margins": [r[1] for r in runs]}
        print(f"  {path.name}: {perplexity(logprobs):.6f}, llama.cpp {peer:.6f} {types}", flush=True)
    out.write_text(json.dumps(result, ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--models", type=pathlib.Path, default=CACHE / "models")
    parser.add_argument("--out", type=pathlib.Path, default=CACHE / "goldens")
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names or MODELS:
        folder, prefix = MODELS[name]
        out = args.out / f"{name}.json"
        describe(args.models / folder, sorted(args.models.glob(f"{prefix}.*.gguf")), out)
        if name == "smollm2":
            shutil.copy(out, COMMITTED / "smollm2_135m_instruct.json")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/encoders: tiny random encoders and what transformers 4.57.6 computes with them.

Usage: OMP_NUM_THREADS=1 python tests/reference/encoders.py [family ...]

One folder a family: config.json, the backbone in model.safetensors under its prefix, what each head
has besides in heads.safetensors as HEAD:NAME, and golden.json: for each head the outputs for three
sequences run alone and the losses of two sequences of equal length.
"""
import copy
import json
import pathlib
import shutil
import sys

import torch
import transformers as tf
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[1] / "data" / "encoders"
LENGTHS = (1, 9, 21)
HEADS = {"encoder": tf.AutoModel, "masked_lm": tf.AutoModelForMaskedLM,
         "sequence": tf.AutoModelForSequenceClassification,
         "token": tf.AutoModelForTokenClassification,
         "question": tf.AutoModelForQuestionAnswering, "choice": tf.AutoModelForMultipleChoice}

BASE = dict(vocab_size=71, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
            intermediate_size=40, max_position_embeddings=40, num_labels=3)
ROBERTA = dict(BASE, pad_token_id=1, bos_token_id=0, eos_token_id=2, type_vocab_size=1)
DEBERTA = dict(BASE, relative_attention=True, max_position_embeddings=64, pooler_hidden_size=24,
               pooler_hidden_act="gelu")
FAMILIES = {
    "bert": lambda: tf.BertConfig(**BASE),
    "bert_relu_untied": lambda: tf.BertConfig(**BASE, hidden_act="relu", tie_word_embeddings=False,
                                              layer_norm_eps=1e-5),
    "roberta": lambda: tf.RobertaConfig(**ROBERTA),
    "xlm_roberta": lambda: tf.XLMRobertaConfig(**ROBERTA),
    "camembert": lambda: tf.CamembertConfig(**ROBERTA),
    "electra": lambda: tf.ElectraConfig(**BASE, embedding_size=16),
    "distilbert": lambda: tf.DistilBertConfig(
        vocab_size=71, dim=24, n_layers=2, n_heads=3, hidden_dim=40, max_position_embeddings=40,
        num_labels=3, sinusoidal_pos_embds=False),
    "albert": lambda: tf.AlbertConfig(**dict(BASE, num_hidden_layers=4), embedding_size=12,
                                      num_hidden_groups=2, inner_group_num=2),
    "mpnet": lambda: tf.MPNetConfig(**dict(BASE, pad_token_id=1, bos_token_id=0, eos_token_id=2)),
    "deberta": lambda: tf.DebertaConfig(**DEBERTA, pos_att_type=["c2p", "p2c"],
                                        position_biased_input=False, max_relative_positions=8),
    "deberta_c2p": lambda: tf.DebertaConfig(**DEBERTA, pos_att_type=["c2p"], type_vocab_size=2),
    "deberta_v2": lambda: tf.DebertaV2Config(
        **DEBERTA, pos_att_type=["p2c", "c2p"], position_biased_input=False, position_buckets=8,
        max_relative_positions=-1, share_att_key=True, norm_rel_ebd="layer_norm"),
    "deberta_v2_own_keys": lambda: tf.DebertaV2Config(
        **DEBERTA, pos_att_type="c2p|p2c", share_att_key=False, embedding_size=16, legacy=False),
    "deberta_v2_conv": lambda: tf.DebertaV2Config(
        **DEBERTA, pos_att_type="c2p|p2c", position_biased_input=False, position_buckets=8, share_att_key=True,
        conv_kernel_size=3, conv_act="gelu"),
    "modernbert": lambda: tf.ModernBertConfig(
        **dict(BASE, num_hidden_layers=4), local_attention=8, pad_token_id=0, cls_token_id=1,
        sep_token_id=2, bos_token_id=1, eos_token_id=2, classifier_pooling="mean",
        norm_bias=False, reference_compile=False),
    "modernbert_biases": lambda: tf.ModernBertConfig(
        **dict(BASE, num_hidden_layers=2), local_attention=8, pad_token_id=0, cls_token_id=1,
        sep_token_id=2, bos_token_id=1, eos_token_id=2, classifier_bias=True, norm_bias=True,
        attention_bias=True, mlp_bias=True, reference_compile=False),
}
# ElectraForMultipleChoice and the like exist for all but these.
MISSING = {"deberta": ("choice",), "deberta_c2p": ("choice",),
           # The untied or later head of this one is broken in the original: see tests/models.
           "deberta_v2_own_keys": ("masked_lm",)}


def randomize(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=generator)
            norm = p.dim() == 1 and name.endswith("weight")
            p.copy_((0.3 * noise + (1.0 if norm else 0.0)).bfloat16().float())


def digits(x):
    if isinstance(x, torch.Tensor):
        x = x.detach().double().tolist()
    return [digits(v) for v in x] if isinstance(x, list) else float(f"{x:.7g}")


def inputs(config, family):
    generator = torch.Generator().manual_seed(11)
    types = getattr(config, "type_vocab_size", 0) or 0
    result = []
    for n in LENGTHS:
        ids = torch.randint(3, config.vocab_size, (n,), generator=generator).tolist()
        result.append((ids, [int(types > 1 and i > n // 2) for i in range(n)]))
    return result


def call(model, head, ids, type_ids, types, **more):
    shape = (1, 1, -1) if head == "choice" else (1, -1)
    feed = dict(input_ids=torch.tensor(ids).view(shape), **more)
    feed["attention_mask"] = torch.ones_like(feed["input_ids"])
    if types:
        feed["token_type_ids"] = torch.tensor(type_ids).view(shape)
    return model(**feed)


def outputs(model, head, out):
    if head == "encoder":
        states = [digits(h[0, -1]) for h in (out.hidden_states or ())]
        pooled = getattr(out, "pooler_output", None)
        return {"hidden": digits(out.last_hidden_state[0]), "states": states,
                **({"pooled": digits(pooled[0])} if pooled is not None else {})}
    if head == "masked_lm":
        return {"logits": digits(out.logits[0, [0, -1]])}
    if head == "question":
        return {"logits": digits(torch.stack([out.start_logits[0], out.end_logits[0]], -1))}
    return {"logits": digits(out.logits[0])}


def losses(model, head, config, types, rows):
    """Losses of two sequences of equal length."""
    ids = torch.tensor([rows[2][0][:8], rows[2][0][8:16]])
    type_ids = torch.zeros_like(ids)
    feed = dict(input_ids=ids, attention_mask=torch.ones_like(ids), **({"token_type_ids": type_ids} if types else {}))
    result = {"ids": ids.tolist()}
    if head == "masked_lm":
        labels = [[-100, 5, -100, 9, -100, -100, 7, -100], [3, -100, -100, -100, 4, 4, -100, 6]]
        result |= {"labels": labels, "loss": model(**feed, labels=torch.tensor(labels)).loss.item()}
    elif head == "token":
        labels = [[0, 1, 2, -100, 1, 1, 0, 2], [2, 2, -100, -100, 0, 1, 0, 1]]
        result |= {"labels": labels, "loss": model(**feed, labels=torch.tensor(labels)).loss.item()}
    elif head == "question":
        first, last = [2, 7], [5, 99]
        result |= {"first": first, "last": last, "loss": model(
            **feed, start_positions=torch.tensor(first), end_positions=torch.tensor(last)).loss.item()}
    elif head == "choice":
        feed = {k: v[None] for k, v in feed.items()}
        result |= {"label": 1, "loss": model(**feed, labels=torch.tensor([1])).loss.item()}
    elif head == "sequence":
        for kind, labels in (("single_label_classification", [2, 0]),
                             ("multi_label_classification", [[1.0, 0, 1], [0, 1.0, 0]]),
                             ("regression", [[0.5, -1, 2], [0, 1.5, -0.25]])):
            model.config.problem_type = kind
            result[kind] = {"labels": labels,
                            "loss": model(**feed, labels=torch.tensor(labels)).loss.item()}
        model.config.problem_type = None
    return result


def make(family):
    config = FAMILIES[family]()
    config.torch_dtype = torch.float32
    folder = ROOT / family
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    types = (getattr(config, "type_vocab_size", 0) or 0) > 0
    rows = inputs(config, family)
    golden = {"family": family, "transformers": tf.__version__, "torch": torch.__version__,
              "sequences": [{"ids": i, "type_ids": t} for i, t in rows], "heads": {}}
    tensors, heads, backbone = {}, {}, None
    for head, auto in HEADS.items():
        if head in MISSING.get(family, ()):
            continue
        own_config = copy.deepcopy(config)
        if head == "question":
            own_config.num_labels = 2
        model = auto.from_config(own_config, attn_implementation="eager").eval()
        randomize(model, 5)
        if backbone is None:
            backbone = model.state_dict()
        else:
            model.base_model.load_state_dict(
                {k: v for k, v in backbone.items() if k in model.base_model.state_dict()})
        model.tie_weights()
        with torch.no_grad():
            golden["heads"][head] = {
                "class": type(model).__name__,
                "outputs": [outputs(model, head, call(
                    model, head, i, t, types,
                    **({"output_hidden_states": True} if head == "encoder" else {})))
                    for i, t in rows]}
            if head != "encoder":
                golden["heads"][head]["training"] = losses(model, head, config, types, rows)
        saved = folder / "saved"
        model.save_pretrained(saved)
        own = load_file(saved / "model.safetensors")
        shutil.rmtree(saved)
        if head == "encoder":
            prefix = model.base_model_prefix
            tensors = {f"{prefix}.{k}": v for k, v in own.items()}
        else:
            heads |= {f"{head}:{k}": v for k, v in own.items() if k not in tensors}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    save_file(heads, folder / "heads.safetensors", metadata={"format": "pt"})
    config.architectures = None
    config.save_pretrained(folder)
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    for f in folder.rglob("*"):
        if f.is_file():
            f.chmod(0o644)
    print(family, sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()), "bytes")


if __name__ == "__main__":
    torch.set_num_threads(1)
    tf.logging.set_verbosity_error()
    for name in sys.argv[1:] or FAMILIES:
        make(name)

# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/nn/rotary.json: cos and sin of rotary embeddings by transformers 4.57.6, for every
kind of scaling: {"config": fields of config.json, "length": n, "positions": [..], "cos": [[..]..], "sin"}.

Usage: OMP_NUM_THREADS=1 python tests/reference/rotary.py
"""
import json
import pathlib

import torch
import transformers
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

PATH = pathlib.Path(__file__).resolve().parents[1] / "data" / "nn" / "rotary.json"
LONG = {"short_factor": [1.0, 1.1, 1.3, 1.75], "long_factor": [1.25, 2.0, 3.5, 6.0]}
CASES = [
    ({}, {}, [40, 3000]),
    ({"rope_theta": 1e6, "head_dim": 16}, {}, [40]),
    ({"partial_rotary_factor": 0.5, "head_dim": 16}, {}, [40]),
    ({}, {"rope_type": "default"}, [40]),
    ({}, {"rope_type": "linear", "factor": 3.0}, [40]),
    ({}, {"type": "linear", "factor": 2.5}, [40]),
    ({}, {"rope_type": "dynamic", "factor": 2.0}, [40, 64, 65, 200, 1000]),
    ({"rope_theta": 500.0, "head_dim": 12}, {"rope_type": "dynamic", "factor": 4.0}, [65, 300]),
    ({}, {"rope_type": "yarn", "factor": 4.0}, [40, 500]),
    ({}, {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}, [40]),
    ({"head_dim": 32}, {"rope_type": "yarn", "factor": 8.0, "beta_fast": 16.0, "beta_slow": 2.0}, [40]),
    ({"head_dim": 32}, {"rope_type": "yarn", "factor": 8.0, "attention_factor": 1.5}, [40]),
    ({"head_dim": 32}, {"rope_type": "yarn", "factor": 8.0, "mscale": 0.7, "mscale_all_dim": 1.2}, [40]),
    ({"head_dim": 32}, {"rope_type": "yarn", "factor": 8.0, "truncate": False}, [40]),
    ({"head_dim": 32}, {"rope_type": "yarn", "factor": 0.5}, [40]),
    ({}, {"rope_type": "longrope", "factor": 4.0, **LONG}, [40, 64, 65, 200]),
    ({"original_max_position_embeddings": 16}, {"rope_type": "longrope", **LONG}, [16, 17, 60]),
    ({}, {"rope_type": "longrope", "factor": 4.0, "attention_factor": 1.25, **LONG}, [40, 65]),
    ({"head_dim": 32}, {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                        "original_max_position_embeddings": 32}, [40, 5000]),
    ({"head_dim": 64, "rope_theta": 5e5}, {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 2.0,
                                           "high_freq_factor": 8.0,
                                           "original_max_position_embeddings": 512}, [40]),
]


def main():
    cases = []
    for fields, scaling, lengths in CASES:
        fields = {"head_dim": 8, "max_position_embeddings": 64, "rope_theta": 10000.0, **fields}
        if scaling:
            fields["rope_scaling"] = scaling
        for length in lengths:
            config = LlamaConfig(hidden_size=fields["head_dim"], num_attention_heads=1, **fields)
            rope = LlamaRotaryEmbedding(config)
            # The last position, which says the length, goes along.
            positions = sorted({0, 1, 7, length // 2, length - 1})
            cos, sin = rope(torch.zeros(1), torch.tensor([positions]))
            half = cos.shape[-1] // 2
            cases.append({"config": fields, "length": length, "positions": positions,
                          "cos": [[float(f"{x:.8g}") for x in row[:half]] for row in cos[0].tolist()],
                          "sin": [[float(f"{x:.8g}") for x in row[:half]] for row in sin[0].tolist()]})
    PATH.parent.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    head = json.dumps({"transformers": transformers.__version__, "torch": torch.__version__})
    PATH.write_text('{"made_with":%s,"cases":[\n%s\n]}\n' % (head, lines))
    print(len(cases), PATH.stat().st_size)


transformers.logging.set_verbosity_error()
main()

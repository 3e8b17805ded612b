#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/kernels/quant_blocks.json: blocks of the eight formats with the values the gguf
package gives them, and what gguf and ggml make of given weights.

Needs numpy, gguf and llama-cpp-python (for libggml-base, whose quantiser of q4_k is called).
"""
import ctypes
import importlib.metadata
import json
import pathlib
import sys

import gguf
import numpy as np
from gguf.quants import dequantize, quantize

TYPES = {
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
    "q4_0": gguf.GGMLQuantizationType.Q4_0,
    "q4_1": gguf.GGMLQuantizationType.Q4_1,
    "q5_0": gguf.GGMLQuantizationType.Q5_0,
    "q5_1": gguf.GGMLQuantizationType.Q5_1,
    "q4_k": gguf.GGMLQuantizationType.Q4_K,
    "q5_k": gguf.GGMLQuantizationType.Q5_K,
    "q6_k": gguf.GGMLQuantizationType.Q6_K,
}
HALVES = {"q8_0": [0], "q4_0": [0], "q4_1": [0, 2], "q5_0": [0], "q5_1": [0, 2],
          "q4_k": [0, 2], "q5_k": [0, 2], "q6_k": [208]}


def random_blocks(rng, name, kind):
    """Every bit random, but the binary16 scales finite."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    raw = rng.integers(0, 256, (512 // block, size), dtype=np.uint8)
    for at in HALVES[name]:
        scale = rng.normal(0, 0.02, raw.shape[0]).astype(np.float16)
        scale[-1] = np.float16(3e-6)  # subnormal
        raw[:, at:at + 2] = scale.view(np.uint8).reshape(-1, 2)
    return raw.reshape(1, -1)


def weights(rng):
    x = rng.normal(0, 0.05, (8, 256)).astype(np.float32)
    x[1, :32] = 0
    x[1, 32:64] = 0.25
    x[1, 64:96] = -np.arange(32, dtype=np.float32)
    x[2] = np.round(x[2] * 40) / 16  # ties
    x[3] *= 1e-6
    x[4] *= 1e3
    x[5] = np.abs(x[5])
    x[6, ::17] *= 30  # outliers
    x[7, :16], x[7, 16:32] = 1.5, -1.5  # equal magnitudes of both signs
    return x


def ggml_q4_k(x):
    lib = ctypes.CDLL(str(next(pathlib.Path(sys.argv[2]).glob("libggml-base.so"))))
    out = np.zeros((x.shape[0], 144), dtype=np.uint8)
    lib.quantize_row_q4_K_ref(x.ctypes.data_as(ctypes.c_void_p),
                              out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(x.size))
    return out


def main():
    rng = np.random.default_rng(20250101)
    result = {"versions": {n: importlib.metadata.version(n) for n in ("gguf", "llama-cpp-python")}}
    result["formats"] = {}
    for name, kind in TYPES.items():
        raw = random_blocks(rng, name, kind)
        values = dequantize(raw, kind).astype("<f4")
        result["formats"][name] = {"blocks": raw.tobytes().hex(), "values": values.tobytes().hex()}
    x = weights(rng)
    q4_k = ggml_q4_k(x)
    result["weights"] = x.astype("<f4").tobytes().hex()
    result["quantized"] = {
        "q8_0": quantize(x, TYPES["q8_0"]).tobytes().hex(),
        "q4_0": quantize(x, TYPES["q4_0"]).tobytes().hex(),
        "q4_k": q4_k.tobytes().hex(),
    }
    pathlib.Path(sys.argv[1]).write_text(json.dumps(result, indent=0) + "\n")


if __name__ == "__main__":
    main()

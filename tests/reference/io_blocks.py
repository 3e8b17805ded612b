# SPDX-License-Identifier: Apache-2.0
"""Values of block formats and small floats from the originals -> tests/data/io/blocks.safetensors.

For every GGUF block format: one block of pseudo-random bytes with its values (<name>.bytes,
<name>.values), and the FNV-1a hash of the values of 512 blocks (in the metadata), so that every code
book entry takes part. Values come from gguf.quants and, where libggml-base.so (of llama-cpp-python)
is found, from its dequantize_row_* functions; both must agree bit for bit. Small floats: the values
of all codes, from ml_dtypes.

    pip install gguf llama-cpp-python ml_dtypes safetensors && python io_blocks.py
"""
import ctypes
import importlib.metadata
import importlib.util
import pathlib

import ml_dtypes
import numpy as np
import safetensors.numpy
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

OUT = pathlib.Path(__file__).parents[1] / "data" / "io"
MANY = 512

# name: (block, bytes, places of binary16 scales); sizes of ggml where gguf lacks the format.
HALVES = {
    "q4_0": [0], "q4_1": [0, 2], "q5_0": [0], "q5_1": [0, 2], "q8_0": [0], "q2_k": [80, 82],
    "q3_k": [108], "q4_k": [0, 2], "q5_k": [0, 2], "q6_k": [208], "iq2_xxs": [0], "iq2_xs": [0],
    "iq3_xxs": [0], "iq1_s": [0], "iq4_nl": [0], "iq3_s": [0], "iq2_s": [0], "iq4_xs": [0],
    "iq1_m": [54], "tq1_0": [52], "tq2_0": [64], "mxfp4": [], "nvfp4": [], "q1_0": [0], "q2_0": [0],
    "q8_k": [2],
}
SIZES = {"q2_0": (64, 18)}
# Decoded by the kernels, which do not keep the sign of zero: hashed with all zeros positive.
KERNELS = {"q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q4_k", "q5_k", "q6_k"}


def splitmix(count, seed):
    """The bytes of `count` outputs of splitmix64."""
    mask = (1 << 64) - 1
    out = bytearray()
    state = seed
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        out += (z ^ (z >> 31)).to_bytes(8, "little")
    return np.frombuffer(bytes(out), dtype=np.uint8)


def fnv(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & ((1 << 64) - 1)
    return h


def from_ggml(name, blocks, count):
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None:
        return None
    lib = ctypes.CDLL(str(pathlib.Path(spec.origin).parent / "lib" / "libggml-base.so"))
    function = getattr(lib, "dequantize_row_" + name.replace("_k", "_K"), None)
    out = np.zeros(count, dtype=np.float32)
    data = np.ascontiguousarray(blocks)
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    function(data.ctypes.data, out.ctypes.data, count)
    return out


def values(name, blocks):
    kind = GGMLQuantizationType.__members__.get(name.upper())
    block = SIZES[name][0] if name in SIZES else GGML_QUANT_SIZES[kind][0]
    results = [from_ggml(name, blocks, len(blocks) * block)]
    if kind in quants._type_traits:
        results.append(quants.dequantize(blocks, kind).reshape(-1).astype(np.float32))
    results = [r for r in results if r is not None]
    for r in results[1:]:
        assert r.tobytes() == results[0].tobytes(), name
    print(name, len(results), "sources")
    return results[0]


def main():
    tensors = {}
    versions = {p: importlib.metadata.version(p) for p in ("gguf", "llama-cpp-python", "ml_dtypes")}
    metadata = {"versions": str(versions)}
    for number, (name, halves) in enumerate(HALVES.items()):
        kind = GGMLQuantizationType.__members__.get(name.upper())
        size = SIZES[name][1] if name in SIZES else GGML_QUANT_SIZES[kind][1]
        blocks = splitmix((MANY * size + 7) // 8, number)[: MANY * size].reshape(MANY, size).copy()
        for at in halves:  # scales below 2: no infinity, no NaN
            blocks[:, at + 1] &= 0xBF
        all_values = values(name, blocks)
        tensors[name + ".bytes"] = blocks[0]
        tensors[name + ".values"] = all_values[: len(all_values) // MANY]
        hashed = all_values + np.float32(0) if name in KERNELS else all_values
        metadata[name] = f"{fnv(hashed.tobytes()):016x}"
    small = {
        "f8_e4m3": ml_dtypes.float8_e4m3fn, "f8_e5m2": ml_dtypes.float8_e5m2,
        "f8_e4m3fnuz": ml_dtypes.float8_e4m3fnuz, "f8_e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
        "f8_e8m0": ml_dtypes.float8_e8m0fnu, "f6_e2m3": ml_dtypes.float6_e2m3fn,
        "f6_e3m2": ml_dtypes.float6_e3m2fn, "f4": ml_dtypes.float4_e2m1fn,
    }
    for name, dtype in small.items():
        bits = {"f8": 8, "f6": 6, "f4": 4}[name[:2]]
        codes = np.arange(1 << bits, dtype=np.uint8)
        tensors[name] = codes.view(dtype).astype(np.float32)
    OUT.mkdir(parents=True, exist_ok=True)
    safetensors.numpy.save_file(tensors, OUT / "blocks.safetensors", metadata=metadata)


main()

# SPDX-License-Identifier: Apache-2.0
"""Small files written by the Python originals -> tests/data/io. Run: python io_files.py [folder]

dtypes.safetensors          one tensor of every dtype that torch and safetensors write
dtypes_as_f64.safetensors   the same values as F64, by torch
sharded/                    a state dict saved by huggingface_hub with small shards
values.gguf, split-*.gguf   metadata of every type, tensors; the same tensors split in three files

With a folder as argument it checks instead that Python safetensors loads every .safetensors file in
it (files that the C++ writer made) and prints what they hold.
"""
import json
import pathlib
import shutil
import sys

import gguf
import numpy as np
import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from huggingface_hub import save_torch_state_dict

OUT = pathlib.Path(__file__).parents[1] / "data" / "io"


def dtypes():
    g = torch.Generator().manual_seed(5)
    tensors, wide = {}, {}

    def add(name, tensor):
        tensors[name] = tensor
        if not tensor.is_complex():
            wide[name] = tensor.to(torch.float64)

    for name, low, high in [
        ("uint8", 0, 255), ("int8", -128, 127), ("int16", -32768, 32767), ("uint16", 0, 65535),
        ("int32", -(2**31), 2**31 - 1), ("uint32", 0, 2**32 - 1), ("int64", -(2**52), 2**52),
    ]:
        t = torch.randint(low, high, (3, 2), generator=g, dtype=torch.int64)
        t[0, 0], t[0, 1] = low, high
        add("ints." + name, t.to(getattr(torch, name)))
    add("ints.uint64", torch.tensor([0, 1, 2**40], dtype=torch.int64).to(torch.uint64))
    add("flags", torch.tensor([True, False, True]))
    for name in ["float64", "float32", "float16", "bfloat16"]:
        add("floats." + name, torch.randn(2, 3, 5, generator=g).to(getattr(torch, name)))
    for name in ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"]:
        add("small." + name, torch.randn(7, generator=g).to(getattr(torch, name)))
    add("small.e8m0", torch.tensor([0, 1, 127, 254], dtype=torch.uint8).view(torch.float8_e8m0fnu))
    tensors["small.f4"] = torch.tensor([0x10, 0x32, 0xFE], dtype=torch.uint8).view(
        torch.float4_e2m1fn_x2
    )
    wide["small.f4"] = torch.tensor([0, 0.5, 1, 1.5, -4, -6], dtype=torch.float64)
    add("complex", torch.tensor([1 + 2j]))
    add("scalar", torch.tensor(2.5))
    add("empty", torch.zeros(0, 3))
    add('odd "name" \\ é\n', torch.ones(1))
    safetensors.torch.save_file(tensors, OUT / "dtypes.safetensors", metadata={"format": "pt"})
    safetensors.torch.save_file(wide, OUT / "dtypes_as_f64.safetensors")


def sharded():
    folder = OUT / "sharded"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    state = {f"layer.{i}.weight": torch.full((4, i + 1), float(i)) for i in range(6)}
    state["big"] = torch.arange(64, dtype=torch.float32)
    state["small.é"] = torch.tensor([7], dtype=torch.int64)
    save_torch_state_dict(state, folder, max_shard_size=100)
    (folder / "config.json").write_text(json.dumps({"model_type": "tiny", "hidden_size": 4}))


def add_tensors(writer):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((4, 64)).astype(np.float32)
    writer.add_tensor("a.f32", x)
    writer.add_tensor("b.f16", x[:, :5].astype(np.float16))
    kind = gguf.GGMLQuantizationType.Q8_0
    writer.add_tensor("c.q8_0", gguf.quants.quantize(x, kind), raw_dtype=kind)
    kind = gguf.GGMLQuantizationType.TQ2_0
    writer.add_tensor("d.tq2_0", gguf.quants.quantize(np.tile(x, (1, 4)), kind), raw_dtype=kind)
    writer.add_tensor("e.i32", np.arange(3, dtype=np.int32))


def ggufs():
    writer = gguf.GGUFWriter(OUT / "values.gguf", "tiny")
    writer.add_uint8("v.u8", 200)
    writer.add_int8("v.i8", -100)
    writer.add_uint16("v.u16", 60000)
    writer.add_int16("v.i16", -30000)
    writer.add_uint32("v.u32", 4000000000)
    writer.add_int32("v.i32", -2000000000)
    writer.add_float32("v.f32", 0.1)
    writer.add_uint64("v.u64", 2**64 - 1)
    writer.add_int64("v.i64", -(2**63))
    writer.add_float64("v.f64", 0.1)
    writer.add_bool("v.bool", True)
    writer.add_string("v.string", "naïve ✓")
    writer.add_array("v.strings", ["a", "", "▁the"])
    writer.add_array("v.ints", [1, -2, 3])
    writer.add_array("v.floats", [0.5, -1.5])
    writer.add_array("v.bools", [True, False])
    add_tensors(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    for old in OUT.glob("split-*.gguf"):
        old.unlink()
    writer = gguf.GGUFWriter(OUT / "split.gguf", "tiny", split_max_tensors=2)
    add_tensors(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    reader = gguf.GGUFReader(OUT / "values.gguf")
    tensors = {
        t.name: np.ascontiguousarray(gguf.quants.dequantize(t.data, t.tensor_type)).astype(np.float32)
        if t.name != "e.i32" else t.data.astype(np.float32)
        for t in reader.tensors
    }
    safetensors.numpy.save_file(tensors, OUT / "values_as_f32.safetensors")


def check(folder):
    for path in sorted(pathlib.Path(folder).rglob("*.safetensors")):
        with safetensors.safe_open(path, "pt") as f:
            print(path, f.metadata())
            for name in f.keys():
                t = f.get_tensor(name)
                print("  ", repr(name), t.dtype, tuple(t.shape))


if len(sys.argv) > 1:
    check(sys.argv[1])
else:
    OUT.mkdir(parents=True, exist_ok=True)
    dtypes()
    sharded()
    ggufs()

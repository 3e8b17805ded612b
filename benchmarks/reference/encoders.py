# SPDX-License-Identifier: Apache-2.0
"""The workloads of benchmarks/encoder.cpp in PyTorch (transformers, sdpa) and ONNX Runtime, f32.

Usage: python benchmarks/reference/encoders.py FOLDER [--no-onnx]
"""
import statistics
import sys
import tempfile
import time

import torch
import transformers


def ids_of(lengths):
    ids = [1000 + (i * 7919) % 20000 for i in range(sum(lengths))]
    width, rows, at = max(lengths), [], 0
    for n in lengths:
        rows.append(ids[at:at + n] + [0] * (width - n))
        at += n
    mask = [[1] * n + [0] * (width - n) for n in lengths]
    return torch.tensor(rows), torch.tensor(mask)


def timed(f, seconds=1.0):
    f()
    samples, start = [], time.perf_counter()
    while len(samples) < 5 or time.perf_counter() - start < seconds:
        at = time.perf_counter()
        f()
        samples.append(time.perf_counter() - at)
    return 1e3 * statistics.median(samples)


def session(model, threads):
    import onnxruntime as ort
    file = tempfile.mkdtemp() + "/model.onnx"
    ids, mask = ids_of([8, 8])

    class Last(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    axes = {0: "batch", 1: "length"}
    torch.onnx.export(Last().eval(), (ids, mask), file, input_names=["input_ids", "attention_mask"],
                      output_names=["hidden"], dynamic_axes={"input_ids": axes, "attention_mask": axes,
                      "hidden": axes}, dynamo=False, opset_version=17)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def compare(name, model, workloads, onnx):
    for label, lengths in workloads:
        ids, mask = ids_of(lengths)
        for threads in (1, 2):
            torch.set_num_threads(threads)
            with torch.inference_mode():
                hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
                first = hidden[0, :lengths[0]].mean(0)[:3].tolist()
                line = f"{name} {label:12} {threads} threads  pytorch {timed(lambda: model(input_ids=ids, attention_mask=mask)):9.3f} ms"
            if onnx:
                run = session(model, threads)
                feed = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
                line += f"  onnxruntime {timed(lambda: run.run(None, feed)):9.3f} ms"
            print(line, " first vector", " ".join(f"{x:.6f}" for x in first), flush=True)


def main():
    transformers.logging.set_verbosity_error()
    onnx = "--no-onnx" not in sys.argv
    mixed = [6 + (i * i * 37) % 23 + (0 if i % 8 else 90) for i in range(32)]
    full = ("32 x 128", [128] * 32)
    mini = transformers.AutoModel.from_pretrained(sys.argv[1], attn_implementation="sdpa").eval()
    compare("MiniLM-L6", mini, [full, ("1 x 16", [16]), ("32 mixed", mixed)], onnx)
    base = transformers.BertModel(transformers.BertConfig(), add_pooling_layer=False).eval()
    compare("BERT-base", base, [full], onnx)


if __name__ == "__main__":
    main()

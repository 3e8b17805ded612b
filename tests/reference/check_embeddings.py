# SPDX-License-Identifier: Apache-2.0
"""Compares examples/embed with sentence-transformers on real text.

Usage: python tests/reference/check_embeddings.py EMBED_BINARY MODEL_FOLDER [embed options ...]
Embeds 1,000 pieces of text in any language and of any length, and checks that each vector has a
cosine above 0.999999 (--least C for another bound) to the original's, and that 50 queries rank the
rest in the same order but for ties within 1e-6.
"""
import json
import pathlib
import random
import subprocess
import sys

import numpy as np
from sentence_transformers import SentenceTransformer


def texts():
    root = pathlib.Path(__file__).resolve().parents[2]
    words = []
    for file in sorted([*root.glob("*.md"), *root.glob("docs/*.md"),
                        *root.glob("include/parlance/**/*.hpp")]):
        words += file.read_text().split()
    more = ["Der schnelle braune Fuchs springt über den faulen Hund.", "吾輩は猫である。名前はまだ無い。",
            "Съешь же ещё этих мягких французских булок.", "😀 👍🏽 family: 👨‍👩‍👧", "  ", "a", "ÉCOLE naïve", "नमस्ते दुनिया"]
    rng = random.Random(3)
    result = list(more)
    while len(result) < 1000:
        n = rng.choice((1, 3, 8, 15, 30, 60, 120, 400))
        at = rng.randrange(len(words) - n)
        result.append(" ".join(words[at:at + n]))
    return result


def main():
    binary, folder, *options = sys.argv[1:]
    least = 0.999999
    if "--least" in options:
        at = options.index("--least")
        least = float(options[at + 1])
        del options[at:at + 2]
    pieces = texts()
    feed = "".join(json.dumps(pieces[i:i + 100]) + "\n" for i in range(0, len(pieces), 100))
    run = subprocess.run([binary, folder, *options], input=feed.encode(), capture_output=True, check=True)
    got = np.concatenate([np.array(json.loads(line)) for line in run.stdout.splitlines()])
    model = SentenceTransformer(folder, device="cpu")
    expected = model.encode(pieces, batch_size=32).astype(np.float64)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (got, expected)]
    cosine = (unit[0] * unit[1]).sum(1)
    print(f"{len(pieces)} texts, dimension {got.shape[1]}: lowest cosine {cosine.min():.9f}, "
          f"largest difference {np.abs(got - expected).max():.3g}")
    swapped = 0
    for q in range(50):
        ours, theirs = (np.delete(x @ x[q], q) for x in unit)
        order = np.argsort(-ours, kind="stable")
        steps = np.diff(theirs[order])
        swapped += int((steps > (1e-6 if least > 0.99999 else 1)).sum())
    print(f"50 queries: {swapped} neighbours in the wrong order")
    if cosine.min() < least or swapped:
        sys.exit(1)


if __name__ == "__main__":
    main()

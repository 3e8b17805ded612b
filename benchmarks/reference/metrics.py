# SPDX-License-Identifier: Apache-2.0
"""Makes the texts of benchmarks/metrics.cpp and times the originals on them.

    metrics.py texts LINES OUT      writes OUT.hyp and OUT.ref
    metrics.py time OUT LINES       prints for the first LINES: metric, lines a second, score
"""
import random
import sys
import time


def texts(lines, out):
    rng = random.Random(7)
    vocabulary = ["".join(rng.choice("etaoinshrdlucmfwypvbgkjqxz") for _ in range(rng.choice([2, 3, 4, 5, 6, 7, 9])))
                  + rng.choice(["", "", "", "s", "ing", "ed", "ly"]) for _ in range(20000)]
    common = "the of and to a in is that it was for on are as with his they at be this from".split()
    with open(out + ".hyp", "w") as h, open(out + ".ref", "w") as r:
        for _ in range(lines):
            length, ref = rng.randrange(30, 301), ""
            while len(ref) < length:
                word = rng.choice(common) if rng.random() < 0.4 else vocabulary[int(20000 * rng.random() ** 3)]
                ref += word + (", " if rng.random() < 0.07 else " ")
            words = ref.strip().split(" ")
            hyp = list(words)
            for _ in range(max(1, len(words) // 5)):
                i, action = rng.randrange(len(hyp)), rng.random()
                if action < 0.5:
                    hyp[i] = rng.choice(vocabulary)
                elif action < 0.7 and len(hyp) > 2:
                    del hyp[i]
                elif action < 0.85:
                    hyp.insert(i, rng.choice(common))
                else:
                    j = min(len(hyp), i + rng.randrange(1, 4))
                    run = hyp[i:j]
                    del hyp[i:j]
                    k = rng.randrange(len(hyp) + 1)
                    hyp[k:k] = run
            r.write(" ".join(words).capitalize() + ".\n")
            h.write(" ".join(hyp).capitalize() + ".\n")


def measure(name, lines, f):
    start = time.perf_counter()
    score = f()
    print(f"{name} {lines / (time.perf_counter() - start):.0f} {score!r}", flush=True)


def run(out, lines):
    import os
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../tests/reference"))
    import jiwer
    from rouge_score import rouge_scorer
    from sacrebleu.metrics import BLEU, CHRF, TER
    from nltk.translate.meteor_score import meteor_score
    import metrics_cases
    hyp = open(out + ".hyp").read().split("\n")[:lines]
    ref = open(out + ".ref").read().split("\n")[:lines]
    measure("bleu", lines, lambda: metrics_cases.compute_bleu(hyp, [[r] for r in ref])["bleu"])
    measure("sacrebleu", lines, lambda: BLEU().corpus_score(hyp, [ref]).score)
    measure("chrf++", lines, lambda: CHRF(word_order=2).corpus_score(hyp, [ref]).score)
    measure("ter", lines, lambda: TER().corpus_score(hyp, [ref]).score)
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=True)
    measure("rouge", lines, lambda: sum(scorer.score(r, h)["rougeL"].fmeasure for h, r in zip(hyp, ref)) / lines)
    measure("wer", lines, lambda: jiwer.process_words(ref, hyp).wer)
    measure("cer", lines, lambda: jiwer.process_characters(ref, hyp).cer)
    wordnet, tokenize = metrics_cases.meteor_tools()
    part = min(lines, 1000)
    measure("meteor", part, lambda: sum(
        meteor_score([tokenize(r)], tokenize(h), wordnet=wordnet) for h, r in zip(hyp[:part], ref[:part])) / part)


if __name__ == "__main__":
    if sys.argv[1] == "texts":
        texts(int(sys.argv[2]), sys.argv[3])
    else:
        run(sys.argv[2], int(sys.argv[3]))

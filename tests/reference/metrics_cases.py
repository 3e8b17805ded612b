# SPDX-License-Identifier: Apache-2.0
"""Writes cases for the metrics with the Python originals, one JSON object a line:

    metrics_cases.py OUT_DIR [--cases N] [--seed S] [--only METRIC,...]

Without --cases it writes the frozen sample of tests/data/metrics. Needs sacrebleu 2.6.0, rouge_score
0.1.2, nltk 3.10.4, jiwer 4.0.0, scikit-learn 1.9, scipy 1.17, seqeval 1.2.2, mauve-text 0.4.0 with faiss-cpu 1.15. Where evaluate's module
only calls one of these, it is called the same way here; bleu and squad are written out below after
evaluate's own files, whose repository is not a package.
"""
import argparse
import collections
import json
import math
import os
import random
import re
import string
import sys
import warnings

import numpy as np

sys.path.insert(0, os.path.dirname(__file__))
import metrics_texts as texts  # noqa: E402

warnings.filterwarnings("ignore")
YES = ("false", "true")


def case(metric, settings, predictions, references, expected, **more):
    return dict(metric=metric, settings=settings, predictions=predictions, references=references,
                expected=expected, **more)


# ---- sacreBLEU ----
def streams(references):
    return [list(s) for s in zip(*references)]


def sacrebleu_case(rng):
    from sacrebleu.metrics import BLEU
    predictions, references = texts.corpus(rng)
    method = rng.choice(["exp", "floor", "add-k", "none"])
    value = rng.choice([None, 0.5, 2.0, 0.01])
    tokenize = rng.choice(["13a", "13a", "intl", "zh", "char", "none"])
    lower, effective = rng.random() < 0.3, rng.random() < 0.3
    order = rng.choice([4, 4, 4, 1, 2, 6])
    metric = BLEU(lowercase=lower, force=True, tokenize=tokenize, smooth_method=method,
                  smooth_value=value, max_ngram_order=order, effective_order=effective)
    score = metric.corpus_score(predictions, streams(references))
    settings = dict(smooth_method=method, tokenize=tokenize, lowercase=YES[lower],
                    use_effective_order=YES[effective], max_ngram_order=str(order))
    if value is not None:
        settings["smooth_value"] = repr(value)
    return case("sacrebleu", settings, predictions, references,
                dict(score=score.score, counts=score.counts, totals=score.totals,
                     precisions=score.precisions, bp=score.bp, sys_len=score.sys_len,
                     ref_len=score.ref_len, signature=str(metric.get_signature())))


def chrf_case(rng):
    from sacrebleu.metrics import CHRF
    predictions, references = texts.corpus(rng)
    options = dict(char_order=rng.choice([6, 6, 4, 1, 8, 10]), word_order=rng.choice([0, 2, 2, 1, 3]),
                   beta=rng.choice([2, 2, 1, 3]), lowercase=rng.random() < 0.3,
                   whitespace=rng.random() < 0.3, eps_smoothing=rng.random() < 0.3)
    metric = CHRF(**options)
    score = metric.corpus_score(predictions, streams(references))
    settings = {k: YES[v] if isinstance(v, bool) else str(v) for k, v in options.items()}
    return case("chrf", settings, predictions, references,
                dict(score=score.score, char_order=score.char_order, word_order=score.word_order,
                     beta=score.beta, signature=str(metric.get_signature())))


def ter_case(rng):
    from sacrebleu.metrics import TER
    long = rng.random() < 0.1
    predictions, references = texts.corpus(rng, shuffled=True, long=long)
    options = dict(normalized=rng.random() < 0.4, no_punct=rng.random() < 0.3,
                   asian_support=rng.random() < 0.4, case_sensitive=rng.random() < 0.5)
    metric = TER(**options)
    score = metric.corpus_score(predictions, streams(references))
    names = dict(normalized="normalized", no_punct="ignore_punct",
                 asian_support="support_zh_ja_chars", case_sensitive="case_sensitive")
    return case("ter", {names[k]: YES[v] for k, v in options.items()}, predictions, references,
                dict(score=score.score, num_edits=score.num_edits, ref_length=score.ref_length,
                     signature=str(metric.get_signature())))


# ---- evaluate's bleu: 13a words, compute_bleu of TensorFlow NMT ----
def words_13a(text):
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
    return Tokenizer13a()(text).split()


def ngrams(words, order):
    return collections.Counter(tuple(words[i:i + n]) for n in range(1, order + 1)
                               for i in range(len(words) - n + 1))


def compute_bleu(predictions, references, order=4, smooth=False):
    """The fields of evaluate's bleu; None where it divides by nothing."""
    matches, possible = [0] * order, [0] * order
    length = reference_length = 0
    for prediction, refs in zip(predictions, references):
        hyp, refs = words_13a(prediction), [words_13a(r) for r in refs]
        length += len(hyp)
        reference_length += min(map(len, refs))
        merged = collections.Counter()
        for r in refs:
            merged |= ngrams(r, order)
        for gram, count in (ngrams(hyp, order) & merged).items():
            matches[len(gram) - 1] += count
        for n in range(order):
            possible[n] += max(0, len(hyp) - n)
    if length == 0 or reference_length == 0:
        return None
    precisions = [(m + 1.0) / (t + 1.0) if smooth and n > 0 else (float(m) / t if t else 0.0)
                  for n, (m, t) in enumerate(zip(matches, possible))]
    mean = math.exp(sum((1. / order) * math.log(p) for p in precisions)) if min(precisions) > 0 else 0
    ratio = float(length) / reference_length
    bp = 1.0 if ratio > 1.0 else math.exp(1 - 1. / ratio)
    return dict(bleu=mean * bp, precisions=precisions, brevity_penalty=bp, length_ratio=ratio,
                translation_length=length, reference_length=reference_length)


def bleu_case(rng):
    predictions, references = texts.corpus(rng)
    order, smooth = rng.choice([4, 4, 2, 1, 5]), rng.random() < 0.4
    return case("bleu", dict(max_order=str(order), smooth=YES[smooth]), predictions, references,
                compute_bleu(predictions, references, order, smooth))


def google_bleu_case(rng):
    from nltk.translate.gleu_score import corpus_gleu
    predictions, references = texts.corpus(rng)
    low, high = rng.choice([(1, 4), (2, 4), (1, 1), (2, 6)])
    score = corpus_gleu([[words_13a(r) for r in refs] for refs in references],
                        [words_13a(p) for p in predictions], min_len=low, max_len=high)
    return case("google_bleu", dict(min_len=str(low), max_len=str(high)), predictions, references,
                dict(google_bleu=float(score)))


def nltk_bleu_case(rng):
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
    predictions, references = texts.corpus(rng)
    method = rng.randrange(8)
    weights = rng.choice([(0.25,) * 4, (0.25,) * 4, (0.5, 0.5), (1 / 3,) * 3, (0.2,) * 5])
    reweigh = rng.random() < 0.3
    settings = dict(smoothing_function=f"method{method}", weights=",".join(map(repr, weights)),
                    auto_reweigh=YES[reweigh])
    try:
        scores = [float(sentence_bleu([r.split() for r in refs], p.split(), weights=weights,
                                      smoothing_function=getattr(SmoothingFunction(), f"method{method}"),
                                      auto_reweigh=reweigh))
                  for p, refs in zip(predictions, references)]
    except (AssertionError, IndexError):
        return case("nltk_bleu", settings, predictions, references, None)
    return case("nltk_bleu", settings, predictions, references, dict(nltk_bleu=scores))


# ---- rouge: rouge_score, aggregated as evaluate does ----
def rouge_case(rng):
    from rouge_score import rouge_scorer, scoring
    several = rng.random() < 0.3
    predictions, references = texts.corpus(rng, lines=True, several=several)
    types = rng.choice([["rouge1", "rouge2", "rougeL", "rougeLsum"], ["rougeLsum"],
                        ["rouge3", "rougeL"], ["rouge1", "rouge5"]])
    stem, aggregate, seed = rng.random() < 0.5, rng.random() < 0.3, rng.randrange(100)
    scorer = rouge_scorer.RougeScorer(types, use_stemmer=stem)
    scores = [scorer.score_multi(refs, p) if several else scorer.score(refs[0], p)
              for p, refs in zip(predictions, references)]
    if aggregate:
        np.random.seed(seed)
        aggregator = scoring.BootstrapAggregator()
        for s in scores:
            aggregator.add_scores(s)
        expected = {k: float(v.mid.fmeasure) for k, v in aggregator.aggregate().items()}
    else:
        expected = {t: [float(s[t].fmeasure) for s in scores] for t in types}
    return case("rouge", dict(rouge_types=",".join(types), use_stemmer=YES[stem],
                              use_aggregator=YES[aggregate], seed=str(seed)),
                predictions, references, expected)


# ---- meteor: nltk with WordNet 3.0 of Debian, no Punkt tables ----
_meteor = []


def meteor_tools():
    if not _meteor:
        import pathlib
        import nltk.corpus.reader.wordnet as reader
        from nltk.tokenize.destructive import NLTKWordTokenizer
        from nltk.tokenize.punkt import PunktSentenceTokenizer
        import shutil
        import tempfile
        import nltk.data
        folder = tempfile.mkdtemp()
        nltk.data.path.append(folder)
        for name in os.listdir("/usr/share/wordnet"):
            if os.path.isfile(f"/usr/share/wordnet/{name}"):
                shutil.copy(f"/usr/share/wordnet/{name}", folder)
        # The reader wants a list of lexicographer files, whose names are not used here.
        pathlib.Path(folder, "lexnames").write_text(
            "".join(f"{i:02d}\tname{i}\t1\n" for i in range(45)))
        from nltk.data import FileSystemPathPointer

        class English(reader.WordNetCorpusReader):
            def map_wn(self, version="wordnet"):
                return None  # only other languages need it
        wordnet = English(FileSystemPathPointer(folder), None)
        punkt, word = PunktSentenceTokenizer(), NLTKWordTokenizer()
        _meteor.extend([wordnet,
                        lambda t: [w for s in punkt.tokenize(t) for w in word.tokenize(s)]])
    return _meteor


def meteor_case(rng):
    from nltk.translate.meteor_score import meteor_score
    wordnet, tokenize = meteor_tools()
    predictions, references = texts.corpus(rng, wordy=True)
    alpha, beta, gamma = rng.choice([(0.9, 3, 0.5), (0.9, 3, 0.5), (0.85, 0.2, 0.6)])
    scores = [meteor_score([tokenize(r) for r in refs], tokenize(p), wordnet=wordnet, alpha=alpha,
                           beta=beta, gamma=gamma) for p, refs in zip(predictions, references)]
    return case("meteor", dict(alpha=repr(alpha), beta=repr(beta), gamma=repr(gamma)), predictions,
                references, dict(meteor=float(np.mean(scores))))


CORNERS = ["flies 5. said!. HAPPILY", "x ,x. smart?has huge", "which 5. cityhappy?.", "out 5. c:d.!",
           "studies 2019. bought!studied", '5."2019. about when New', "a 5-10. running!this .. so", "5. 'x' y",
           "it's, don't! cannot; gimme: wanna? Gonna.", "well-known, re-cannot a--b", "A. B. c. U.S. is. Not"]


def words_case(rng):
    """What METEOR and word_length split a text into."""
    text = rng.choice(CORNERS) if rng.random() < 0.1 else texts.corpus(rng, wordy=rng.random() < 0.7)[0][0]
    return dict(text=text, words=meteor_tools()[1](text))


# ---- jiwer ----
def error_rate_case(rng):
    import jiwer
    predictions, references = texts.corpus(rng, several=False, shuffled=True)
    refs = [r[0] for r in references]
    name = rng.choice(["wer", "cer", "mer", "wil"])
    if name == "cer":
        output = jiwer.process_characters(refs, predictions)
    else:
        output = jiwer.process_words(refs, predictions)
    value = float(getattr(output, name))
    if name in ("wer", "cer") and output.hits + output.substitutions + output.deletions == 0:
        return case(name, {}, predictions, references, None)
    return case(name, {}, predictions, references, {name: value})


# ---- exact_match, squad, after evaluate's files ----
def exact_match_case(rng):
    predictions, references = texts.corpus(rng, several=False)
    predictions = [rng.choice([p, r[0], r[0].lower(), r[0] + "!", r[0] + "7"])
                   for p, r in zip(predictions, references)]
    options = {k: rng.random() < 0.5 for k in ("ignore_case", "ignore_punctuation", "ignore_numbers")}
    regexes = rng.choice([[], [], ["the "], ["[aeiou]+", "x"]])
    table = ""
    table += string.punctuation if options["ignore_punctuation"] else ""
    table += string.digits if options["ignore_numbers"] else ""

    def reduce(text):
        for r in regexes:
            text = re.sub(r, "", text)
        text = text.lower() if options["ignore_case"] else text
        return text.translate(str.maketrans("", "", table))
    hits = [reduce(p) == reduce(r[0]) for p, r in zip(predictions, references)]
    settings = {k: YES[v] for k, v in options.items()}
    if regexes:
        settings["regexes_to_ignore"] = ",".join(regexes)
    return case("exact_match", settings, predictions, references, dict(exact_match=float(np.mean(hits))))


def normalize_answer(s):
    s = "".join(ch for ch in s.lower() if ch not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", s).split())


def answer_f1(prediction, gold, v2):
    p, g = normalize_answer(prediction).split(), normalize_answer(gold).split()
    same = sum((collections.Counter(p) & collections.Counter(g)).values())
    if v2 and (len(g) == 0 or len(p) == 0):
        return int(g == p)
    if same == 0:
        return 0
    precision, recall = 1.0 * same / len(p), 1.0 * same / len(g)
    return (2 * precision * recall) / (precision + recall)


def squad_examples(rng, v2):
    predictions, references = texts.corpus(rng, answers=True)
    answers = [[] if v2 and rng.random() < 0.4 else r for r in references]
    preds = [dict(id=str(i), prediction_text="" if rng.random() < 0.15 else p)
             for i, p in enumerate(predictions)]
    if v2:
        for p in preds:
            p["no_answer_probability"] = rng.choice([0.0, round(rng.random(), 2), 0.5])
    return preds, [[dict(id=str(i), answers=dict(text=a, answer_start=[0] * len(a)))]
                   for i, a in enumerate(answers)]


def squad_case(rng):
    predictions, references = squad_examples(rng, False)
    exact = f1 = 0
    for p, (r,) in zip(predictions, references):
        exact += max(normalize_answer(p["prediction_text"]) == normalize_answer(g)
                     for g in r["answers"]["text"])
        f1 += max(answer_f1(p["prediction_text"], g, False) for g in r["answers"]["text"])
    n = len(predictions)
    return case("squad", {}, predictions, references,
                dict(exact_match=100.0 * exact / n, f1=100.0 * f1 / n))


def squad_v2_case(rng):
    predictions, references = squad_examples(rng, True)
    threshold = rng.choice([1.0, 0.5])
    has = {r["id"]: bool(r["answers"]["text"]) for (r,) in references}
    na = {p["id"]: float(np.float32(p["no_answer_probability"])) for p in predictions}
    texts_of = {p["id"]: p["prediction_text"] for p in predictions}
    exact, f1 = {}, {}
    for (r,) in references:
        golds = [t for t in r["answers"]["text"] if normalize_answer(t)] or [""]
        exact[r["id"]] = max(int(normalize_answer(g) == normalize_answer(texts_of[r["id"]])) for g in golds)
        f1[r["id"]] = max(answer_f1(texts_of[r["id"]], g, True) for g in golds)
    final = [{k: float(not has[k]) if na[k] > threshold else v for k, v in s.items()} for s in (exact, f1)]
    out = {}
    for prefix, ids in (("", list(has)), ("HasAns_", [k for k in has if has[k]]),
                        ("NoAns_", [k for k in has if not has[k]])):
        if ids:
            out[prefix + "exact"] = 100.0 * sum(final[0][k] for k in ids) / len(ids)
            out[prefix + "f1"] = 100.0 * sum(final[1][k] for k in ids) / len(ids)
            out[prefix + "total"] = len(ids)
    for name, scores in (("best_exact", exact), ("best_f1", f1)):
        best = current = sum(1 for k in has if not has[k])
        at = 0.0
        for k in sorted(na, key=lambda k: na[k]):
            current += scores[k] if has[k] else (-1 if texts_of[k] else 0)
            if current > best:
                best, at = current, na[k]
        out[name], out[name + "_thresh"] = 100.0 * best / len(scores), at
    return case("squad_v2", dict(no_answer_threshold=repr(threshold)), predictions, references, out)


# ---- scikit-learn, scipy ----
def labels_case(rng):
    from sklearn import metrics as sk
    n, classes = rng.randrange(1, 40), rng.choice([2, 2, 3, 5])
    name = rng.choice(["accuracy", "precision", "recall", "f1", "matthews_correlation"])
    multilabel = name != "matthews_correlation" and rng.random() < 0.25
    settings, options = {}, {}
    if multilabel:
        make = lambda: [[rng.randrange(2) for _ in range(classes)] for _ in range(n)]  # noqa: E731
        settings["config_name"] = "multilabel"
    else:
        make = lambda: [rng.randrange(classes) for _ in range(n)]  # noqa: E731
    predictions, references = make(), make()
    if rng.random() < 0.3:
        weights = [round(rng.random() + 0.1, 2) for _ in range(n)]
        settings["sample_weight"], options["sample_weight"] = ",".join(map(repr, weights)), weights
    expected = None
    try:
        if name == "accuracy":
            options["normalize"] = rng.random() < 0.7
            settings["normalize"] = YES[options["normalize"]]
            expected = dict(accuracy=float(sk.accuracy_score(references, predictions, **options)))
        elif name == "matthews_correlation":
            expected = dict(matthews_correlation=float(sk.matthews_corrcoef(references, predictions, **options)))
        else:
            average = rng.choice(["binary", "micro", "macro", "weighted", None] + ["samples"] * multilabel)
            settings["average"], options["average"] = str(average).lower(), average
            if rng.random() < 0.3:
                settings["pos_label"], options["pos_label"] = "0", 0
            if rng.random() < 0.2 and average not in ("binary", "samples") and not multilabel:
                options["labels"] = list(range(1, classes + 1))
                settings["labels"] = ",".join(map(str, options["labels"]))
            if name != "f1" and rng.random() < 0.3:
                settings["zero_division"], options["zero_division"] = "1", 1
            score = getattr(sk, name + "_score")(references, predictions, **options)
            expected = {name: float(score) if getattr(score, "size", 1) == 1 and average is not None
                        else [float(x) for x in score]}
    except ValueError:
        pass
    # Sums of weights are dot products of BLAS there, whose order of addition varies.
    return case(name, settings, predictions, [[r] for r in references], expected,
                tolerance=1e-14 if "sample_weight" in settings else 0.0)


def numbers_case(rng):
    import scipy.stats
    from sklearn import metrics as sk
    n = rng.randrange(3, 300)
    predictions = [round(rng.gauss(0, 3), rng.choice([0, 2, 6])) for _ in range(n)]
    references = [round(p + rng.gauss(0, 1), 3) for p in predictions]
    name = rng.choice(["pearsonr", "spearmanr", "mse", "mae"])
    settings = {}
    if name.endswith("r") and rng.random() < 0.5:
        del predictions[(few := rng.choice([2, 3, 4, 12, 300])):], references[few:]
        result = getattr(scipy.stats, name)(references, predictions)
        r, p = (None if math.isnan(x) else float(x) for x in (result.statistic, result.pvalue))
        p_name = "p-value" if name == "pearsonr" else "spearmanr_pvalue"
        return case(name, dict(return_pvalue="true"), predictions, [[r] for r in references],
                    {name: r, p_name: p}, tolerance=1e-11, relative=True)
    if name == "mse":
        value, key = sk.mean_squared_error(references, predictions), "mse"
    elif name == "mae":
        value, key = sk.mean_absolute_error(references, predictions), "mae"
    else:
        value, key = getattr(scipy.stats, name)(references, predictions)[0], name
    # A correlation is a dot product of BLAS, whose order of addition varies with the processor.
    return case(name, settings, predictions, [[r] for r in references], {key: float(value)},
                tolerance=1e-14 if name == "pearsonr" else 0.0)


def glue_case(rng):
    from sklearn import metrics as sk
    import scipy.stats
    config = rng.choice(["cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte", "wnli", "hans"])
    n = rng.randrange(3, 50)
    if config == "stsb":
        p = [round(rng.random() * 5, 2) for _ in range(n)]
        r = [round(min(5, max(0, x + rng.gauss(0, 1))), 1) for x in p]
        p32, r32 = np.float64(np.float32(p)), np.float64(np.float32(r))
        expected = dict(pearson=float(scipy.stats.pearsonr(p32, r32)[0]),
                        spearmanr=float(scipy.stats.spearmanr(p32, r32)[0]))
    else:
        p, r = ([rng.randrange(2) for _ in range(n)] for _ in range(2))
        expected = dict(accuracy=float((np.array(p) == np.array(r)).mean()))
        if config == "cola":
            expected = dict(matthews_correlation=float(sk.matthews_corrcoef(r, p)))
        if config in ("mrpc", "qqp"):
            expected["f1"] = float(sk.f1_score(r, p))
    return case("glue", dict(config_name=config), p, [[x] for x in r], expected,
                tolerance=1e-14 if config == "stsb" else 0.0)


def super_glue_case(rng):
    """After evaluate's super_glue.py and record_evaluation.py."""
    from sklearn import metrics as sk
    config = rng.choice(["boolq", "copa", "rte", "wic", "wsc", "wsc.fixed", "axg", "axb", "cb", "cb",
                         "multirc", "multirc", "record", "record"])
    settings, n = dict(config_name=config), rng.randrange(1, 40)
    if config == "record":
        predictions, references = texts.corpus(rng, answers=True)
        ids = [rng.randrange(8) for _ in predictions]
        asked = [i if rng.random() < 0.9 else 9 for i in ids]
        last, exact, f1 = dict(zip(ids, predictions)), 0, 0
        for i, golds in zip(asked, references):
            if i in last:
                exact += max(normalize_answer(last[i]) == normalize_answer(g) for g in golds)
                f1 += max(answer_f1(last[i], g, False) for g in golds)
        return case("super_glue", settings,
                    [dict(idx=dict(passage=0, query=i), prediction_text=p) for i, p in zip(ids, predictions)],
                    [[dict(idx=dict(passage=0, query=i), answers=r)] for i, r in zip(asked, references)],
                    dict(exact_match=exact / len(asked), f1=f1 / len(asked)))
    labels = [0, 1, 2] if config == "cb" else [0, 1]
    p, r = ([rng.choice(labels) for _ in range(n)] for _ in range(2))
    if config == "multirc":
        idx = [dict(answer=i, paragraph=rng.randrange(3), question=rng.randrange(3)) for i in range(n)]
        questions = {}
        for i, a, b in zip(idx, p, r):
            questions.setdefault((i["paragraph"], i["question"]), []).append((a, b))
        f1s = [sk.f1_score(y_true=[b for _, b in q], y_pred=[a for a, _ in q], average="macro")
               for q in questions.values()]
        exact = [int(all(a == b for a, b in q)) for q in questions.values()]
        return case("super_glue", settings, [dict(idx=i, prediction=a) for i, a in zip(idx, p)],
                    [[b] for b in r], dict(exact_match=sum(exact) / len(exact), f1_m=float(sum(f1s) / len(f1s)),
                                           f1_a=float(sk.f1_score(y_true=r, y_pred=p))))
    expected = dict(accuracy=float((np.array(p) == np.array(r)).mean()))
    if config == "axb":
        expected = dict(matthews_correlation=float(sk.matthews_corrcoef(r, p)))
    if config == "cb":
        expected["f1"] = float(sk.f1_score(y_true=r, y_pred=p, average="macro"))
    return case("super_glue", settings, p, [[x] for x in r], expected)


# ---- evaluate's measurements ----
def measurement_case(rng):
    import scipy.stats
    import statistics
    from sklearn.feature_extraction.text import CountVectorizer
    name = rng.choice(["label_distribution", "word_length", "word_count", "text_duplicates"])
    data, _ = texts.corpus(rng)
    if name == "label_distribution":
        data = [rng.choice([[0, 1], [-3, 0, 7], [5]][rng.randrange(3)]) for _ in range(rng.randrange(1, 60))]
        if rng.random() < 0.5:
            data = [f"label {x}" for x in data]
        count = collections.Counter(data)
        places = {k: i for i, k in enumerate(count)}
        skew = scipy.stats.skew([places[x] for x in data] if isinstance(data[0], str) else data)
        return case(name, {}, data, [[]] * len(data), dict(
            label_distribution=dict(labels=list(count), fractions=[f / len(data) for f in count.values()]),
            label_skew=None if math.isnan(skew) else float(skew)), tolerance=1e-14)
    settings = {}
    if name == "word_length":
        mean = statistics.mean([len(meteor_tools()[1](t)) for t in data])
        expected = dict(average_word_length=mean)
    elif name == "word_count":
        most = rng.choice([None, 1, 3, 20])
        if most:
            settings["max_vocab"] = str(most)
        try:
            counted = CountVectorizer(max_features=most).fit(data).transform(data)
            expected = dict(total_word_count=int(counted.toarray().sum()), unique_words=counted.shape[1])
        except ValueError:  # no word at all
            expected = None
    else:
        data = [rng.choice(data) + rng.choice(["", "", " "]) for _ in range(rng.randrange(1, 9))]
        expected = dict(duplicate_fraction=1 - len({t.strip() for t in data}) / len(data))
        if rng.random() < 0.6:
            settings["list_duplicates"] = "true"
            expected["duplicates_dict"] = {k: v for k, v in collections.Counter(data).items() if v > 1}
    return case(name, settings, data, [[]] * len(data), expected)


def mauve_case(rng):
    """Features of two kinds: clusters far apart, which every k-means finds, and clouds."""
    import mauve
    n, d = rng.choice([20, 30, 40]), rng.choice([2, 3, 5, 40])
    n = 12 if d == 40 else n
    clusters = rng.random() < 0.5
    centres = [[rng.gauss(0, 10) for _ in range(d)] for _ in range(rng.choice([3, 4, 6]))]

    def point(drift):
        spread = 0.05 if clusters else 1
        c = rng.choice(centres[:len(centres) - drift]) if clusters else [drift] * d
        return [round(x + rng.gauss(0, spread), 2) for x in c]
    p, q = [point(0) for _ in range(n)], [point(1) for _ in range(n)]
    settings = dict(seed=str(rng.choice([25, 25, 3])))
    options = dict(seed=int(settings["seed"]))
    if clusters:
        options["num_buckets"] = len(centres)
    for name, values in (("mauve_scaling_factor", [5, 2]), ("kmeans_explained_var", [0.9, 0.6]),
                         ("pca_max_data", [-1, 20]), ("divergence_curve_discretization_size", [25, 7])):
        options[name] = rng.choice(values)
    settings.update({k: str(v) for k, v in options.items()})
    out = mauve.compute_mauve(p_features=np.array(p), q_features=np.array(q), **options)
    expected = dict(p_hist=out.p_hist.tolist(), q_hist=out.q_hist.tolist(), mauve=float(out.mauve),
                    divergence_curve=out.divergence_curve.tolist(), num_buckets=out.num_buckets,
                    frontier_integral=float(out.frontier_integral), mauve_star=float(out.mauve_star),
                    frontier_integral_star=float(out.frontier_integral_star))
    return case("mauve", settings, p, [[x] for x in q], expected, tolerance=1e-12)


def seqeval_case(rng):
    import seqeval.metrics as sm
    import seqeval.scheme as schemes
    strict = rng.random() < 0.5
    scheme = rng.choice([None, "IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU"]) if strict else None
    prefixes = dict(IOB1="IB", IOB2="IB", IOE1="IE", IOE2="IE", IOBES="IBES", BILOU="IBLU").get(
        scheme, rng.choice(["IB", "IB", "IE", "IBES", "IBLU"]))
    suffix = rng.random() < 0.2
    types = ["PER", "LOC", "MISC"]

    def tag():
        if rng.random() < 0.4:
            return "O"
        parts = [rng.choice(prefixes), rng.choice(types)]
        return "-".join(reversed(parts) if suffix else parts)
    references = [[tag() for _ in range(rng.randrange(1, 12))] for _ in range(rng.randrange(1, 6))]
    predictions = [[t if rng.random() < 0.6 else tag() for t in s] for s in references]
    settings = dict(suffix=YES[suffix], mode="strict" if strict else "none", scheme=str(scheme).lower()
                    if scheme is None else scheme)
    try:
        report = sm.classification_report(references, predictions, suffix=suffix, output_dict=True,
                                          scheme=getattr(schemes, scheme) if scheme else None,
                                          mode="strict" if strict else None)
    except (ValueError, KeyError):
        return case("seqeval", settings, predictions, [[r] for r in references], None)
    for name in ("macro avg", "weighted avg"):
        report.pop(name)
    overall = report.pop("micro avg")
    out = {t: dict(precision=float(s["precision"]), recall=float(s["recall"]), f1=float(s["f1-score"]),
                   number=int(s["support"])) for t, s in report.items()}
    out.update(overall_precision=float(overall["precision"]), overall_recall=float(overall["recall"]),
               overall_f1=float(overall["f1-score"]),
               overall_accuracy=float(sm.accuracy_score(references, predictions)))
    return case("seqeval", settings, predictions, [[r] for r in references], out)


MAKERS = dict(sacrebleu=sacrebleu_case, chrf=chrf_case, ter=ter_case, bleu=bleu_case,
              google_bleu=google_bleu_case, nltk_bleu=nltk_bleu_case, rouge=rouge_case,
              meteor=meteor_case, error_rate=error_rate_case, exact_match=exact_match_case,
              squad=squad_case, squad_v2=squad_v2_case, labels=labels_case, numbers=numbers_case,
              glue=glue_case, super_glue=super_glue_case, seqeval=seqeval_case,
              measurements=measurement_case, mauve=mauve_case, words=words_case)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join(MAKERS))
    args = parser.parse_args()
    for name in args.only.split(","):
        rng = random.Random(f"{args.seed}/{name}")
        with open(f"{args.out}/{name}.jsonl", "w") as f:
            for _ in range(args.cases):
                f.write(json.dumps(MAKERS[name](rng), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/pipelines/bertscore{.json,_baseline.tsv} with bert_score 0.3.13 (which calls itself 0.3.12) over the tiny encoders
of tests/data/pipelines, and tests/data/pipelines/distilbert, one more of them.

Usage: OMP_NUM_THREADS=1 python tests/reference/bertscore.py
"""
import json
import pathlib
import shutil
import tempfile

import bert_score
import torch
import transformers
from bert_score.utils import get_hash
from transformers import AutoTokenizer, DistilBertConfig, DistilBertModel

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "pipelines"
LINES = [("the quick brown fox jumps", ["the fast brown fox jumped", "a quick fox"]),
         ("hello world", ["hello world", "goodnight moon"]),
         ("  general kenobi ", ["the sun is shining", ""]),
         ("", ["the dog", "a dog"]),
         ("It's the end, isn't it?", ["The end is here!", "It is over."]),
         ("naïve café 12.5", ["naive cafe 12", "ünïcödé"]),
         ("fox " * 150, ["fox " * 140 + "dog", "the"])]
BASELINE = "LAYER,P,R,F\n0,0.3,0.31,0.32\n1,0.41,0.42,0.43\n2,0.5123,0.51,0.514\n"


def make_distilbert():
    folder = DATA / "distilbert"
    folder.mkdir(exist_ok=True)
    torch.manual_seed(5)
    model = DistilBertModel(DistilBertConfig(vocab_size=392, dim=24, hidden_dim=40, n_layers=2, n_heads=2,
                                             max_position_embeddings=104))
    for p in model.parameters():
        p.data = p.data + torch.randn_like(p) * 0.1
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "special_tokens_map.json", "tokenizer_config.json"):
        text = (DATA / "bert" / name).read_text().replace("BertTokenizer", "DistilBertTokenizer")
        if name != "tokenizer.json":  # which puts these two around a text
            text = text.replace("[CLS]", "<s>").replace("[SEP]", "</s>")
        (folder / name).write_text(text)


def with_slow_files(name, work):
    """The folder with the files that slow tokenizers read, made from tokenizer.json."""
    folder = pathlib.Path(work) / name
    shutil.copytree(DATA / name, folder)
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    if model["type"] == "BPE":
        (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
        merges = (m if isinstance(m, str) else " ".join(m) for m in model["merges"])
        (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    return folder


def scores(folder, references, options, baseline):
    fast, layers, all_layers = options.get("use_fast_tokenizer", False), options["num_layers"], options.get("all_layers", False)
    idf, rescale = options.get("idf", False), options.get("rescale_with_baseline", False)
    scorer = bert_score.BERTScorer(model_type=str(folder), num_layers=layers, idf=idf, all_layers=all_layers, nthreads=0,
                                   idf_sents=[r for rs in references for r in rs] if idf else None, lang="en",
                                   rescale_with_baseline=rescale, baseline_path=str(baseline) if rescale else None,
                                   use_fast_tokenizer=fast)
    predictions = [p for p, _ in LINES]
    # Several references and layers at once break in the original, so that layers get one reference.
    refs = [r[0] for r in references] if all_layers else references
    out = [x.tolist() for x in scorer.score(predictions, refs, batch_size=1)]
    return out, get_hash("MODEL", layers, idf, rescale, rescale, fast)


make_distilbert()
cases = []
with tempfile.TemporaryDirectory() as work:
    baseline = DATA / "bertscore_baseline.tsv"
    baseline.write_text(BASELINE)
    for name in ("roberta", "xlm", "distilbert"):
        folder = with_slow_files(name, work)
        for options in ({"num_layers": 2}, {"num_layers": 1, "idf": True}, {"num_layers": 0},
                        {"num_layers": 2, "use_fast_tokenizer": True}, {"num_layers": 2, "all_layers": True},
                        {"num_layers": 1, "rescale_with_baseline": True},
                        {"num_layers": 2, "all_layers": True, "rescale_with_baseline": True}):
            if name != "roberta":  # the others' files do not tell what a slow one needs
                options = dict(options, use_fast_tokenizer=True)
            if name == "distilbert" and options.get("all_layers"):
                continue  # the original stacks something else there
            references = [r[:1] if options.get("all_layers") else r for _, r in LINES]
            (p, r, f), code = scores(folder, references, options, baseline)
            cases.append({"model": name, "options": options, "precision": p, "recall": r, "f1": f, "hashcode": code})
(DATA / "bertscore.json").write_text(json.dumps(
    {"made_with": f"bert_score {bert_score.__version__}, transformers {transformers.__version__}",
     "lines": [{"prediction": p, "references": r} for p, r in LINES], "cases": cases}, ensure_ascii=False) + "\n")

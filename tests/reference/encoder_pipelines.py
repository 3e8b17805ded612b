# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/pipelines/{bert,bert_one,roberta,xlm}: tiny random checkpoints that hold every head at once, and
encoder_tasks.json: what the pipelines of transformers 4.57.6 return over them, or that they raise.

Usage: OMP_NUM_THREADS=1 python tests/reference/encoder_pipelines.py
A case is {"task", "model", "inputs", "parameters", "output"} or {..., "error": name}; "model" is a name of "models", which
says the folder and what differs from its config.json and tokenizer_config.json.
"""
import json
import pathlib
import shutil
import tempfile
import warnings

import torch
import transformers
from safetensors.torch import save_file
from transformers import (AutoConfig, AutoModelForMaskedLM, AutoModelForQuestionAnswering, AutoModelForSequenceClassification,
                          AutoModelForTokenClassification, BertTokenizerFast, RobertaTokenizerFast, XLMRobertaTokenizerFast, pipeline)

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity(transformers.logging.CRITICAL)
torch.set_num_threads(1)
DATA = pathlib.Path(__file__).resolve().parents[1] / "data"
OUT = DATA / "pipelines"
NER = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
POS = ["NOUN", "VERB", "B-x-y", "I-x-y", "O"]
NLI = ["other", "contradiction", "Entailment", "neutral", "none"]


def labels(names):
    return {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}}


def build(name, kind, tokenizer_class, family, count, heads):
    torch.manual_seed(sum(map(ord, name)))
    data = json.loads((DATA / "tokenizers" / f"family_{family}.json").read_text())["tokenizer"]
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text(data if isinstance(data, str) else json.dumps(data))
    tokenizer = tokenizer_class(tokenizer_file=str(folder / "tokenizer.json"), model_max_length=100)
    tokenizer.save_pretrained(folder)
    config = AutoConfig.for_model(kind, vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                                  intermediate_size=40, max_position_embeddings=104, initializer_range=0.4, num_labels=count,
                                  pad_token_id=tokenizer.pad_token_id, type_vocab_size=2 if kind == "bert" else 1)
    tensors = {}
    for head in heads:
        config.num_labels = 2 if head is AutoModelForQuestionAnswering else count
        model = head.from_config(config).eval()
        if not tensors: backbone = {k: v for k, v in model.state_dict().items() if k.startswith(model.base_model_prefix)}
        tensors |= {k: v.clone().contiguous() for k, v in model.state_dict().items() if k not in tensors and "position_ids" not in k
                    and not k.endswith("decoder.bias") and (not k.startswith(model.base_model_prefix) or k in backbone)}
    tied = {k for k in tensors if k.endswith("decoder.weight")}
    save_file({k: v for k, v in tensors.items() if k not in tied}, folder / "model.safetensors", metadata={"format": "pt"})
    config.num_labels = count
    config.architectures = [type(model).__name__]
    config.save_pretrained(folder)


ALL = [AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoModelForQuestionAnswering, AutoModelForMaskedLM]
build("bert", "bert", BertTokenizerFast, "bert", 5, ALL)
build("bert_one", "bert", BertTokenizerFast, "bert", 1, ALL[:1])
build("roberta", "roberta", RobertaTokenizerFast, "roberta", 5, ALL)
build("xlm", "xlm-roberta", XLMRobertaTokenizerFast, "xlm_roberta", 5, ALL[1:])

MODELS = {
    "bert": {"folder": "bert"}, "roberta": {"folder": "roberta"}, "xlm": {"folder": "xlm"}, "one": {"folder": "bert_one"},
    "bert_ner": {"folder": "bert", "config": labels(NER)}, "bert_pos": {"folder": "bert", "config": labels(POS)},
    "roberta_ner": {"folder": "roberta", "config": labels(NER)}, "xlm_ner": {"folder": "xlm", "config": labels(NER)},
    "bert_nli": {"folder": "bert", "config": labels(NLI)}, "roberta_nli": {"folder": "roberta", "config": labels(NLI[2:] + NLI[:2])},
    **{f"{n}_qa": {"folder": n, "config": labels(["LABEL_0", "LABEL_1"])} for n in ("bert", "roberta", "xlm")},
    "bert_multi": {"folder": "bert", "config": {"problem_type": "multi_label_classification"}},
    "bert_regression": {"folder": "bert", "config": {"problem_type": "regression"}},
    "one_regression": {"folder": "bert_one", "config": {"problem_type": "regression"}},
    "one_single": {"folder": "bert_one", "config": {"problem_type": "single_label_classification"}},
    "bert_left": {"folder": "bert", "config": labels(["LABEL_0", "LABEL_1"]), "tokenizer_config": {"padding_side": "left"}},
}
TEXTS = ["The quick brown fox jumps over the lazy dog.", "Wolfgang lives in Berlin, near the river.", "x", "Il était une fois à Paris!",
         "日本語 and English, mixed: 3.14 (pi)", "the model reads words " * 12]
PAIR = {"text": "The fox is quick.", "text_pair": "It jumps."}
QA = [{"question": "Where does Wolfgang live?", "context": "My name is Wolfgang and I live in Berlin. The river is near."},
      {"question": "who?", "context": "The fox."},
      {"question": "What jumps?", "context": "The quick brown fox jumps over the lazy dog. " * 6},
      {"question": "Où?", "context": "Il était une fois à Paris; 日本語 words are here, too."}]
WORDS = ["Wolfgang", "lives", "in", "Berlin", ",", "near", "the", "river", "."]

cases = []
loaded = {}


def load(task, name):
    if (task, name) not in loaded:
        spec = MODELS[name]
        folder = pathlib.Path(tempfile.mkdtemp()) / name
        shutil.copytree(OUT / spec["folder"], folder)
        for file in ("config", "tokenizer_config"):
            settings = json.loads((folder / f"{file}.json").read_text()) | json.loads(json.dumps(spec.get(file, {})))
            (folder / f"{file}.json").write_text(json.dumps(settings))
        loaded[task, name] = pipeline(task, model=str(folder), tokenizer=str(folder), framework="pt", device="cpu")
        if name == "bert_left": mask_question(loaded[task, name])
    return loaded[task, name]


def mask_question(pipe):
    """Where the context stands first the original masks nothing (`tok != 1 if question_first else 0`): here it masks
    what it means to, all but the context and [CLS]."""
    original = pipe.postprocess

    def postprocess(model_outputs, **options):
        for out in model_outputs:
            kept = [s == 0 or i == pipe.tokenizer.cls_token_id
                    for s, i in zip(out["encoding"].sequence_ids, out["encoding"].ids)]
            out["p_mask"] = torch.tensor([[int(not k) for k in kept]])
        return original(model_outputs, **options)

    pipe.postprocess = postprocess
    return pipe


def plain(x):
    if isinstance(x, dict): return {k: plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)): return [plain(v) for v in x]
    return x.item() if hasattr(x, "item") else x


def add(task, name, inputs, **parameters):
    case = {"task": task, "model": name, "inputs": inputs, "parameters": parameters}
    pipe = load(task, name)
    try:
        with torch.no_grad():
            if task == "question-answering" and isinstance(inputs, dict): out = pipe(**inputs, **parameters)
            else: out = pipe(json.loads(json.dumps(inputs)), **json.loads(json.dumps(parameters)))
        case["output"] = plain(out)
    except BaseException as e:  # a panic of the tokenizers library is no Exception
        case["error"] = type(e).__name__
    cases.append(case)


for name in ("bert", "roberta", "one", "bert_multi", "bert_regression", "one_regression", "one_single"):
    task = "text-classification"
    for text in TEXTS[:5]: add(task, name, text)
    add(task, name, TEXTS[:3]), add(task, name, TEXTS[:2], top_k=2), add(task, name, TEXTS[0], top_k=3), add(task, name, TEXTS[0], top_k=None)
    add(task, name, TEXTS[5], truncation=True), add(task, name, TEXTS[5], truncation=True, max_length=8)
    add(task, name, PAIR), add(task, name, [PAIR, PAIR], top_k=1)
    for function in ("sigmoid", "softmax", "none", "SoftMax", "tanh"): add(task, name, TEXTS[1], function_to_apply=function, top_k=None)
    add(task, name, TEXTS[0], return_all_scores=True), add(task, name, TEXTS[:2], return_all_scores=True)
    add(task, name, TEXTS[0], return_all_scores=False), add("sentiment-analysis", name, TEXTS[3])
for name in ("bert_ner", "bert_pos", "roberta_ner", "xlm_ner"):
    task = "token-classification"
    for strategy in ("none", "simple", "first", "average", "max"):
        for text in TEXTS[1:5:2]: add(task, name, text, aggregation_strategy=strategy)
        if name != "roberta_ner": add(task, name, WORDS, aggregation_strategy=strategy, is_split_into_words=True)
        add(task, name, TEXTS[1], aggregation_strategy=strategy, ignore_labels=[])
        add(task, name, TEXTS[5] + TEXTS[1], aggregation_strategy=strategy, stride=8)
        add(task, name, (TEXTS[1] + " ") * 5, aggregation_strategy=strategy, stride=20, ignore_labels=["O", "PER"])
    add(task, name, TEXTS[:3])
    if name != "roberta_ner": add(task, name, [WORDS, WORDS[:4]], is_split_into_words=True, delimiter="")
    add(task, name, TEXTS[1], grouped_entities=True), add(task, name, TEXTS[1], grouped_entities=True, ignore_subwords=True)
    add(task, name, TEXTS[1], ignore_subwords=False), add(task, name, TEXTS[1], stride=100, aggregation_strategy="simple")
    add(task, name, TEXTS[1], aggregation_strategy="sum"), add("ner", name, TEXTS[4])
for name in ("bert", "roberta", "xlm"):
    task, plain_name, name = "question-answering", name, f"{name}_qa"
    for qa in QA:
        add(task, name, qa), add(task, name, qa, top_k=2), add(task, name, qa, align_to_words=False), add(task, name, qa, max_answer_len=2)
        add(task, name, qa, handle_impossible_answer=True, top_k=2), add(task, name, qa, max_seq_len=60, doc_stride=16)
        add(task, name, qa, max_seq_len=70, doc_stride=4, top_k=3, handle_impossible_answer=True)
    add(task, name, {"question": [q["question"] for q in QA[:2]], "context": QA[0]["context"]})
    add(task, name, {"question": "", "context": "x"}), add(task, name, QA[0], top_k=0), add(task, name, QA[0], max_seq_len=8, doc_stride=9)
    add(task, name, {"question": "x", "context": ""}), add(task, name, QA[0], max_answer_len=0), add(task, name, QA[0], padding="max_length")
    task, name = "fill-mask", plain_name
    m = load(task, name).tokenizer.mask_token
    for text in (f"The {m} fox.", f"{m}", f"A {m} and a {m}!", f"the river {m} Berlin, 日本"):
        add(task, name, text), add(task, name, text, top_k=2)
    add(task, name, [f"The {m} fox.", f"x {m}"]), add(task, name, [f"The {m} fox."])
    add(task, name, f"The {m} fox.", targets=["quick", "lazy", "the", "dogs"]), add(task, name, f"The {m} fox.", targets="river")
    add(task, name, f"The {m} fox.", targets=["the", "the"], top_k=9), add(task, name, "no mask"), add(task, name, f"The {m} fox.", targets=[""])
    add(task, name, f"{m} " + TEXTS[5], tokenizer_kwargs={"truncation": True})
    task = "feature-extraction"
    for text in (TEXTS[0], TEXTS[2], TEXTS[:2]): add(task, name, text)
    add(task, name, TEXTS[5], truncation=True), add(task, name, TEXTS[5], tokenize_kwargs={"truncation": True, "max_length": 5})
for qa in QA:  # the context stands first
    for given in ({}, {"top_k": 3}, {"align_to_words": False}, {"handle_impossible_answer": True, "top_k": 2},
                  {"max_seq_len": 60, "doc_stride": 16, "top_k": 2}): add("question-answering", "bert_left", qa, **given)
for name in ("bert_nli", "roberta_nli", "bert"):
    task = "zero-shot-classification"
    for text in (TEXTS[0], TEXTS[3], TEXTS[5], TEXTS[:2]):
        add(task, name, text, candidate_labels=["fox", "river", "model"]), add(task, name, text, candidate_labels="fox, river , ,model", multi_label=True)
    add(task, name, TEXTS[1], candidate_labels=["city"]), add(task, name, TEXTS[1], candidate_labels=["city"], hypothesis_template="About {}!")
    add(task, name, TEXTS[1], candidate_labels=["a", "b"], hypothesis_template="Nothing."), add(task, name, TEXTS[1], candidate_labels=[])
    add(task, name, TEXTS[1], candidate_labels=["long label " * 30, "b"])


def shorten(x):
    """Hidden states as the first two numbers of a row and the length of the rows."""
    if isinstance(x, list) and x and isinstance(x[0], float): return [round(x[0], 5), round(x[1], 5), len(x)]
    return [shorten(v) for v in x] if isinstance(x, list) else x


def rounded(x):
    if isinstance(x, dict): return {k: rounded(v) for k, v in x.items()}
    if isinstance(x, list): return [rounded(v) for v in x]
    return float(f"{x:.7g}") if isinstance(x, float) else x


for case in cases:
    if "output" in case: case["output"] = (shorten if case["task"] == "feature-extraction" else rounded)(case["output"])
(OUT / "encoder_tasks.json").write_text(json.dumps(
    {"made_with": f"transformers {transformers.__version__}, torch {torch.__version__}", "models": MODELS, "cases": cases},
    ensure_ascii=False, separators=(",", ":")) + "\n")
print(len(cases), sum("error" in c for c in cases), (OUT / "encoder_tasks.json").stat().st_size)

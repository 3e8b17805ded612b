# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/sentences: tiny sentence-transformers folders and what version 5.7 makes of them.

Usage: OMP_NUM_THREADS=1 python tests/reference/sentences.py
tiny: a BERT with two poolings, a dense layer, normalising and prompts that pooling leaves out;
cross: a BERT with one label; golden.json: embeddings of `texts` by tiny as it is, by its transformer
with each single pooling, the last
hidden states of the decoder tests/data/models/llama_gqa, and scores of pairs by cross.
"""
import json
import pathlib
import shutil

import sentence_transformers
import torch
import transformers
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer import modules as st
from tokenizers import BertWordPieceTokenizer, processors

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"
ROOT = DATA / "sentences"
TEXTS = ["the dog", "A small dog sleeps, and a cat sees it.", "", "trees " * 40, "the", "No! Non.", "猫"]
PAIRS = [["who sleeps?", "the dog sleeps"], ["a cat", "trees " * 40], ["x", ""]]
MODES = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


def tokenizer():
    tok = BertWordPieceTokenizer(lowercase=True)
    text = (DATA.parents[1] / "README.md").read_text().split("\n")
    tok.train_from_iterator([*text, *TEXTS], vocab_size=160, min_frequency=1, limit_alphabet=60,
                            show_progress=False)
    tok._tokenizer.post_processor = processors.BertProcessing(
        ("[SEP]", tok.token_to_id("[SEP]")), ("[CLS]", tok.token_to_id("[CLS]")))
    return transformers.BertTokenizerFast(tokenizer_object=tok._tokenizer, model_max_length=32)


def bert(cls, tok, **more):
    config = transformers.BertConfig(
        vocab_size=len(tok), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=24, max_position_embeddings=32, **more)
    torch.manual_seed(4)
    model = cls(config).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn(p.shape))
    return model


def digits(x):
    return [digits(v) for v in x] if isinstance(x, list) else float(f"{x:.7g}")


def embed(model, **more):
    return digits(model.encode(TEXTS, **more).astype("float64").tolist())


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    tok = tokenizer()
    base = ROOT / "base"
    bert(transformers.BertModel, tok).save_pretrained(base)
    tok.save_pretrained(base)
    golden = {"sentence_transformers": sentence_transformers.__version__, "texts": TEXTS, "pairs": PAIRS}
    word = st.Transformer(str(base), max_seq_length=24)
    golden["modes"] = {m: embed(SentenceTransformer(modules=[word, st.Pooling(16, m)], device="cpu"))
                       for m in MODES}
    torch.manual_seed(6)
    tiny = SentenceTransformer(modules=[
        word, st.Pooling(16, ("weightedmean", "mean"), include_prompt=False),
        st.Dense(32, 6, activation_function=torch.nn.Tanh()), st.Normalize()], device="cpu",
        prompts={"query": "the small ", "document": "a "})
    tiny.save(str(ROOT / "tiny"), create_model_card=False)
    golden["tiny"] = embed(tiny)
    golden["tiny_query"] = embed(tiny, prompt_name="query")
    folder = DATA / "models" / "llama_gqa"
    llama = transformers.AutoModel.from_pretrained(folder).eval()
    own = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        golden["decoder"] = [
            digits(llama(**own(t, return_tensors="pt", truncation=True)).last_hidden_state[0, -1].tolist())
            for t in TEXTS if t]
    bert(transformers.BertForSequenceClassification, tok, num_labels=1).save_pretrained(ROOT / "cross")
    tok.save_pretrained(ROOT / "cross")
    golden["cross"] = digits(CrossEncoder(str(ROOT / "cross"), device="cpu").predict(PAIRS).astype("float64").tolist())
    shutil.rmtree(base)
    (ROOT / "golden.json").write_text(json.dumps(golden) + "\n")
    for f in ROOT.rglob("*"):
        if f.is_file():
            f.chmod(0o644)
    print(sum(f.stat().st_size for f in ROOT.rglob("*") if f.is_file()), "bytes")


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    main()

#!/usr/bin/env bash
# Runs the example programs on small data: examples.sh SOURCE_DIR BINARY_DIR
set -euo pipefail
models=$1/tests/data/models; bin=$2; work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
expect() { grep -q -- "$1" "$work/out" || { echo "expected $1 in:"; cat "$work/out"; exit 1; }; }

"$bin/generate" "$models/llama_gqa" --prompt "Hello" --max_new_tokens 8 --json > "$work/out"
expect '"finish_reason":"length"'
"$bin/generate" "$models/gpt2" --prompt "Hello" --max_new_tokens 8 > "$work/out"
echo '"Hello"' | "$bin/generate" "$models/llama_gqa/model.f32.gguf" --batch --max_new_tokens 4 > "$work/out"
expect '"ids":'
printf '%s\n' '{"inputs": "Hi", "parameters": {"max_new_tokens": 4, "do_sample": false}}' '{"inputs": 3}' |
  "$bin/pipeline" text-generation "$models/llama_gqa" > "$work/out"
expect 'generated_text'; expect '"error"'
printf '%s\n' '{"text": "Hello there", "top": 2}' 'not json' | "$bin/score" "$models/llama_gqa" > "$work/out"
expect '"perplexity":'; expect '"kind":"format"'
echo '"Hello there"' | "$bin/tokenize" "$models/llama_gqa" > "$work/out"; expect '"offsets":'
printf '%s\n' '{"words": ["Hello", "there"], "pair": ["x"]}' '{"words": "Hello"}' '{"text": "a", "truncation": "only_fist"}' |
  "$bin/tokenize" "$models/llama_gqa" > "$work/out"
expect '"sequence_ids":'; expect '"kind":"format"'; expect "did you mean 'only_first'"
"$bin/inspect" "$models/gemma2" > "$work/out"; expect 'model.layers.0.self_attn.q_proj.weight'
expect 'gemma2 (decoder)'; expect 'tasks: text-generation'
sentences=$1/tests/data/sentences
"$bin/inspect" "$sentences/cross" > "$work/out"; expect 'classifier.weight'; expect '(encoder).*text-classification'
"$bin/inspect" "$sentences/tiny" --json > "$work/out"; expect '"structure":"encoder"'
printf '%s\n' '"the dog"' '["a dog", "a cat"]' '3' | "$bin/embed" "$sentences/tiny" --prompt_name query > "$work/out"
expect '^\[\[-\?0\.'; expect '"kind":"format"'
printf '%s\n' 'the dog sleeps' 'a cat' > "$work/lines"
echo 'the dog sleeps' | "$bin/embed_search" "$sentences/tiny" "$work/lines" --top 1 > "$work/out"; expect '^1.0000  the dog sleeps'
if "$bin/embed" "$sentences/tiny" --poling mean 2> "$work/out" < /dev/null; then exit 1; else [ $? = 2 ]; fi
expect 'pooling'
echo "Hello there" | "$bin/custom_pipeline" "$models/llama_gqa" > "$work/out"; expect 'bits a token'
"$bin/custom_model" "$work/parity" > "$work/out"; expect '8 of 8'
if "$bin/generate" "$models/llama_gqa" --promt x 2> "$work/out"; then exit 1; else [ $? = 2 ]; fi
expect 'did you mean'
if "$bin/generate" "$models/nowhere" --prompt x 2> "$work/out"; then exit 1; else [ $? = 1 ]; fi
expect '^error: io:'
if [ -x "$bin/train_tiny_lm" ]; then
  for _ in $(seq 60); do echo "the quick brown fox jumps over the lazy dog."; done > "$work/text"
  "$bin/train_tiny_lm" "$work/text" --out "$work/tiny" --steps 20 > "$work/out" 2> /dev/null
  "$bin/generate" "$work/tiny" --prompt "the " --max_new_tokens 4 --json > "$work/out"; expect '"ids":'
fi
bert=$1/tests/data/pipelines/bert
for task in text-classification ner feature-extraction; do
  echo '"The quick brown fox"' | "$bin/pipeline" $task "$bert" > "$work/out"; expect '^\[[[{]*'
done
echo '{"inputs": "The [MASK] fox"}' | "$bin/pipeline" fill-mask "$bert" > "$work/out"; expect '"token_str":'
echo '{"inputs": "a fox", "parameters": {"candidate_labels": "animal, city"}}' |
  "$bin/pipeline" zero-shot-classification "$bert" > "$work/out"; expect '"labels":'
echo '{"inputs": {"source_sentence": "a fox", "sentences": ["a dog", "x"]}}' |
  "$bin/pipeline" sentence-similarity "$bert" > "$work/out"; expect '^\[[-0-9.e]*,'
echo '{"inputs": {"query": "fox", "texts": ["a dog", "the fox"]}}' |
  "$bin/pipeline" rerank "$1/tests/data/pipelines/bert_one" > "$work/out"; expect '"index":'
echo "The fox jumps." | "$bin/classify" "$bert" > "$work/out"; expect '^LABEL_'
echo "The fox jumps." | "$bin/answer" "$bert" "Who jumps?" > "$work/out"; expect '[a-z]'
echo '{"inputs": {"question": "Who jumps?", "context": "The fox jumps."}}' |
  "$bin/pipeline" question-answering "$bert" > "$work/out"; expect '"answer":'
echo "The fox jumps." | "$bin/ner" "$bert" > "$work/out"; expect '^LABEL_'
t5=$1/tests/data/pipelines/text2text/t5
echo "The quick brown fox jumps. It is quick." | "$bin/summarize" "$t5" > "$work/out"; [ -s "$work/out" ]
echo "The fox jumps." | "$bin/translate" "$t5" translation_en_to_de > "$work/out"; [ -s "$work/out" ]
echo '{"inputs": "The fox jumps.", "parameters": {"num_beams": 2, "max_new_tokens": 5}}' |
  "$bin/pipeline" summarization "$t5" > "$work/out"; expect '"summary_text":'
printf '%s\n' '" **Hi** there. And th"' '3' |
  "$bin/clean_replies" strip_markdown complete_sentences trim > "$work/out"
expect '^"Hi there."$'; expect '"kind":"format"'
for type in bpe bpe_words wordpiece wordlevel unigram; do
  "$bin/train_tokenizer" $type "$1/README.md" --out "$work/$type" --vocab_size 400 > "$work/out"; expect 'tokens$'
  echo '"the library reads tokenizers"' | "$bin/tokenize" "$work/$type" > "$work/out"; expect '"ids":'
done
if "$bin/train_tokenizer" wordpeice "$1/README.md" --out "$work/x" 2> "$work/out"; then exit 1; else [ $? = 2 ]; fi
expect "did you mean 'wordpiece'"
printf '%s\n' '{"prediction": "foo bar foobar", "references": ["foo bar foobar", "x"]}' 'not json' > "$work/lines"
if "$bin/evaluate" sacrebleu,chrf < "$work/lines" > "$work/out"; then exit 1; else [ $? = 1 ]; fi
expect '"kind":"format"'; expect '"sacrebleu_score": 0.0'; expect '"chrf_score": 100.0'
printf 'the dog bit the man\nit was late\n' > "$work/refs"; printf 'the dog bit a man\nit was so late\n' > "$work/a"
"$bin/evaluate" sacrebleu "$work/refs" --input "$work/a,$work/refs" --paired bs --samples 100 --format text > "$work/out"
expect 'p = '
if "$bin/evaluate" sacrebleu --smoth_method floor < "$work/lines" 2> "$work/out"; then exit 1; else [ $? = 2 ]; fi
expect "did you mean 'smooth_method'"
echo '"Hello there"' | "$bin/evaluate" perplexity --model_id "$models/gpt2" > "$work/out"; expect '"mean_perplexity": '
echo '{"prediction": "a fox", "references": ["a fox", ""]}' |
  "$bin/evaluate" bertscore,word_count --model_type "$1/tests/data/pipelines/roberta" --num_layers 1 > "$work/out"
expect '"hashcode": '; expect '"unique_words": 1'
if echo '"x"' | "$bin/evaluate" perplexity --model_id "$models/gpt2" --max_lenght 3 2> "$work/out"; then exit 1; else [ $? = 2 ]; fi
expect "did you mean 'max_length'"
echo "the examples run"

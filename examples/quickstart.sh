#!/usr/bin/env bash
# Installs what is missing (Debian, Ubuntu), builds, loads a model and lets it answer.
#   quickstart.sh [MODEL] [PROMPT]
# MODEL: a Hugging Face folder or a .gguf file; without it SmolLM2-135M-Instruct, if it can be had within
# a minute, else the small model that comes with the sources (examples/default_model).
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD; cd - > /dev/null
model=${1:-}; [ -z "$model" ] || model=$(realpath "$model")
prompt=${2:-}
cd "$here"
source cmake/packages.sh
install_packages curl ca-certificates unzip
if [ -z "$model" ]; then
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/parlance
  model=$(timeout 60 examples/get_model.sh SmolLM2-135M-Instruct "$cache/SmolLM2-135M-Instruct") || model=
fi
if [ -z "$model" ]; then
  echo "SmolLM2-135M-Instruct could not be fetched within a minute."
  echo "Using examples/default_model: 2.8 million parameters, a pocket dictionary (see its README)."
  model=examples/default_model
  prompt=${prompt:-What is a river?}
else
  echo "Using $model"
fi
cmake -S . -B build/quickstart -DPARLANCE_BUILD_TESTS=OFF -DPARLANCE_BUILD_BENCHMARKS=OFF > /dev/null
echo "Building (about a minute) ..."
cmake --build build/quickstart --target quickstart | grep -E 'error|warning' || true
exec build/quickstart/examples/quickstart "$model" "${prompt:-What is the capital of France, and what is it known for?}"

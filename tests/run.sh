#!/usr/bin/env bash
# Installs what is missing (Debian, Ubuntu), builds the tests and runs them.
#   tests/run.sh [extra cmake options]
set -euo pipefail
cd "$(dirname "$0")/.."
source cmake/packages.sh
install_packages doctest-dev
cmake -S . -B build/tests -DPARLANCE_BUILD_BENCHMARKS=OFF "$@"
cmake --build build/tests -j"$(nproc)"
ctest --test-dir build/tests --output-on-failure

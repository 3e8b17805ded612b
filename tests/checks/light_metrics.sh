#!/usr/bin/env bash
# A metrics header drags in no tensors, no SIMD library and no JSON library, but for the header that
# is there for JSON: light_metrics.sh SOURCE_DIR COMPILER
set -euo pipefail
cd "$1/include"; compiler=$2; failed=0
for header in parlance/metrics/*.hpp; do
  [ "$header" = parlance/metrics/json_lines.hpp ] && continue
  heavy=$("$compiler" -std=c++20 -I. -M -MT x "$header" | tr -s ' \\' '\n' |
    grep -E 'parlance/(tensor|kernels|autograd|ops|nn|io|models|generation|pipelines)/|xsimd|nlohmann|Eigen' || true)
  [ -z "$heavy" ] || { echo "$header includes" $heavy; failed=1; }
done
exit $failed

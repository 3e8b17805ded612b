#!/usr/bin/env bash
# A header includes only its own folder and lower layers (docs/architecture.md).
set -euo pipefail
cd "$1/include/parlance"
rank() {
  case $1 in
    core) echo 0 ;; kernels | tokenizers) echo 1 ;; tensor | metrics) echo 2 ;; autograd | ops) echo 3 ;;
    nn) echo 4 ;; io) echo 5 ;; models) echo 6 ;; generation | training) echo 7 ;; pipelines) echo 8 ;;
    *) echo 9 ;;
  esac
}
failed=0
while IFS=: read -r file _ line; do
  from=${file%%/*}; [ "$from" = "$file" ] && from=parlance.hpp
  to=$(sed -E 's|.*"parlance/([^/"]+).*|\1|' <<<"$line")
  [ "$from" = "$to" ] && continue
  # autograd and ops share a rank: ops stand on autograd.
  [ "$from" = ops ] && [ "$to" = autograd ] && continue
  if [ "$(rank "$to")" -ge "$(rank "$from")" ]; then echo "$file includes $to"; failed=1; fi
done < <(grep -rn '#include "parlance/' --include=*.hpp --include=*.inl . | sed 's|^\./||')
exit $failed

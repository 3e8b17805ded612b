#!/usr/bin/env bash
# Every header compiles alone: headers.sh SOURCE_DIR COMPILER... (split.hpp has a target of its own.)
# Faces are compiled without their bodies, and bodies, in impl/, with their faces: each once.
set -euo pipefail
cd "$1"; shift
eigen=/usr/include/eigen3
export CHECK="$* -std=c++20 -fsyntax-only -Wall -Wextra -Werror -Iinclude -isystem $eigen -x c++ - "
find include -name '*.hpp' ! -name split.hpp | sed 's|^include/||' | sort |
  xargs -P "$(nproc)" -I{} sh -c 'case {} in */impl/*) split= ;; *) split=-DPARLANCE_SPLIT ;; esac
    echo "#include \"{}\"" | $CHECK $split || { echo "{} does not compile alone"; exit 255; }'
echo "every header compiles alone"

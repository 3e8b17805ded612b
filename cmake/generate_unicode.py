#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes include/parlance/tokenizers/unicode_tables.hpp.

Hugging Face tokenizers mixes Unicode versions (regex classes 16, normalization 9, Rust's numeric
and lower-case tables newer still), so the tables are read off the library itself: every code point
is put through the component that uses the property. Combining classes come from Python's unicodedata
(they never change once assigned), kept only where the library reorders the mark.
Usage: python generate_unicode.py OUT.hpp     (needs the `tokenizers` package, 0.22.2)
"""
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
CHUNK = 20000
LU, LL, LT, LM, LO, ND, N, M, P, S, Z = range(1, 12)
WHITE, WORD, NUMERIC, PUNCT = 0x10, 0x20, 0x40, 0x80


def chunks():
    for i in range(0, len(POINTS), CHUNK):
        yield POINTS[i:i + CHUNK]


def regex_set(pattern):
    """Code points that match a one-character regex (Oniguruma)."""
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    found = set()
    for part in chunks():
        rest = set()
        for _, (b, e) in split.pre_tokenize_str("".join(map(chr, part))):
            rest.update(range(b, e))
        found.update(c for i, c in enumerate(part) if i not in rest)
    return found


def isolated_set(component):
    """Code points that a splitting pre-tokenizer keeps apart from the letters around them."""
    found = set()
    for part in chunks():
        pieces = component.pre_tokenize_str("".join("x" + chr(c) for c in part) + "x")
        found.update(part[b // 2] for _, (b, e) in pieces if e - b == 1 and b % 2)
    return found


def word_set():
    """\\w of the Rust regex crate, as the Whitespace pre-tokenizer uses it."""
    found = set()
    white = pre_tokenizers.Whitespace()
    for part in chunks():
        for _, (b, e) in white.pre_tokenize_str("".join(chr(c) + "a " for c in part)):
            if e - b >= 2:
                found.add(part[b // 3])
    return found


def class_bytes():
    table = bytearray(0x110000)
    for pattern, value in ((r"\p{Lu}", LU), (r"\p{Ll}", LL), (r"\p{Lt}", LT), (r"\p{Lm}", LM),
                           (r"\p{Lo}", LO), (r"\p{N}", N), (r"\p{M}", M), (r"\p{P}", P),
                           (r"\p{S}", S), (r"\p{Z}", Z)):
        for c in regex_set(pattern):
            assert table[c] == 0, hex(c)
            table[c] = value
    for c in regex_set(r"\p{Nd}"):
        assert table[c] == N
        table[c] = ND
    for members, bit in ((regex_set(r"\s"), WHITE), (word_set(), WORD),
                         (isolated_set(pre_tokenizers.Digits(True)), NUMERIC),
                         (isolated_set(pre_tokenizers.Punctuation("isolated")), PUNCT)):
        for c in members:
            table[c] |= bit
    return table


def per_char(component):
    """{code point: string} where a normalizer changes a lone character."""
    found = {}
    for c in POINTS:
        text = chr(c)
        out = component.normalize_str(text)
        if out != text:
            found[c] = out
    return found


def combining_classes():
    nfd = normalizers.NFD()
    found = {}
    for c in POINTS:
        ccc = unicodedata.combining(chr(c))
        if ccc and (nfd.normalize_str("a" + chr(c) + "\u0334") == "a\u0334" + chr(c) or
                    nfd.normalize_str("a\u0345" + chr(c)) == "a" + chr(c) + "\u0345" or
                    nfd.normalize_str(chr(c)) != chr(c)):
            found[c] = ccc
    return found


def compositions():
    nfc = normalizers.NFC()
    found = {}
    for c in POINTS:
        parts = unicodedata.decomposition(chr(c)).split()
        if len(parts) != 2 or parts[0].startswith("<"):
            continue
        a, b = (int(p, 16) for p in parts)
        if nfc.normalize_str(chr(a) + chr(b)) == chr(c):
            found[(a, b)] = c
    return found


def emit(out, kind, name, values, per_line=20):
    out.write(f"inline constexpr {kind} {name}[{len(values)}] = {{\n")
    for i in range(0, len(values), per_line):
        out.write("    " + ",".join(map(str, values[i:i + per_line])) + ",\n")
    out.write("};\n")


def two_stage(table, block):
    seen, index, data = {}, [], []
    for i in range(0, len(table), block):
        key = bytes(table[i:i + block])
        if key not in seen:
            seen[key] = len(seen)
            data.extend(key)
        index.append(seen[key])
    return index, data


def emit_mapping(out, name, mapping):
    """Sorted keys, and for each the start of its characters in one pool."""
    pool, starts = [], []
    for c in sorted(mapping):
        starts.append(len(pool))
        pool.extend(ord(x) for x in mapping[c])
    starts.append(len(pool))
    emit(out, "std::uint32_t", name + "_key", sorted(mapping))
    emit(out, "std::uint16_t", name + "_start", starts)
    emit(out, "std::uint32_t", name + "_pool", pool)


def main():
    hangul = range(0xAC00, 0xD7A4)
    nfd = {c: t for c, t in per_char(normalizers.NFD()).items() if c not in hangul}
    nfkd = {c: t for c, t in per_char(normalizers.NFKD()).items()
            if c not in hangul and nfd.get(c) != t}
    ccc = combining_classes()
    pairs = compositions()
    index, data = two_stage(class_bytes(), 128)
    with open(sys.argv[1], "w") as out:
        out.write(f"""// SPDX-License-Identifier: Apache-2.0
// Generated by cmake/generate_unicode.py from tokenizers {tokenizers.__version__}; do not edit.
// Character classes (Unicode 16), normalization data (Unicode 9), lower case, as the Hugging Face
// tokenizers library applies them. Data (c) Unicode, Inc., Unicode License V3.
#pragma once

#include <cstdint>

#include "parlance/core/config.hpp"

// clang-format off
namespace parlance::inline PARLANCE_ABI::tokenizers::unicode_tables {{

""")
        emit(out, "std::uint8_t" if max(index) < 256 else "std::uint16_t", "class_index", index, 32)
        emit(out, "std::uint8_t", "class_data", data, 32)
        ccc_index, ccc_data = two_stage(bytearray(ccc.get(c, 0) for c in range(0x20000)), 64)
        emit(out, "std::uint8_t", "ccc_index", ccc_index, 32)
        emit(out, "std::uint8_t", "ccc_data", ccc_data, 32)
        assert max(ccc) < 0x20000
        emit_mapping(out, "nfd", nfd)
        emit_mapping(out, "nfkd", nfkd)
        emit_mapping(out, "lower", per_char(normalizers.Lowercase()))
        keys = sorted(pairs)
        emit(out, "std::uint64_t", "composition_key", [a << 21 | b for a, b in keys])
        emit(out, "std::uint32_t", "composition_value", [pairs[k] for k in keys])
        out.write("\n}  // namespace parlance::inline PARLANCE_ABI::tokenizers::unicode_tables\n"
                  "// clang-format on\n")
    print(f"classes {len(data) // 128} blocks, nfd {len(nfd)}, nfkd {len(nfkd)}, ccc {len(ccc)}, "
          f"compositions {len(pairs)}")


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes include/parlance/tokenizers/unicode_tables.hpp.

Hugging Face tokenizers mixes Unicode versions (regex classes 16, normalization 9, Rust's numeric
and lower-case tables newer still), so the tables are read off the library itself: every code point
is put through the component that uses the property. Combining classes come from Python's unicodedata
(they never change once assigned), kept only where the library reorders the mark.
Usage: python generate_unicode.py OUT.hpp     (needs the `tokenizers` package, 0.22.2)
"""
import base64
import json
import struct
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers

POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
CHUNK = 20000
LU, LL, LT, LM, LO, ND, N, M, P, S, Z = range(1, 12)
WHITE, WORD, NUMERIC, PUNCT = 0x10, 0x20, 0x40, 0x80
(G_OTHER, CR, LF, CONTROL, EXTEND, ZWJ, REGIONAL, PREPEND, SPACING, HL, HV, HT, LV, LVT,
 PICTOGRAPHIC) = range(15)
LINKER, CONSONANT, INCB_EXTEND = 0x10, 0x20, 0x30
MARK_9, NONSPACING_8, CONTROL_8 = 0x40, 0x80, 0x100


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


def charsmap(keys):
    """A SentencePiece charsmap (Darts double array) that replaces each of `keys` by "Y"."""
    units, base, value_at = [0] * 512, {b"": 256}, 255
    units[0], units[value_at] = 256 << 10, 1 << 31
    for key in sorted(k.encode() for k in keys):
        for i in range(1, len(key) + 1):
            at = base[key[:i - 1]] ^ key[i - 1]
            if i == len(key):
                units[at] = (at ^ value_at) << 10 | 0x100 | key[i - 1]
            elif key[:i] not in base:
                base[key[:i]] = len(units)
                units[at] = (at ^ len(units)) << 10 | key[i - 1]
                units.extend([0] * 256)
    assert len(units) < 1 << 21
    trie = struct.pack(f"<{len(units)}I", *units)
    blob = base64.b64encode(struct.pack("<I", len(trie)) + trie + b"Y\0").decode()
    return Tokenizer.from_str(json.dumps({
        "version": "1.0", "normalizer": {"type": "Precompiled", "precompiled_charsmap": blob},
        "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}})).normalizer


def probe(key, text, suffix):
    """Code points c for which text(c) comes out ending in `suffix`, `key` (None: c) mapped to Y.

    Precompiled replaces a grapheme cluster below six bytes as a whole and longer ones character by
    character, so whether a mark after the mapped character survives shows where clusters end.
    """
    found = set()
    for part in chunks():
        n = charsmap([key] if key else [chr(c) for c in part if c not in (1, 0x301)])
        # U+0001 stands between the texts: a control, so no cluster extends over it
        part = [c for c in part if c > 0x7F or not key and c != 1]
        results = n.normalize_str("\x01".join(text(chr(c)) for c in part)).split("\x01")
        assert len(results) == len(part)
        found.update(c for c, result in zip(part, results) if result.endswith(suffix))
    return found


def break_classes():
    """Grapheme_Cluster_Break and Indic_Conjunct_Break as unicode-segmentation has them."""
    table = bytearray(0x110000)

    def put(members, value):
        for c in members:
            assert table[c] & 15 == 0, hex(c)
            table[c] |= value
    joined = probe("x", lambda c: "x" + c, "Y")
    extend = probe("\u00a9", lambda c: "\u00a9" + c + "\u200d\u00a9\u0301", "Y\u0301") & joined
    put([0x200D], ZWJ)
    put(extend - {0x200D}, EXTEND)
    put(joined - extend - {0x200D}, SPACING)
    put(probe("x", lambda c: c + "x\u0301", "Y\u0301"), PREPEND)
    put([13], CR)
    put([10], LF)
    put([0, 1], CONTROL)
    # controls of four bytes cannot be told from the outside
    put({c for c in probe(None, lambda c: c + "\u0301", "Y\u0301") if c < 0x10000 and
         table[c] == 0} - {0x200D}, CONTROL)
    put({c for c in POINTS if c > 0xFFFF and table[c] == 0 and
         (unicodedata.category(chr(c)) == "Cf" or 0x13430 <= c < 0x13440 or
          0xE0000 <= c < 0xE1000)}, CONTROL)
    put(range(0x1F1E6, 0x1F200), REGIONAL)
    put([*range(0x1100, 0x1160), *range(0xA960, 0xA97D)], HL)
    put([*range(0x1160, 0x11A8), *range(0xD7B0, 0xD7C7), 0x16D63, *range(0x16D67, 0x16D6B)], HV)
    put([*range(0x11A8, 0x1200), *range(0xD7CB, 0xD7FC)], HT)
    for c in range(0xAC00, 0xD7A4):
        table[c] |= LVT if (c - 0xAC00) % 28 else LV
    put(probe("\u00a9", lambda c: c + "\u200d\u00a9\u0301", "Y\u0301") - joined, PICTOGRAPHIC)
    ka, virama, acute = "\u0915", "\u094d", "\u0301"
    linker = probe(ka, lambda c: ka + c + ka + acute, "Y" + acute) & extend
    consonant = probe(ka, lambda c: c + virama + ka + acute, "Y" + acute) - joined
    passing = probe(ka, lambda c: ka + virama + c + ka + acute, "Y" + acute) & joined
    for c in POINTS:
        if c in linker:
            table[c] |= LINKER
        elif c in consonant:
            table[c] |= CONSONANT
        elif c in passing:
            table[c] |= INCB_EXTEND
    return table


def removed_set(component, stable):
    return {c for c in POINTS if c in stable and component.normalize_str("x" + chr(c)) == "x"}


def details(nfd):
    """[value of each code point]: break classes and what BertNormalizer and StripAccents drop."""
    breaks = break_classes()
    table = list(breaks)
    every = set(POINTS)
    bert = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    for members, bit in (
            (removed_set(normalizers.StripAccents(), every), MARK_9),
            (removed_set(normalizers.BertNormalizer(**{**bert, "strip_accents": True}),
                         every - set(nfd)), NONSPACING_8),
            (removed_set(normalizers.BertNormalizer(**{**bert, "clean_text": True}), every),
             CONTROL_8)):
        for c in members:
            table[c] |= bit
    return table


def scripts():
    """[(first code point, number)]: runs of one script as the UnicodeScripts pre-tokenizer sees them.

    0 is its Any, which joins every neighbour.
    """
    component = pre_tokenizers.UnicodeScripts()

    def same(a, b):
        return len(component.pre_tokenize_str(chr(a) + chr(b))) == 1
    firsts, runs = [], []  # one character of each script; (first code point, number)
    for c in POINTS:
        last = runs[-1][1] if runs else 0
        if same(0x61, c) and same(0x3B1, c):
            number = 0
        elif last and same(firsts[last - 1], c):
            number = last
        else:
            number = next((k for k, first in enumerate(firsts, 1) if same(first, c)), 0)
            if not number:
                firsts.append(c)
                number = len(firsts)
        if not runs or number != last:
            runs.append((c, number))
    return runs


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
// Character classes (Unicode 16), grapheme break classes (16), what BertNormalizer (8) and
// StripAccents (9) drop, scripts, normalization data (Unicode 9), lower case, as the Hugging Face
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
        flags = details(nfd)
        kinds = sorted(set(flags))
        detail_index, detail_data = two_stage(bytearray(map(kinds.index, flags)), 128)
        emit(out, "std::uint8_t" if max(detail_index) < 256 else "std::uint16_t", "detail_index",
             detail_index, 32)
        emit(out, "std::uint8_t", "detail_data", detail_data, 32)
        emit(out, "std::uint16_t", "detail_value", kinds)
        runs = scripts()
        emit(out, "std::uint32_t", "script_start", [c for c, _ in runs])
        emit(out, "std::uint8_t", "script_value", [k for _, k in runs], 32)
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

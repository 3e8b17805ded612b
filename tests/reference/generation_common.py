# SPDX-License-Identifier: Apache-2.0
"""Inputs that the C++ tests of generation make again by themselves: splitmix64 and scores from it."""
import math

MASK = (1 << 64) - 1


class SplitMix:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return (z ^ (z >> 31)) >> 32


def make_ids(random, count, vocabulary):
    return [random.next() % vocabulary for _ in range(count)]


def make_scores(random, vocabulary, kind):
    """kind: continuous, ties (16 levels), holes (a quarter -inf), broken (-inf, inf and NaN too)."""
    out = []
    for _ in range(vocabulary):
        bits = random.next()
        value = ((bits >> 8) / (1 << 24) - 0.5) * 16
        if kind == "ties":
            value = ((bits >> 28) - 8) / 2
        special = random.next() % 16
        if kind in ("holes", "broken") and special < 4:
            value = -math.inf
        if kind == "broken" and special in (4, 5):
            value = math.inf if special == 4 else math.nan
        out.append(value)
    return out

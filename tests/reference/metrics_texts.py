# SPDX-License-Identifier: Apache-2.0
"""Random corpora for metrics_cases.py: changed copies of sentences, with everything that trips
tokenizers: punctuation in odd places, numbers, escapes, several scripts, empty and repeated text."""

WORDS = ("the a an of to in and that is was for on with as it at by from he she they said not be this "
         "have are which or his had will one been has their new more when who about up out if so "
         "running dogs quickly jumped happily nation national relational generously skies dying "
         "house home purchase bought large big huge enormous car automobile fast quick speedy "
         "begin start smart clever happy glad doctor physician city town created creates updates "
         "studies study studied flies cities argued arguing boxes churches men women knives "
         "can't won't it's I'm they're we've don't dog's James' cannot gonna wanna gimme "
         "U.S. e.g. Mr. Dr. 3.14 1,000 $5.00 50% 2019. 7-Eleven well-known 5-10 a--b end... "
         "&quot;quoted&quot; &amp; &lt;tag&gt; <skipped> (hi) [x] {y} \"double\" 'single' ``tick'' "
         "@user #tag a/b c:d e;f g,h 1.2.3 .5 5. ,x x, ..").split()
OTHER = ("über naïve façade Ελληνικά ΣΟΦΟΣ привет Мир 你好 世界 日本語 テスト ひらがな 한국어 العربية עברית "
         "हिन्दी ไทย € £5 ½ ² № → — “smart” ‘q’ «guill» … ！ ，。 「括号」 ⅷ İstanbul ǅ ß ﬁ 😀 👩‍👩‍👧 é é "
         "a\u00a0b c\u3000d e\u2003f g\u0085h \u200b x\tz １２３ ٣٤ ㈱ ㍿ 〇").split(" ")
MARKS = [".", ",", "!", "?", ";", ":", " -", "...", "-", "'", '"', ")", ""]


def sentence(rng, longest=25, wordy=False):
    style = rng.random()
    count = rng.choice([0, 1, 1, 2, 3]) if style < 0.12 else rng.randrange(3, longest)
    if style > 0.95:  # few words, again and again
        pool = [rng.choice(WORDS) for _ in range(rng.randrange(1, 3))]
        return " ".join(rng.choice(pool) for _ in range(count * 2))
    other = 0.0 if wordy or style < 0.6 else rng.choice([0.1, 0.5, 1.0])
    out = ""
    for i in range(count):
        word = rng.choice(OTHER) if rng.random() < other else rng.choice(WORDS)
        if rng.random() < 0.1:
            word = word.capitalize() if rng.random() < 0.7 else word.upper()
        out += word
        if rng.random() < 0.12:
            out += rng.choice(MARKS)
        out += rng.choice([" "] * 12 + ["  ", "", "\t"]) if i + 1 < count else ""
    return out + rng.choice([".", ".", "!", "?", "", " ", " .", "...", '."', "\n"][:9 if wordy else 10])


def change(rng, text, shuffled=False):
    parts = text.split(" ")
    for _ in range(rng.choice([0, 1, 2, 3, 6, 12])):
        if not parts:
            break
        i = rng.randrange(len(parts))
        action = rng.randrange(5)
        if action == 0:
            parts[i] = rng.choice(WORDS)
        elif action == 1:
            del parts[i]
        elif action == 2:
            parts.insert(i, rng.choice(WORDS))
        elif action == 3 or shuffled:
            j = min(len(parts), i + rng.randrange(1, 5))
            run = parts[i:j]
            del parts[i:j]
            k = rng.randrange(len(parts) + 1)
            parts[k:k] = run
        else:
            parts[i] = parts[i].swapcase()
    return " ".join(parts)


def corpus(rng, several=None, shuffled=False, lines=False, long=False, wordy=False, answers=False):
    """Predictions, and a list of references for each; all lines have the same number of them."""
    count = rng.choice([1, 1, 2, 3, 5])
    number = rng.choice([1, 1, 2, 3]) if several is None else (rng.choice([1, 2, 3]) if several else 1)
    predictions, references = [], []
    for _ in range(count):
        longest = 120 if long else 6 if answers else 25
        base = sentence(rng, longest, wordy)
        if lines:
            base = "\n".join([base] + [sentence(rng) for _ in range(rng.choice([0, 0, 1, 3]))])
        predictions.append(change(rng, base, shuffled))
        references.append([change(rng, base if rng.random() < 0.8 else sentence(rng, longest, wordy),
                                  shuffled) for _ in range(number)])
    return predictions, references

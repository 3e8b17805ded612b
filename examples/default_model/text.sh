#!/usr/bin/env bash
# Writes the training text of the default model: questions and answers in ChatML, made from the
# definitions in WordNet 3.0 (Debian's wordnet-base) of the words whose first sense occurs at least ten times in
# the texts that its authors tagged.
#   text.sh [WORDNET_FOLDER] > text.txt
set -euo pipefail
dictionary=${1:-/usr/share/wordnet}
[ -f "$dictionary/data.noun" ] || { echo "no WordNet in $dictionary: apt-get install wordnet-base" >&2; exit 1; }

# count line: lemma%type:... sense count; index line: lemma pos synsets pointers [symbols] senses tagged_senses
# offset...; data line: offset ... | gloss
for part in noun verb adj adv; do
  awk -v part=$part '
    function ask(question, answer) {
      printf "<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\n%s.<|im_end|>\n", question, answer
    }
    FNR == 1 { ++file }
    /^ / { next }
    file == 1 {
      split($1, key, /[%:]/)
      kind = key[2] == 1 ? "noun" : key[2] == 2 ? "verb" : key[2] == 4 ? "adv" : "adj"
      if ($2 == 1 && $3 >= 10 && kind == part) common[key[1]] = 1
      next
    }
    file == 2 {
      at = index($0, "| ")
      gloss = substr($0, at + 2)
      if ((cut = index(gloss, "; \"")) > 0) gloss = substr(gloss, 1, cut - 1)
      sub(/^\([^)]*\) */, "", gloss); sub(/[ ;:]+$/, "", gloss)
      meaning[$1] = gloss
      next
    }
    {
      offset = $(NF - $3 + 1)
      if (!($1 in common) || !(offset in meaning) || meaning[offset] == "") next
      word = $1; gsub(/_/, " ", word)
      if (word ~ /[0-9]/) next
      article = word ~ /^[aeiou]/ ? "an" : "a"
      if (part == "noun") {
        ask("What is " article " " word "?", toupper(substr(article, 1, 1)) substr(article, 2) " " word " is " meaning[offset])
      } else if (part == "verb") {
        ask("What does it mean to " word "?", "To " word " is to " meaning[offset])
      } else {
        ask("What does " word " mean?", toupper(substr(word, 1, 1)) substr(word, 2) " means " meaning[offset])
      }
    }' "$dictionary/cntlist.rev" "$dictionary/data.$part" "$dictionary/index.$part"
done | awk '  # the records in an order that mixes letters and kinds, the same everywhere
  /^<\|im_start\|>user/ { if (record != "") print record; record = $0; next }
  { record = record "\t" $0 }
  END { print record }' |
  awk '{ state = (NR * 2654435761) % 4294967296; printf "%010d\t%s\n", state, $0 }' | LC_ALL=C sort | cut -f2- | tr '\t' '\n'

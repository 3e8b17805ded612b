// SPDX-License-Identifier: Apache-2.0
// Synonyms from the database files of WordNet 3.0 (wndb(5)), as nltk 3.10.4's reader finds them
// (corpus/reader/wordnet.py): Debian's wordnet-base, or any folder with index.*, data.* and *.exc.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/metrics/word_ids.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

class wordnet {
 public:
  static constexpr std::string_view debian = "/usr/share/wordnet";

  // Throws io_error when a file is missing, format_error when one is damaged.
  explicit wordnet(const std::string& folder)
      : parts_{{{folder, "noun"}, {folder, "verb"}, {folder, "adj"}, {folder, "adv"}}} {}
  wordnet(const wordnet&) = delete;

  // Appends the single words of all synsets of a lower case word, in no order, some twice.
  void synonyms(std::string_view word, std::vector<std::string>& out) const {
    for (std::size_t p = 0; p < parts_.size(); ++p)
      for (const std::string& form : base_forms(word, p))
        for (const std::size_t offset : synsets(form, parts_[p])) lemmas(parts_[p], offset, out);
  }

 private:
  struct ending {
    std::string_view from, to;
  };

  // Not a stream, whose header alone takes a tenth of a second to compile.
  static std::string read(const std::string& path) {
    std::FILE* const file = std::fopen(path.c_str(), "rb");
    if (file == nullptr)
      throw io_error(path + ": cannot be opened", "install wordnet-base or name WordNet's folder");
    std::string text;
    char block[1 << 14];
    for (std::size_t n = 0; (n = std::fread(block, 1, sizeof block, file)) > 0;)
      text.append(block, n);
    std::fclose(file);
    return text;
  }
  // The lines of a file by their first word; of equal words the last one counts. Lines of the
  // licence start with a space.
  class line_table {
   public:
    explicit line_table(const std::string& text) {
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line(text.data() + at, end - at);
        at = end + 1;
        if (line.empty() || line.front() == ' ') continue;
        const std::size_t space = std::min(line.find(' '), line.size());
        lines_.push_back({line.substr(0, space), line.substr(space)});
      }
      while (slots_.size() < 2 * lines_.size() + 2) slots_.resize(2 * slots_.size());
      for (std::size_t i = 0; i < lines_.size(); ++i)
        slots_[place(lines_[i].first)] = static_cast<std::uint32_t>(i) + 1;
    }
    // What follows the word; nullptr when no line starts with it.
    const std::string_view* find(std::string_view word) const {
      const std::uint32_t slot = slots_[place(word)];
      return slot == 0 ? nullptr : &lines_[slot - 1].second;
    }

   private:
    // Where the word is, or would be.
    std::size_t place(std::string_view word) const {
      const std::size_t mask = slots_.size() - 1;
      std::size_t at = hash_word(word) & mask;
      while (slots_[at] != 0 && lines_[slots_[at] - 1].first != word) at = (at + 1) & mask;
      return at;
    }
    std::vector<std::pair<std::string_view, std::string_view>> lines_;
    std::vector<std::uint32_t> slots_ = std::vector<std::uint32_t>(64);
  };
  struct part {
    part(const std::string& folder, const std::string& name)
        : data_name(folder + "/data." + name),
          index(read(folder + "/index." + name)),
          data(read(data_name)),
          exceptions(read(folder + "/" + name + ".exc")),
          index_lines(index),
          exception_lines(exceptions) {}
    part(const part&) = delete;
    std::string data_name, index, data, exceptions;
    line_table index_lines, exception_lines;
  };
  static std::string_view next_field(std::string_view& rest) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const std::string_view field = rest.substr(0, std::min(rest.find(' '), rest.size()));
    rest.remove_prefix(field.size());
    return field;
  }
  static std::size_t number(std::string_view field, int base, const std::string& file) {
    std::size_t n = 0;
    const auto end = field.data() + field.size();
    if (const auto r = std::from_chars(field.data(), end, n, base);
        r.ec != std::errc() || r.ptr != end)
      throw format_error(file, -1, "expected a number, got '" + std::string(field) + "'");
    return n;
  }

  // nltk's morphy: the word and its base forms, as far as the index has them.
  std::vector<std::string> base_forms(std::string_view word, std::size_t p) const {
    static constexpr ending nouns[] = {{"s", ""},      {"ses", "s"},   {"ves", "f"},
                                       {"xes", "x"},   {"zes", "z"},   {"ches", "ch"},
                                       {"shes", "sh"}, {"men", "man"}, {"ies", "y"}};
    static constexpr ending verbs[] = {{"s", ""},   {"ies", "y"}, {"es", "e"},  {"es", ""},
                                       {"ed", "e"}, {"ed", ""},   {"ing", "e"}, {"ing", ""}};
    static constexpr ending adjectives[] = {{"er", ""}, {"est", ""}, {"er", "e"}, {"est", "e"}};
    const part& in = parts_[p];
    std::vector<std::string> forms = {std::string(word)};
    if (const std::string_view* irregular = in.exception_lines.find(word)) {
      std::string_view rest = *irregular;
      for (std::string_view f = next_field(rest); !f.empty(); f = next_field(rest))
        forms.emplace_back(f);
      return known(forms, in);
    }
    const std::span<const ending> rules[] = {nouns, verbs, adjectives, {}};
    for (const ending& e : rules[p])
      if (word.ends_with(e.from))
        forms.push_back(std::string(word.substr(0, word.size() - e.from.size())) +
                        std::string(e.to));
    return known(forms, in);
  }
  static std::vector<std::string> known(const std::vector<std::string>& forms, const part& in) {
    std::vector<std::string> out;
    for (const std::string& form : forms)
      if (in.index_lines.find(form) && std::find(out.begin(), out.end(), form) == out.end())
        out.push_back(form);
    return out;
  }

  // lemma | part senses pointers pointer... senses tagged offset...
  static std::vector<std::size_t> synsets(const std::string& form, const part& in) {
    std::string_view rest = *in.index_lines.find(form);
    next_field(rest);
    const std::size_t count = number(next_field(rest), 10, in.data_name);
    for (std::size_t n = number(next_field(rest), 10, in.data_name); n > 0 && !rest.empty(); --n)
      next_field(rest);
    next_field(rest);
    next_field(rest);
    std::vector<std::size_t> offsets;
    for (std::size_t i = 0; i < count && !rest.empty(); ++i)
      offsets.push_back(number(next_field(rest), 10, in.data_name));
    return offsets;
  }
  // offset file type words(hexadecimal) (word number)...
  static void lemmas(const part& in, std::size_t offset, std::vector<std::string>& out) {
    if (offset >= in.data.size())
      throw format_error(in.data_name, static_cast<std::int64_t>(offset), "no synset there");
    const std::size_t end = std::min(in.data.find('\n', offset), in.data.size());
    std::string_view rest(in.data.data() + offset, end - offset);
    next_field(rest), next_field(rest), next_field(rest);
    for (std::size_t n = number(next_field(rest), 16, in.data_name); n > 0 && !rest.empty(); --n) {
      std::string_view lemma = next_field(rest);
      next_field(rest);
      if (lemma.find('_') != lemma.npos) continue;
      // An adjective's marker of its place: galore(ip).
      if (lemma.ends_with(')')) lemma = lemma.substr(0, lemma.rfind('('));
      out.emplace_back(lemma);
    }
  }

  std::array<part, 4> parts_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics

// SPDX-License-Identifier: Apache-2.0
// evaluate's `seqeval` (seqeval 1.2.2): precision, recall and F1 of named entities, exact in place
// and type, from tags such as B-PER. By default chunks are read as conlleval does; in strict mode
// by the rules of a scheme.
#pragma once

#include <algorithm>
#include <array>
#include <string>

#include "parlance/core/nearest.hpp"
#include "parlance/metrics/metric.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

enum class tag_scheme : std::uint8_t { automatic, iob1, iob2, ioe1, ioe2, iobes, bilou };
inline constexpr std::array<std::string_view, 7> tag_scheme_names = {
    "none", "IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU"};

struct seqeval_options {
  bool suffix = false;                        // PER-B rather than B-PER
  tag_scheme scheme = tag_scheme::automatic;  // strict mode; found from the tags by default
  bool strict = false;                        // mode="strict"
  double zero_division = 0;
  bool operator==(const seqeval_options&) const = default;
};

struct entity_score {
  double precision = 0, recall = 0, f1 = 0;
  std::int64_t number = 0;  // in the references
};
struct seqeval_result {
  std::vector<std::pair<std::string, entity_score>> types;  // sorted by name
  entity_score overall;
  double accuracy = 0;

  record fields() const {
    record out;
    for (const auto& [type, s] : types)
      out.push_back({type, record{{"precision", s.precision},
                                  {"recall", s.recall},
                                  {"f1", s.f1},
                                  {"number", s.number}}});
    out.push_back({"overall_precision", overall.precision});
    out.push_back({"overall_recall", overall.recall});
    out.push_back({"overall_f1", overall.f1});
    out.push_back({"overall_accuracy", accuracy});
    return out;
  }
};

namespace detail {

// Tags of one side of a sentence: what comes first (or last) and the type after it.
struct entity_tag {
  char prefix;
  std::string type;
};

inline entity_tag read_tag(const std::string& tag, bool suffix, bool strict) {
  if (tag.empty()) throw option_error("seqeval: an empty tag");
  std::string type = suffix ? tag.substr(0, tag.size() - 1) : tag.substr(1);
  if (strict) {
    while (!type.empty() && type.front() == '-') type.erase(0, 1);
    while (!type.empty() && type.back() == '-') type.pop_back();
  } else if (suffix) {
    type.resize(std::min(type.rfind('-'), type.size()));
  } else if (const auto dash = type.find('-'); dash != type.npos) {
    type.erase(0, dash + 1);
  }
  return {suffix ? tag.back() : tag.front(), type.empty() ? "_" : type};
}

// A rule of a scheme: prefixes before and now, and whether the types are the same ('='), differ
// ('!') or do not matter ('*').
struct tag_rule {
  std::string_view before, now;
  char types;
};
struct scheme_rules {
  std::string_view allowed;
  std::span<const tag_rule> start, inside, end;
};
inline constexpr std::string_view any_prefix = "IOBESUL";

inline scheme_rules rules_of(tag_scheme scheme) {
  static constexpr std::string_view any = any_prefix;
  static constexpr tag_rule iob1_start[] = {
      {"O", "I", '*'}, {"I", "I", '!'}, {"B", "I", '*'}, {"I", "B", '='}, {"B", "B", '='}};
  static constexpr tag_rule iob_inside[] = {{"B", "I", '='}, {"I", "I", '='}};
  static constexpr tag_rule iob1_end[] = {{"I", "I", '!'}, {"I", "O", '*'}, {"I", "B", '*'},
                                          {"B", "O", '*'}, {"B", "I", '!'}, {"B", "B", '='}};
  static constexpr tag_rule ioe1_start[] = {
      {"O", "I", '*'}, {"I", "I", '!'}, {"E", "I", '*'}, {"E", "E", '='}};
  static constexpr tag_rule ioe_inside[] = {{"I", "I", '='}, {"I", "E", '='}};
  static constexpr tag_rule ioe1_end[] = {
      {"I", "I", '!'}, {"I", "O", '*'}, {"I", "E", '!'}, {"E", "I", '='}, {"E", "E", '='}};
  static constexpr tag_rule iob2_start[] = {{any, "B", '*'}};
  static constexpr tag_rule iob2_end[] = {{"I", "O", '*'}, {"I", "I", '!'}, {"I", "B", '*'},
                                          {"B", "O", '*'}, {"B", "I", '!'}, {"B", "B", '*'}};
  static constexpr tag_rule ioe2_start[] = {{"O", "I", '*'}, {"O", "E", '*'}, {"E", "I", '*'},
                                            {"E", "E", '*'}, {"I", "I", '!'}, {"I", "E", '!'}};
  static constexpr tag_rule ioe2_end[] = {{"E", any, '*'}};
  static constexpr tag_rule iobes_start[] = {{any, "B", '*'}, {any, "S", '*'}};
  static constexpr tag_rule iobes_inside[] = {
      {"B", "I", '='}, {"B", "E", '='}, {"I", "I", '='}, {"I", "E", '='}};
  static constexpr tag_rule iobes_end[] = {{"S", any, '*'}, {"E", any, '*'}};
  static constexpr tag_rule bilou_start[] = {{any, "B", '*'}, {any, "U", '*'}};
  static constexpr tag_rule bilou_inside[] = {
      {"B", "I", '='}, {"B", "L", '='}, {"I", "I", '='}, {"I", "L", '='}};
  static constexpr tag_rule bilou_end[] = {{"U", any, '*'}, {"L", any, '*'}};
  switch (scheme) {
    case tag_scheme::iob1:
      return {"IOB", iob1_start, iob_inside, iob1_end};
    case tag_scheme::ioe1:
      return {"IOE", ioe1_start, ioe_inside, ioe1_end};
    case tag_scheme::ioe2:
      return {"IOE", ioe2_start, ioe_inside, ioe2_end};
    case tag_scheme::iobes:
      return {"IOBES", iobes_start, iobes_inside, iobes_end};
    case tag_scheme::bilou:
      return {"BILOU", bilou_start, bilou_inside, bilou_end};
    default:
      return {"IOB", iob2_start, iob_inside, iob2_end};
  }
}

struct entity {
  std::string type;
  std::int64_t begin, end;
  auto operator<=>(const entity&) const = default;
};

}  // namespace detail

class seqeval {
 public:
  explicit seqeval(seqeval_options options = {}) : options_(options) {}
  static constexpr description describe() {
    return {"seqeval", "overall_f1", "entities found with the right borders and type", 0,
            1,         true,         "Nakayama 2018, seqeval; Ramshaw and Marcus 1995"};
  }

  // The tags of one sentence.
  void add(std::span<const std::string> prediction, std::span<const std::string> reference) {
    if (prediction.size() != reference.size())
      throw option_error("seqeval: sentence " + std::to_string(sentences_.size() + 1) + " has " +
                         std::to_string(prediction.size()) + " predicted and " +
                         std::to_string(reference.size()) + " true tags");
    sentences_.push_back(
        {{prediction.begin(), prediction.end()}, {reference.begin(), reference.end()}});
  }
  void merge(const seqeval& other) {
    sentences_.insert(sentences_.end(), other.sentences_.begin(), other.sentences_.end());
  }

  seqeval_result compute() const {
    if (sentences_.empty()) throw option_error("seqeval: nothing was added");
    const auto predicted = entities(&sentence::prediction), wanted = entities(&sentence::reference);
    std::vector<std::string> names;
    for (const auto* side : {&predicted, &wanted})
      for (const detail::entity& e : *side) names.push_back(e.type);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    seqeval_result r;
    counts all;
    for (const std::string& name : names) {
      counts c;
      const auto of_type = [&](const detail::entity& e) { return e.type == name; };
      c.predicted = static_cast<double>(std::count_if(predicted.begin(), predicted.end(), of_type));
      c.wanted = static_cast<double>(std::count_if(wanted.begin(), wanted.end(), of_type));
      for (const detail::entity& e : wanted)
        c.hits += of_type(e) && std::binary_search(predicted.begin(), predicted.end(), e);
      all.hits += c.hits, all.predicted += c.predicted, all.wanted += c.wanted;
      r.types.push_back({name, score(c)});
    }
    r.overall = score(all);
    double same = 0, total = 0;
    for (const sentence& s : sentences_)
      for (std::size_t i = 0; i < s.prediction.size(); ++i)
        same += s.prediction[i] == s.reference[i], ++total;
    r.accuracy = total == 0 ? 0 : same / total;
    return r;
  }

 private:
  struct sentence {
    std::vector<std::string> prediction, reference;
  };
  struct counts {
    double hits = 0, predicted = 0, wanted = 0;
  };
  entity_score score(const counts& c) const {
    const auto ratio = [this](double above, double below) {
      return below == 0 ? options_.zero_division : above / below;
    };
    entity_score s{ratio(c.hits, c.predicted), ratio(c.hits, c.wanted), 0,
                   static_cast<std::int64_t>(c.wanted)};
    const double below = s.precision + s.recall;
    s.f1 = 2 * s.precision * s.recall / (below == 0 ? 1 : below);
    return s;
  }

  // All entities of one side, sorted, each once; places count over all sentences.
  std::vector<detail::entity> entities(std::vector<std::string> sentence::*side) const {
    std::vector<detail::entity> out;
    if (options_.strict) {
      const tag_scheme scheme =
          options_.scheme == tag_scheme::automatic ? detect() : options_.scheme;
      std::int64_t from = 0;
      for (const sentence& s : sentences_) {
        strict_entities(s.*side, detail::rules_of(scheme), from, out);
        from += static_cast<std::int64_t>((s.*side).size()) + 1;
      }
    } else {
      plain_entities(side, out);
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  // conlleval's chunks, with an O after every sentence.
  void plain_entities(std::vector<std::string> sentence::*side,
                      std::vector<detail::entity>& out) const {
    detail::entity_tag before{'O', ""};
    std::int64_t begin = 0, place = 0;
    const auto step = [&](const std::string& text) {
      detail::entity_tag now = detail::read_tag(text, options_.suffix, false);
      const auto one_of = [](char c, std::string_view set) { return set.find(c) != set.npos; };
      const bool changed = before.type != now.type;
      const bool ends = one_of(before.prefix, "ES") ||
                        (one_of(before.prefix, "BI") && one_of(now.prefix, "BSO")) ||
                        (!one_of(before.prefix, "O.") && changed);
      const bool starts = one_of(now.prefix, "BS") ||
                          (one_of(before.prefix, "ESO") && one_of(now.prefix, "EI")) ||
                          (!one_of(now.prefix, "O.") && changed);
      if (ends) out.push_back({before.type, begin, place});
      if (starts) begin = place;
      before = std::move(now);
      ++place;
    };
    for (const sentence& s : sentences_) {
      for (const std::string& tag : s.*side) step(tag);
      step("O");
    }
    step("O");
  }

  void strict_entities(const std::vector<std::string>& tags, const detail::scheme_rules& rules,
                       std::int64_t from, std::vector<detail::entity>& out) const {
    std::vector<detail::entity_tag> all;
    for (const std::string& tag : tags) {
      all.push_back(detail::read_tag(tag, options_.suffix, true));
      if (rules.allowed.find(all.back().prefix) == rules.allowed.npos)
        throw option_error("seqeval: invalid tag '" + tag + "', allowed prefixes are " +
                           std::string(rules.allowed));
    }
    all.push_back({'O', "_"});
    const auto fits = [](const detail::entity_tag& before, const detail::entity_tag& now,
                         std::span<const detail::tag_rule> set) {
      return std::any_of(set.begin(), set.end(), [&](const detail::tag_rule& r) {
        return r.before.find(before.prefix) != r.before.npos &&
               r.now.find(now.prefix) != r.now.npos &&
               (r.types == '*' || (r.types == '=') == (before.type == now.type));
      });
    };
    const detail::entity_tag outside{'O', "_"};
    for (std::size_t i = 0; i < all.size();) {
      if (!fits(i == 0 ? outside : all[i - 1], all[i], rules.start)) {
        ++i;
        continue;
      }
      std::size_t end = i + 1;
      while (end < all.size() && fits(all[end - 1], all[end], rules.inside)) ++end;
      if (end == all.size()) end = tags.size() - 1;
      if (fits(all[end - 1], all[end], rules.end))
        out.push_back({all[i].type, from + static_cast<std::int64_t>(i),
                       from + static_cast<std::int64_t>(end)});
      i = end;
    }
  }

  // The scheme whose prefixes the references use; IOB1 and IOE1 are never found.
  tag_scheme detect() const {
    std::string prefixes;
    for (const sentence& s : sentences_)
      for (const std::string& tag : s.reference) {
        const char c = detail::read_tag(tag, options_.suffix, true).prefix;
        if (detail::any_prefix.find(c) == detail::any_prefix.npos)
          throw option_error("seqeval: '" + tag + "' starts with no prefix of a scheme");
        if (prefixes.find(c) == prefixes.npos) prefixes += c;
      }
    std::sort(prefixes.begin(), prefixes.end());
    constexpr std::string_view iob2[] = {"BIO", "BI", "BO", "B"}, ioe2[] = {"EIO", "EI", "EO", "E"},
                               iobes[] = {"BEIOS", "BEIS", "BEIO", "BEOS", "BEI",
                                          "BES",   "BEO",  "BE",   "S"},
                               bilou[] = {"BILOU", "BILU", "BILO", "BLOU", "BIL",
                                          "BLU",   "BLO",  "BL",   "U"};
    const auto in = [&](std::span<const std::string_view> sets) {
      return std::find(sets.begin(), sets.end(), prefixes) != sets.end();
    };
    if (in(iob2)) return tag_scheme::iob2;
    if (in(ioe2)) return tag_scheme::ioe2;
    if (in(iobes)) return tag_scheme::iobes;
    if (in(bilou)) return tag_scheme::bilou;
    throw option_error("seqeval: no scheme has the prefixes '" + prefixes + "'");
  }

  seqeval_options options_;
  std::vector<sentence> sentences_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics

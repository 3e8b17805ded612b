// SPDX-License-Identifier: Apache-2.0
// What a tokenizer is built from: the components as JSON and the model's vocabulary, scores and
// merges in flat lists. Read from tokenizer.json by streaming (a vocabulary never becomes a DOM);
// written back in the form that the Hugging Face library reads.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "parlance/core/json.hpp"
#include "parlance/tokenizers/decimal_score.hpp"
#include "parlance/tokenizers/json_fields.hpp"
#include "parlance/tokenizers/models.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct tokenizer_spec {
  json head = json::object();  // tokenizer.json without model.vocab and model.merges
  model_data data;
  std::string where;                         // file name for messages
  std::optional<translation_pieces> pieces;  // the model, where no tokenizer.json can hold it
};

namespace impl {

inline const json& component(const json& head, const char* name) {
  static const json absent;
  const auto at = head.find(name);
  return at == head.end() ? absent : *at;
}

// Builds the DOM of everything but the two big lists of the model.
class tokenizer_sax : public json_dom_sax {
 public:
  tokenizer_sax(const std::string& where, model_data& data) : json_dom_sax(where), data_(data) {}

  bool null() override { return mode_ == mode::dom ? json_dom_sax::null() : refuse(); }
  bool boolean(bool v) override { return mode_ == mode::dom ? json_dom_sax::boolean(v) : refuse(); }
  bool number_integer(std::int64_t v) override {
    return mode_ == mode::dom ? json_dom_sax::number_integer(v) : score(static_cast<double>(v));
  }
  bool number_float(double v, const std::string& s) override {
    return mode_ == mode::dom ? json_dom_sax::number_float(v, s) : score(decimal_score(s));
  }
  bool number_unsigned(std::uint64_t v) override {
    if (mode_ == mode::dom) return json_dom_sax::number_unsigned(v);
    if (mode_ != mode::vocab) return score(static_cast<double>(v));
    if (v > 0x7FFFFFFE) throw format_error(where(), -1, "model.vocab: id above 2147483646");
    data_.tokens.add(token_);
    data_.ids.push_back(static_cast<std::uint32_t>(v));
    return true;
  }
  bool string(std::string& v) override {
    if (mode_ == mode::dom) return json_dom_sax::string(v);
    if (mode_ == mode::pair) {
      if (++pair_parts_ > 2) return refuse();
      data_.merges.add(v);
      return true;
    }
    if (mode_ == mode::piece) {
      if (++pair_parts_ != 1) return refuse();
      data_.ids.push_back(static_cast<std::uint32_t>(data_.tokens.size()));
      data_.tokens.add(v);
      return true;
    }
    if (mode_ != mode::merges) return refuse();
    if (v.starts_with("#version")) return true;
    const std::size_t space = v.find(' ');
    if (space == std::string::npos || v.find(' ', space + 1) != std::string::npos) return refuse();
    data_.merges.add(std::string_view(v).substr(0, space));
    data_.merges.add(std::string_view(v).substr(space + 1));
    return true;
  }
  bool key(std::string& k) override {
    token_ = k;
    if (mode_ == mode::dom) return json_dom_sax::key(k);
    return mode_ == mode::vocab || refuse();
  }
  bool start_object(std::size_t n) override {
    if (mode_ != mode::dom) return refuse();
    const bool vocab = in_model_ && depth_ == 2 && token_ == "vocab";
    if (depth_ == 1) in_model_ = token_ == "model";
    ++depth_;
    if (vocab) {
      mode_ = mode::vocab;
      data_.tokens.clear();
      data_.ids.clear();
    }
    return json_dom_sax::start_object(n);
  }
  bool end_object() override {
    mode_ = mode::dom;
    --depth_;
    return json_dom_sax::end_object();
  }
  bool start_array(std::size_t n) override {
    if (mode_ == mode::merges) {
      mode_ = mode::pair;
      pair_parts_ = 0;
      return true;
    }
    if (mode_ == mode::pieces) {
      mode_ = mode::piece;
      pair_parts_ = 0;
      return true;
    }
    if (mode_ != mode::dom) return refuse();
    if (in_model_ && depth_ == 2 && token_ == "merges") {
      mode_ = mode::merges;
      data_.merges.clear();
    } else if (in_model_ && depth_ == 2 && token_ == "vocab") {
      mode_ = mode::pieces;
      data_.tokens.clear(), data_.ids.clear(), data_.scores.clear();
    } else if (depth_ == 1) {
      in_model_ = false;
    }
    ++depth_;
    return json_dom_sax::start_array(n);
  }
  bool end_array() override {
    if (mode_ == mode::pair) {
      if (pair_parts_ != 2) return refuse();
      mode_ = mode::merges;
      return true;
    }
    if (mode_ == mode::piece) {
      if (pair_parts_ != 2) return refuse();
      mode_ = mode::pieces;
      return true;
    }
    mode_ = mode::dom;
    --depth_;
    return json_dom_sax::end_array();
  }

 private:
  // vocab: {token: id}; pieces: [piece, ...], each [token, score]; merges: ["a b", pair, ...].
  enum class mode { dom, vocab, pieces, piece, merges, pair };
  bool score(double v) {
    if (mode_ != mode::piece || ++pair_parts_ != 2) return refuse();
    data_.scores.push_back(v);
    return true;
  }
  [[noreturn]] bool refuse() const {
    throw format_error(where(), -1,
                       mode_ == mode::vocab ? "model.vocab: expected an object of strings to ids"
                       : mode_ == mode::pieces || mode_ == mode::piece
                           ? "model.vocab: expected [\"piece\", score] pairs"
                           : "model.merges: expected \"a b\" strings or [\"a\", \"b\"] pairs");
  }
  model_data& data_;
  mode mode_ = mode::dom;
  std::string token_;
  int depth_ = 0, pair_parts_ = 0;
  bool in_model_ = false;
};

}  // namespace impl

// A specification made by a program; `where` names what it is made from.
inline tokenizer_spec empty_spec(std::string where) {
  tokenizer_spec spec;
  spec.where = std::move(where);
  for (const char* key : {"version", "truncation", "padding", "added_tokens", "normalizer",
                          "pre_tokenizer", "post_processor", "decoder", "model"})
    spec.head[key] = nullptr;
  spec.head["version"] = "1.0";
  return spec;
}

inline tokenizer_spec read_tokenizer_json(std::string_view text, const std::string& where) {
  tokenizer_spec spec;
  spec.where = where;
  impl::tokenizer_sax sax(where, spec.data);
  parse_json_sax(text, sax);
  spec.head = std::move(sax.result);
  return spec;
}

// One JSON value on a line of its own, unescaped beyond ASCII.
inline std::string json_text(std::string_view s) { return json(std::string(s)).dump(); }

namespace impl {

// A list with a line for each item; each(f) calls f(text of an item).
template <class Each>
void write_lines(std::string& out, Each each) {
  const char* separator = "\n";
  each([&](const std::string& item) {
    out += separator + ("      " + item);
    separator = ",\n";
  });
  out += "\n    ";
}

template <class Model>
void write_vocabulary(std::string& out, const Model& m) {
  out += "    \"vocab\": {";
  write_lines(out, [&](auto line) {
    for (std::uint32_t id = 0; id < m.token_limit(); ++id)
      if (const auto token = m.id_to_token(id)) line(json_text(*token) + ": " + std::to_string(id));
  });
  out += "}";
}
[[noreturn]] inline void write_model(std::string&, const translation_pieces&) {
  throw unsupported_error(
      "no tokenizer.json can hold SentencePiece pieces with the ids of a vocab.json",
      "save_pretrained writes the files that the tokenizer was made from");
}
inline void write_model(std::string& out, const word_piece& m) { write_vocabulary(out, m); }
inline void write_model(std::string& out, const word_level& m) { write_vocabulary(out, m); }
inline void write_model(std::string& out, const unigram& m) {
  out += "    \"vocab\": [";
  write_lines(out, [&](auto line) {
    for (std::uint32_t id = 0; id < m.token_limit(); ++id)
      line("[" + json_text(*m.id_to_token(id)) + ", " + json(m.score(id)).dump() + "]");
  });
  out += "]";
}
inline void write_model(std::string& out, const bpe& m) {
  write_vocabulary(out, m);
  struct row {
    std::uint32_t rank, left, right;
  };
  std::vector<row> rows;
  m.merges().each([&](std::uint32_t left, std::uint32_t right, pair_table::merge v) {
    rows.push_back({v.rank, left, right});
  });
  std::sort(rows.begin(), rows.end(), [](const row& a, const row& b) { return a.rank < b.rank; });
  out += ",\n    \"merges\": [";
  write_lines(out, [&](auto line) {
    for (const row& r : rows)
      line("[" + json_text(m.id_to_token(r.left).value_or("")) + ", " +
           json_text(m.id_to_token(r.right).value_or("")) + "]");
  });
  out += "]";
}

}  // namespace impl

// tokenizer.json for components and a model.
inline std::string write_tokenizer_json(const json& head, const model& m) {
  std::string out = "{\n";
  for (const auto& [key, value] : head.items())
    if (key != "model") out += "  " + json_text(key) + ": " + value.dump() + ",\n";
  out += "  \"model\": {\n";
  for (const auto& [key, value] : head.at("model").items())
    if (key != "vocab" && key != "merges")
      out += "    " + json_text(key) + ": " + value.dump() + ",\n";
  m.visit([&](const auto& concrete) { impl::write_model(out, concrete); });
  return out + "\n  }\n}\n";
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers

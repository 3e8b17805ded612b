// SPDX-License-Identifier: Apache-2.0
// A model for a task of encoders with its tokenizer, and what pipelines over it share: truncation,
// batches without padding, softmax.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/io/hub_cache.hpp"
#include "parlance/kernels/topk.hpp"
#include "parlance/models/auto_encoder.hpp"
#include "parlance/models/encoder_passes.hpp"
#include "parlance/models/structure.hpp"
#include "parlance/pipelines/language_model.hpp"
#include "parlance/pipelines/pipeline.hpp"
#include "parlance/tokenizers/python_text.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

// How a text becomes tokens, under the names of transformers' tokenizer call.
struct encoder_text_options {
  bool truncation = false;                   // to max_length
  std::optional<std::int64_t> max_length{};  // not set: what the model takes
  std::optional<bool> add_special_tokens{};  // not set: true
};

// A text, or two that are read together.
struct text_or_pair {
  std::string text;
  std::optional<std::string> text_pair{};
  text_or_pair(std::string a) : text(std::move(a)) {}
  text_or_pair(const char* a) : text(a) {}
  text_or_pair(std::string a, std::string b) : text(std::move(a)), text_pair(std::move(b)) {}
};

struct label_score {
  std::string label;
  float score = 0;
};

template <class Model>
struct encoder_parts {
  std::unique_ptr<Model> model;
  std::shared_ptr<const tokenizers::tokenizer> tokenizer;

  // Tokens that a sequence may have.
  std::int64_t longest() const {
    return models::detail::tokenizer_limit(*tokenizer, model->max_positions());
  }
  tokenizers::encode_options options(const encoder_text_options& o) const {
    tokenizers::encode_options out;
    out.add_special_tokens = o.add_special_tokens.value_or(true);
    if (o.truncation)
      out.truncation = models::detail::cut_to(o.max_length.value_or(longest())).truncation;
    return out;
  }
  tokenizers::encoding encode(const text_or_pair& in, const encoder_text_options& o) const {
    return in.text_pair ? tokenizer->encode(in.text, *in.text_pair, options(o))
                        : tokenizer->encode(in.text, options(o));
  }
  // f(index of the first encoding, input) for passes over all of them. A model with one type of
  // segment is not told of others, as no tokenizer of its kind would.
  template <class F>
  void forward(std::span<const tokenizers::encoding> all, const F& f) const {
    const autograd::no_grad off;
    constexpr std::int64_t rows_at_once = 4096;
    const bool typed = models::config_reader(model->config()).integer("type_vocab_size", 0) > 1;
    models::detail::for_each_pass(all, rows_at_once, {},
                                  [&](std::size_t first, models::encoder_input in) {
                                    if (!typed) in.type_ids = {};
                                    f(first, in);
                                  });
  }
};

// `load` is the loader of models/auto_encoder.hpp for the task.
template <class Model>
encoder_parts<Model> load_encoder_parts(
    const std::string& name, const pipeline_options& o, std::string_view task,
    std::unique_ptr<Model> (*load)(const models::opened_checkpoint&,
                                   const models::encoder_load_options&,
                                   const models::encoder_registry&)) {
  const auto path = io::resolve_model(name, o.cache);
  models::encoder_load_options options;
  options.weights = o.weights;
  options.compute = o.compute;
  options.on_progress = o.on_progress;
  encoder_parts<Model> out;
  const models::opened_checkpoint opened = models::open_checkpoint(path);
  out.model = models::load_for_task(
      opened.config, task, [&] { return load(opened, options, models::encoder_families()); });
  out.tokenizer = load_tokenizer(path);
  return out;
}

namespace detail {

// Code points [begin, end) of a text; empty when there is no such part.
inline std::string characters(std::string_view text, std::int64_t begin, std::int64_t end) {
  std::string out;
  std::int64_t at = 0;
  for (std::size_t i = 0; i < text.size() && at < end; ++at) {
    const std::size_t n = tokenizers::unicode::length_of(text[i]);
    if (at >= begin) out += text.substr(i, n);
    i += n;
  }
  return out;
}

}  // namespace detail

}  // namespace parlance::inline PARLANCE_ABI::pipelines

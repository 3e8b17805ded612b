// SPDX-License-Identifier: Apache-2.0
// The heads of encoders and the models made of a backbone and a head. A backbone gives
// hidden(input), config (an encoder_config), word_embeddings() and visit.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "parlance/models/encoder_config.hpp"
#include "parlance/models/encoder_tasks.hpp"
#include "parlance/nn/activation.hpp"
#include "parlance/nn/layers.hpp"

namespace parlance::inline PARLANCE_ABI::models {

// One row a sequence: its first, or the mean of all. (sequences, width)
template <class T>
tensor<T> sequence_rows(const tensor<T>& hidden, const encoder_input& in, bool mean) {
  std::vector<std::int64_t> offsets = detail::row_offsets(in);
  if (mean) return ops::segment_mean(hidden, offsets);
  offsets.pop_back();
  return ops::gather_rows(hidden, offsets);
}

namespace detail {

// The sequences [first, last) of a batch, whose rows begin at `offsets`.
inline encoder_input sequences_of(const encoder_input& in, std::span<const std::int64_t> offsets,
                                  std::size_t first, std::size_t last) {
  const auto row = static_cast<std::size_t>(offsets[first]);
  const auto rows = static_cast<std::size_t>(offsets[last]) - row;
  encoder_input part = in;
  const auto cut = [&](auto& each) {
    if (each.size() == in.ids.size()) each = each.subspan(row, rows);
  };
  cut(part.type_ids), cut(part.global_attention_mask), cut(part.ids);
  part.lengths = in.lengths.subspan(first, last - first);
  return part;
}

}  // namespace detail

// backbone.hidden(in), a few sequences at a time, so that their activations stay in the cache; a
// row's bits do not depend on its neighbours. All at once where gradients or observers want that.
template <class Backbone>
auto hidden_rows(const Backbone& backbone, const encoder_input& in) {
  const std::int64_t most = 384 * num_threads(), rows = static_cast<std::int64_t>(in.ids.size());
  if (rows <= most || in.lengths.size() < 2 || in.observe || autograd::grad_enabled())
    return backbone.hidden(in);
  const std::vector<std::int64_t> offsets = detail::row_offsets(in);
  tensor<typename Backbone::scalar> all;
  for (std::size_t first = 0, last; first + 1 < offsets.size(); first = last) {
    last = first + 1;
    while (last + 1 < offsets.size() && offsets[last + 1] - offsets[first] <= most) ++last;
    const auto some = backbone.hidden(detail::sequences_of(in, offsets, first, last));
    if (!all.defined()) all = tensor<typename Backbone::scalar>({rows, some.cols()});
    std::copy_n(some.data(), some.size(), all.row(offsets[first]));
  }
  return all;
}

// What the layout says, up to `outputs` numbers a row; 0: without the output layer.
template <class T>
struct prediction_head {
  head_layout layout;
  std::optional<nn::linear<T>> dense;
  std::optional<nn::layer_norm<T>> norm;
  std::optional<nn::linear<T>> out;

  prediction_head(const encoder_config& c, const head_layout& l, std::int64_t outputs,
                  std::int64_t width)
      : layout(l) {
    if (!l.dense.empty()) dense.emplace(c.hidden_size, width, l.dense_bias);
    if (!l.norm.empty()) norm.emplace(width, c.norm_eps, l.norm_bias);
    if (outputs > 0) out.emplace(dense ? width : c.hidden_size, outputs, true);
  }
  tensor<T> operator()(tensor<T> x) const {
    const kernels::one_row_path same_bits;
    if (dense) x = nn::activate(layout.act, (*dense)(x));
    if (norm) x = (*norm)(x);
    return out ? (*out)(x) : x;
  }
  void visit(nn::visitor<T>& v) {
    v(layout.dense, dense), v(layout.norm, norm), v(layout.out, out);
  }
};

// A backbone under its prefix, beside a head.
template <class Backbone>
struct encoder_with_head {
  using scalar = typename Backbone::scalar;
  using config_type = typename Backbone::config_type;

  Backbone backbone;
  prediction_head<scalar> head;

  encoder_with_head(const config_type& c, const head_layout& l, std::int64_t outputs)
      : backbone(c), head(c, l, outputs, c.hidden_size) {}
  tensor<scalar> of_rows(const encoder_input& in) const { return head(hidden_rows(backbone, in)); }
  tensor<scalar> of_sequences(const encoder_input& in) const {
    return head(sequence_rows(hidden_rows(backbone, in), in, head.layout.mean));
  }
  void visit_head(nn::visitor<scalar>& v) { head.visit(v); }
  void visit(nn::visitor<scalar>& v) { v(backbone.config.prefix, backbone), head.visit(v); }
};

// The head transforms to the width of the embeddings, whose table is the output projection.
template <class Backbone>
struct encoder_for_masked_lm {
  using scalar = typename Backbone::scalar;
  using config_type = typename Backbone::config_type;

  Backbone backbone;
  prediction_head<scalar> transform;
  std::optional<nn::linear<scalar>> decoder;  // absent when tied to the embeddings
  nn::parameter<scalar> bias;

  explicit encoder_for_masked_lm(const config_type& c)
      : backbone(c), transform(c, c.masked, 0, c.embedding_size) {
    if (!c.tie_word_embeddings) decoder.emplace(c.embedding_size, c.vocab_size, false);
    if (!c.masked_bias.empty()) bias = {{c.vocab_size}, nn::init_kind::zeros, false, {}};
  }
  tensor<scalar> logits(const encoder_input& in, std::span<const std::int64_t> rows) const {
    tensor<scalar> x = hidden_rows(backbone, in);
    if (!rows.empty()) x = ops::gather_rows(x, rows);
    const kernels::one_row_path same_bits;
    const auto& table = decoder ? decoder->weight : backbone.word_embeddings().weight;
    return ops::linear(transform(x), table.stored(), bias.dense());
  }
  void visit_head(nn::visitor<scalar>& v) {
    transform.visit(v), v(backbone.config.masked.out, decoder);
    v(backbone.config.masked_bias, bias);
  }
  void visit(nn::visitor<scalar>& v) { v(backbone.config.prefix, backbone), visit_head(v); }
};

// The bare model, without prefix.
template <class Backbone>
struct bare_encoder {
  using scalar = typename Backbone::scalar;
  using config_type = typename Backbone::config_type;

  Backbone backbone;
  std::optional<prediction_head<scalar>> pooler;

  explicit bare_encoder(const config_type& c) : backbone(c) {
    if (!c.pooler.dense.empty()) pooler.emplace(c, c.pooler, 0, c.hidden_size);
  }
  void visit_head(nn::visitor<scalar>& v) {
    if (pooler) pooler->visit(v);
  }
  void visit(nn::visitor<scalar>& v) { backbone.visit(v), visit_head(v); }
};

// A model under a task's interface. Model: backbone, visit, visit_head.
template <class Task, class Model>
class encoder_task_of : public Task {
 public:
  template <class... Args>
  explicit encoder_task_of(const Args&... args) : model(args...) {}

  std::int64_t max_positions() const override { return model.backbone.config.max_positions; }
  void visit(nn::visitor<float>& v) override { model.visit(v); }
  void visit_head(nn::visitor<float>& v) override { model.visit_head(v); }
  void save_weights(const std::filesystem::path& folder) override {
    io::save_parameters<float>(model, folder);
  }

  Model model;
};

template <class Backbone>
class encoder_of final : public encoder_task_of<encoder, bare_encoder<Backbone>> {
 public:
  explicit encoder_of(const typename Backbone::config_type& c)
      : encoder_task_of<encoder, bare_encoder<Backbone>>(c) {}
  std::int64_t hidden_size() const override { return this->model.backbone.config.hidden_size; }
  tensor<float> hidden(const encoder_input& in) const override {
    return hidden_rows(this->model.backbone, in);
  }
  tensor<float> pooled(const tensor<float>& hidden, const encoder_input& in) const override {
    const auto& pooler = this->model.pooler;
    if (!pooler) throw option_error("encoder: the checkpoint has no pooler");
    return (*pooler)(sequence_rows(hidden, in, pooler->layout.mean));
  }
};

template <class Backbone>
class masked_lm_of final : public encoder_task_of<masked_lm, encoder_for_masked_lm<Backbone>> {
 public:
  explicit masked_lm_of(const typename Backbone::config_type& c)
      : encoder_task_of<masked_lm, encoder_for_masked_lm<Backbone>>(c) {}
  tensor<float> logits(const encoder_input& in, std::span<const std::int64_t> rows) const override {
    return this->model.logits(in, rows);
  }
};

// Token classification and question answering: numbers for every row.
template <class Task, class Backbone>
class row_task_of final : public encoder_task_of<Task, encoder_with_head<Backbone>> {
 public:
  row_task_of(const typename Backbone::config_type& c, const head_layout& l, std::int64_t outputs)
      : encoder_task_of<Task, encoder_with_head<Backbone>>(c, l, outputs) {}
  tensor<float> logits(const encoder_input& in) const override { return this->model.of_rows(in); }
};

// Sequence classification and multiple choice: numbers for every sequence.
template <class Task, class Backbone>
class sequence_task_of final : public encoder_task_of<Task, encoder_with_head<Backbone>> {
 public:
  sequence_task_of(const typename Backbone::config_type& c, const head_layout& l,
                   std::int64_t outputs)
      : encoder_task_of<Task, encoder_with_head<Backbone>>(c, l, outputs) {}
  tensor<float> logits(const encoder_input& in) const override {
    return this->model.of_sequences(in);
  }
};

}  // namespace parlance::inline PARLANCE_ABI::models

// SPDX-License-Identifier: Apache-2.0
// Bodies of models/sentence_encoder.hpp.
#pragma once

#include <algorithm>
#include <cmath>

#include "parlance/io/hub_cache.hpp"
#include "parlance/models/encoder_passes.hpp"
#include "parlance/models/sentence_encoder.hpp"
#include "parlance/nn/activation.hpp"

namespace parlance::inline PARLANCE_ABI::models {

namespace detail {

inline json read_json_object(const std::filesystem::path& file) {
  json value = io::detail::read_json(file);
  if (!value.is_object()) throw format_error(file.string(), -1, "expected a JSON object");
  return value;
}

// torch.nn.modules.activation.Tanh -> tanh; Identity -> nothing.
inline std::string torch_activation(const std::string& path) {
  std::string name = path.substr(path.rfind('.') + 1);
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  if (name == "identity") return {};
  if (name == "tanh" || name == "relu" || name == "gelu" || name == "silu" || name == "sigmoid")
    return name;
  throw unsupported_error("activation '" + path + "'",
                          "supported: Identity, Tanh, ReLU, GELU, SiLU, Sigmoid");
}

}  // namespace detail

PARLANCE_SPLIT_INLINE sentence_encoder sentence_encoder::from_pretrained(
    const std::string& name, const sentence_options& options, const std::filesystem::path& cache) {
  const std::filesystem::path folder = io::resolve_model(name, cache);
  sentence_encoder out;
  const bool described = std::filesystem::exists(folder / "modules.json");
  if (described) {
    out.read_modules(folder, options);
  } else {
    out.load_transformer(folder, options);
    out.modules_ = {"Transformer", "Pooling"};
  }
  if (options.pooling) out.poolings_ = {*options.pooling};
  if (out.poolings_.empty()) out.poolings_ = {out.decoder_ ? pooling::lasttoken : pooling::mean};
  out.normalize_ = options.normalize.value_or(out.normalize_);
  if (options.max_seq_length) {
    if (*options.max_seq_length < 1 || *options.max_seq_length > out.max_seq_length_)
      throw option_error("max_seq_length: " + std::to_string(*options.max_seq_length) +
                         ", expected 1 to " + std::to_string(out.max_seq_length_));
    out.max_seq_length_ = *options.max_seq_length;
  }
  const std::string probe[] = {"a"};
  out.dimension_ = out.encode(probe).cols();
  return out;
}

PARLANCE_SPLIT_INLINE void sentence_encoder::load_transformer(const std::filesystem::path& folder,
                                                              const sentence_options& options) {
  const opened_checkpoint from = open_checkpoint(folder);
  const std::string type = config_reader(from.config).text("model_type", "");
  if (causal_lm_families().contains(type)) {
    decoder_ = load_causal_lm(from, options);
  } else {
    encoder_load_options load;
    static_cast<io::load_options&>(load) = options;
    encoder_ = load_encoder(from, load);
  }
  tokenizer_ =
      std::make_shared<const tokenizers::tokenizer>(tokenizers::tokenizer::from_pretrained(folder));
  max_seq_length_ = detail::tokenizer_limit(
      *tokenizer_, encoder_ ? encoder_->max_positions() : decoder_->max_positions());
  const std::filesystem::path settings = folder / "sentence_bert_config.json";
  if (!std::filesystem::exists(settings)) return;
  const json values = detail::read_json_object(settings);
  const config_reader c(values, settings.string());
  max_seq_length_ = std::min(max_seq_length_, c.size("max_seq_length", max_seq_length_));
  if (c.flag("do_lower_case", false))
    throw unsupported_error(settings.string() + ": do_lower_case",
                            "put a Lowercase normalizer into tokenizer.json");
}

PARLANCE_SPLIT_INLINE void sentence_encoder::read_modules(const std::filesystem::path& folder,
                                                          const sentence_options& options) {
  const std::filesystem::path file = folder / "modules.json";
  const json list = io::detail::read_json(file);
  if (!list.is_array() || list.size() > 64)
    throw format_error(file.string(), -1, "expected a short list of modules");
  for (const json& entry : list) {
    if (!entry.is_object()) throw format_error(file.string(), -1, "a module is no object");
    const config_reader c(entry, file.string());
    const std::string type = c.text("type"), kind = type.substr(type.rfind('.') + 1);
    const std::filesystem::path own = folder / c.text("path", "");
    if (modules_.empty() != (kind == "Transformer"))
      throw unsupported_error(file.string() + ": " + type + " in place " +
                              std::to_string(modules_.size()));
    if (kind == "Transformer")
      load_transformer(own, options);
    else if (kind == "Pooling")
      read_pooling(own / "config.json");
    else if (kind == "Dense")
      read_dense(own, options);
    else if (kind == "Normalize")
      normalize_ = true;
    else if (kind != "Dropout")
      throw unsupported_error(file.string() + ": module " + type,
                              "supported: Transformer, Pooling, Dense, Dropout, Normalize");
    modules_.push_back(kind);
  }
  if (modules_.empty()) throw format_error(file.string(), -1, "no modules");
  const std::filesystem::path settings = folder / "config_sentence_transformers.json";
  if (!std::filesystem::exists(settings)) return;
  const json values = detail::read_json_object(settings);
  const config_reader c(values, settings.string());
  if (const auto prompts = c.object("prompts"))
    for (const std::string& key : prompts->keys()) prompts_[key] = prompts->text(key.c_str(), "");
  default_prompt_ = c.text("default_prompt_name", "");
}

PARLANCE_SPLIT_INLINE void sentence_encoder::read_pooling(const std::filesystem::path& file) {
  const json values = detail::read_json_object(file);
  const config_reader c(values, file.string());
  include_prompt_ = c.flag("include_prompt", true);
  if (c.has("pooling_mode")) {
    for (const std::string& name : c.texts_or_joined("pooling_mode"))
      poolings_.push_back(parse_pooling(name));
  } else {
    constexpr std::pair<const char*, pooling> flags[] = {
        {"pooling_mode_cls_token", pooling::cls},
        {"pooling_mode_max_tokens", pooling::max},
        {"pooling_mode_mean_tokens", pooling::mean},
        {"pooling_mode_mean_sqrt_len_tokens", pooling::mean_sqrt_len},
        {"pooling_mode_weightedmean_tokens", pooling::weightedmean},
        {"pooling_mode_lasttoken", pooling::lasttoken}};
    for (const auto& [key, kind] : flags)
      if (c.flag(key, false)) poolings_.push_back(kind);
  }
  if (poolings_.empty()) throw format_error(file.string(), -1, "no pooling mode is on");
}

PARLANCE_SPLIT_INLINE void sentence_encoder::read_dense(const std::filesystem::path& folder,
                                                        const sentence_options& options) {
  const json values = detail::read_json_object(folder / "config.json");
  const config_reader c(values, (folder / "config.json").string());
  dense_layer layer;
  layer.linear =
      nn::linear<float>(c.size("in_features"), c.size("out_features"), c.flag("bias", true));
  layer.act =
      detail::torch_activation(c.text("activation_function", "torch.nn.modules.activation.Tanh"));
  const auto source = io::open_safetensors(folder / "model.safetensors");
  io::load_parameters<float>(layer, *source, io::folder_rules(), options,
                             [](const std::string&) { return false; });
  dense_.push_back(std::move(layer));
}

// The last hidden states; a decoder gets a cache of its own, so that sequences may differ in
// length.
PARLANCE_SPLIT_INLINE tensor<float> sentence_encoder::hidden(const encoder_input& in) const {
  if (encoder_) return encoder_->hidden(in);
  const kernels::one_row_path same_bits;
  nn::kv_cache cache =
      decoder_->make_cache(static_cast<std::int64_t>(in.lengths.size()), format::f32);
  std::vector<segment> segments;
  std::int64_t at = 0;
  for (std::size_t i = 0; i < in.lengths.size(); at += in.lengths[i++])
    segments.push_back({static_cast<std::int64_t>(i), at, in.lengths[i]});
  decoder_input d;
  d.ids = in.ids;
  d.cache = &cache;
  d.segments = segments;
  d.stop = in.stop;
  return decoder_->hidden(d);
}

PARLANCE_SPLIT_INLINE tensor<float> sentence_encoder::pooled(const encoder_input& in,
                                                             std::int64_t skip) const {
  const tensor<float> x = hidden(in);
  const auto parts = static_cast<std::int64_t>(poolings_.size());
  tensor<float> out({static_cast<std::int64_t>(in.lengths.size()), parts * x.cols()});
  std::int64_t at = 0;
  for (std::size_t i = 0; i < in.lengths.size(); at += in.lengths[i++])
    for (std::int64_t p = 0; p < parts; ++p)
      pool_rows(x, at, at + in.lengths[i], skip, poolings_[static_cast<std::size_t>(p)],
                out.row(static_cast<std::int64_t>(i)) + p * x.cols());
  const kernels::one_row_path same_bits;
  for (const dense_layer& d : dense_) {
    out = d.linear(out);
    if (!d.act.empty()) out = nn::activate(d.act, out);
  }
  if (normalize_) normalize_rows(out);
  return out;
}

PARLANCE_SPLIT_INLINE std::string sentence_encoder::prompt_of(const embed_options& options) const {
  if (!options.prompt.empty()) return options.prompt;
  const std::string& name = options.prompt_name.empty() ? default_prompt_ : options.prompt_name;
  if (name.empty()) return {};
  if (const auto found = prompts_.find(name); found != prompts_.end()) return found->second;
  std::vector<std::string_view> known;
  for (const auto& [key, text] : prompts_) known.push_back(key);
  throw option_error("prompt_name '" + name + "'", did_you_mean(name, known));
}

// Rows of the prompt that pooling leaves out.
PARLANCE_SPLIT_INLINE std::int64_t sentence_encoder::prompt_rows(const std::string& prompt) const {
  if (prompt.empty() || include_prompt_) return 0;
  const std::vector<std::int32_t> ids = tokenizer_->encode_ids(prompt);
  const auto n = static_cast<std::int64_t>(ids.size());
  return n > 0 && tokenizer_->is_special(ids.back()) ? n - 1 : n;
}

PARLANCE_SPLIT_INLINE tensor<float> sentence_encoder::encode(std::span<const std::string> texts,
                                                             const embed_options& options) const {
  const autograd::no_grad off;
  const std::string prompt = prompt_of(options);
  std::vector<std::string> with_prompt;
  if (!prompt.empty())
    for (const std::string& text : texts) with_prompt.push_back(prompt + text);
  const std::vector<tokenizers::encoding> all =
      tokenizer_->encode_batch(prompt.empty() ? texts : std::span<const std::string>(with_prompt),
                               detail::cut_to(max_seq_length_));
  const std::int64_t skip = prompt_rows(prompt);
  tensor<float> out({static_cast<std::int64_t>(texts.size()), dimension_});
  detail::for_each_pass(
      all, options.rows_at_once, options.stop, [&](std::size_t first, const encoder_input& in) {
        const tensor<float> part = pooled(in, skip);
        if (out.cols() == 0) out = tensor<float>({out.rows(), part.cols()});
        std::copy_n(part.data(), part.size(), out.row(static_cast<std::int64_t>(first)));
      });
  return out;
}

PARLANCE_SPLIT_INLINE cross_encoder cross_encoder::from_pretrained(
    const std::string& name, const io::load_options& options, const std::filesystem::path& cache) {
  const std::filesystem::path folder = io::resolve_model(name, cache);
  cross_encoder out;
  encoder_load_options load;
  static_cast<io::load_options&>(load) = options;
  out.model_ = load_sequence_classifier(open_checkpoint(folder), load);
  out.tokenizer_ =
      std::make_shared<const tokenizers::tokenizer>(tokenizers::tokenizer::from_pretrained(folder));
  out.max_length_ = detail::tokenizer_limit(*out.tokenizer_, out.model_->max_positions());
  const config_reader c(out.model_->config());
  out.act_ = out.model_->labels().size() == 1 ? "sigmoid" : "";
  std::string named = c.text("sbert_ce_default_activation_function", "");
  if (const auto own = c.object("sentence_transformers")) named = own->text("activation_fn", named);
  if (!named.empty()) out.act_ = detail::torch_activation(named);
  return out;
}

PARLANCE_SPLIT_INLINE tensor<float> cross_encoder::predict(
    std::span<const std::pair<std::string, std::string>> pairs,
    const embed_options& options) const {
  const autograd::no_grad off;
  const auto all = tokenizer_->encode_batch(pairs, detail::cut_to(max_length_));
  tensor<float> out({static_cast<std::int64_t>(pairs.size()),
                     static_cast<std::int64_t>(model_->labels().size())});
  detail::for_each_pass(
      all, options.rows_at_once, options.stop, [&](std::size_t first, const encoder_input& in) {
        const tensor<float> part = model_->logits(in);
        std::copy_n(part.data(), part.size(), out.row(static_cast<std::int64_t>(first)));
      });
  return act_.empty() ? out : nn::activate(act_, out);
}

PARLANCE_SPLIT_INLINE std::vector<ranked> cross_encoder::rank(
    const std::string& query, std::span<const std::string> documents,
    const embed_options& options) const {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& d : documents) pairs.emplace_back(query, d);
  const tensor<float> scores = predict(pairs, options);
  if (scores.cols() != 1)
    throw option_error("rank: the model has " + std::to_string(scores.cols()) +
                       " labels, expected one");
  std::vector<ranked> out;
  for (std::size_t i = 0; i < documents.size(); ++i) out.push_back({i, scores.data()[i]});
  std::stable_sort(out.begin(), out.end(),
                   [](const ranked& a, const ranked& b) { return a.score > b.score; });
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::models

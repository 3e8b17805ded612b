// SPDX-License-Identifier: Apache-2.0
// Metrics by name, those included that need a model: perplexity, bertscore, and mauve of texts. The
// others are those of metrics/load.hpp, which stays free of models.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "parlance/metrics/load.hpp"
#include "parlance/pipelines/bertscore.hpp"
#include "parlance/pipelines/mauve.hpp"
#include "parlance/pipelines/perplexity.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

namespace detail {

inline std::string required(metrics::settings_reader& s, const char* metric, const char* name) {
  std::string out;
  s.read(name, out);
  if (out.empty())
    throw option_error(std::string(metric) + ": " + name + " is not set", "name a model's folder");
  return out;
}
// Of how the original computes, without influence on what: its batches are padded, ours are not.
inline void ignore_batch_size(metrics::settings_reader& s) {
  std::int64_t batch_size = 1;
  s.read("batch_size", batch_size);
  if (batch_size < 1) throw option_error("batch_size: expected a number above 0");
}
inline std::unique_ptr<metrics::any_metric> any_perplexity(metrics::settings_reader& s,
                                                           const pipeline_options& load) {
  perplexity_options o;
  const std::string model = required(s, "perplexity", "model_id");
  s.read("add_start_token", o.add_start_token);
  s.read("max_length", o.max_length);
  s.read("stride", o.stride);
  ignore_batch_size(s);
  s.finish();
  return metrics::make_any(perplexity(model, o, load));
}
inline std::unique_ptr<metrics::any_metric> any_bertscore(metrics::settings_reader& s,
                                                          const pipeline_options& load) {
  bertscore_options o;
  const std::string model = required(s, "bertscore", "model_type");
  s.read("num_layers", o.num_layers);
  s.read("idf", o.idf);
  s.read("all_layers", o.all_layers);
  s.read("rescale_with_baseline", o.rescale_with_baseline);
  s.read("baseline_path", o.baseline_path);
  s.read("use_fast_tokenizer", o.use_fast_tokenizer);
  std::string
      lang;  // chooses a model where none is named, and a baseline of the original's package
  s.read("lang", lang);
  ignore_batch_size(s);
  s.finish();
  return metrics::make_any(bertscore(model, o, load));
}
inline std::unique_ptr<metrics::any_metric> any_text_mauve(metrics::settings_reader& s,
                                                           const pipeline_options& load) {
  const metrics::mauve_options o = metrics::detail::read_mauve_options(s);
  const std::string model = required(s, "mauve", "featurize_model_name");
  std::int64_t max_text_length = 1024;
  s.read("max_text_length", max_text_length);
  s.finish();
  return metrics::make_any(mauve(model, o, max_text_length, load));
}

}  // namespace detail

// The names that `load_metric` knows.
inline std::vector<std::string_view> metric_names() {
  std::vector<std::string_view> names = metrics::metric_names();
  names.insert(names.end(), {"perplexity", "bertscore"});
  return names;
}

// As metrics::load. mauve is of texts when featurize_model_name is set, else of features.
inline std::unique_ptr<metrics::any_metric> load_metric(
    std::string_view name, const std::vector<metrics::setting>& settings = {},
    std::vector<std::string>* unused = nullptr, const pipeline_options& load = {}) {
  metrics::settings_reader reader(name, settings, unused);
  if (name == "perplexity") return detail::any_perplexity(reader, load);
  if (name == "bertscore") return detail::any_bertscore(reader, load);
  if (name == "mauve" && reader.find("featurize_model_name"))
    return detail::any_text_mauve(reader, load);
  for (const std::string_view known : metrics::metric_names())
    if (known == name) return metrics::load(name, settings, unused);
  throw option_error("unknown metric '" + std::string(name) + "'",
                     did_you_mean(name, metric_names()));
}

}  // namespace parlance::inline PARLANCE_ABI::pipelines

// SPDX-License-Identifier: Apache-2.0
// Metrics by name, as evaluate.load: metrics::load("rouge", {{"use_stemmer", "true"}}). Settings
// have the names and defaults of the original's `compute`, and `seed` and `config_name` of its
// `load`.
#pragma once

#include <array>

#include "parlance/metrics/any_metric.hpp"
#include "parlance/metrics/bleu.hpp"
#include "parlance/metrics/chrf.hpp"
#include "parlance/metrics/classification.hpp"
#include "parlance/metrics/exact_match.hpp"
#include "parlance/metrics/glue.hpp"
#include "parlance/metrics/google_bleu.hpp"
#include "parlance/metrics/mauve.hpp"
#include "parlance/metrics/measurements.hpp"
#include "parlance/metrics/meteor.hpp"
#include "parlance/metrics/nltk_bleu.hpp"
#include "parlance/metrics/regression.hpp"
#include "parlance/metrics/rouge.hpp"
#include "parlance/metrics/sacrebleu.hpp"
#include "parlance/metrics/seqeval.hpp"
#include "parlance/metrics/settings.hpp"
#include "parlance/metrics/squad.hpp"
#include "parlance/metrics/super_glue.hpp"
#include "parlance/metrics/ter.hpp"
#include "parlance/metrics/wer.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

namespace detail {

inline bleu make_bleu(settings_reader& s) {
  bleu_options o;
  s.choose("tokenizer", bleu_tokenizer_names, o.tokenizer);
  s.read("max_order", o.max_order);
  s.read("smooth", o.smooth);
  return bleu(o);
}
inline sacrebleu make_sacrebleu(settings_reader& s) {
  sacrebleu_options o;
  s.choose("smooth_method", bleu_smoothing_names, o.smooth_method);
  s.read("smooth_value", o.smooth_value);
  bool force = false;  // only silences a warning of the original
  s.read("force", force);
  s.read("lowercase", o.lowercase);
  if (const std::string* t = s.find("tokenize")) o.tokenize = parse_bleu_tokenizer(*t);
  s.read("use_effective_order", o.use_effective_order);
  s.read("max_ngram_order", o.max_ngram_order);
  return sacrebleu(o);
}
inline nltk_bleu make_nltk_bleu(settings_reader& s) {
  nltk_bleu_options o;
  constexpr std::string_view methods[] = {"method0", "method1", "method2", "method3",
                                          "method4", "method5", "method6", "method7"};
  enum class method : int { first } m{};
  s.choose("smoothing_function", methods, m);
  o.smoothing_function = static_cast<int>(m);
  s.read("weights", o.weights);
  s.read("auto_reweigh", o.auto_reweigh);
  return nltk_bleu(o);
}
inline google_bleu make_google_bleu(settings_reader& s) {
  google_bleu_options o;
  s.choose("tokenizer", bleu_tokenizer_names, o.tokenizer);
  s.read("min_len", o.min_len);
  s.read("max_len", o.max_len);
  return google_bleu(o);
}
inline chrf make_chrf(settings_reader& s) {
  chrf_options o;
  s.read("char_order", o.char_order);
  s.read("word_order", o.word_order);
  s.read("beta", o.beta);
  s.read("lowercase", o.lowercase);
  s.read("whitespace", o.whitespace);
  s.read("eps_smoothing", o.eps_smoothing);
  return chrf(o);
}
inline ter make_ter(settings_reader& s) {
  ter_options o;
  s.read("normalized", o.normalized);
  s.read("ignore_punct", o.ignore_punct);
  s.read("support_zh_ja_chars", o.support_zh_ja_chars);
  s.read("case_sensitive", o.case_sensitive);
  return ter(o);
}
inline rouge make_rouge(settings_reader& s) {
  rouge_options o;
  s.read("rouge_types", o.rouge_types);
  s.read("use_aggregator", o.use_aggregator);
  s.read("use_stemmer", o.use_stemmer);
  s.read("seed", o.seed);
  return rouge(o);
}
inline meteor make_meteor(settings_reader& s) {
  meteor_options o;
  s.read("alpha", o.alpha);
  s.read("beta", o.beta);
  s.read("gamma", o.gamma);
  s.read("wordnet", o.wordnet);
  return meteor(o);
}
template <class M>
M make_error_rate(settings_reader& s) {
  error_rate_options o;
  if constexpr (!std::is_same_v<M, mer> && !std::is_same_v<M, wil>)
    s.read("concatenate_texts", o.concatenate_texts);
  return M(o);
}
inline exact_match make_exact_match(settings_reader& s) {
  exact_match_options o;
  s.read("regexes_to_ignore", o.regexes_to_ignore);
  s.read("ignore_case", o.ignore_case);
  s.read("ignore_punctuation", o.ignore_punctuation);
  s.read("ignore_numbers", o.ignore_numbers);
  return exact_match(o);
}
inline squad_v2 make_squad_v2(settings_reader& s) {
  squad_v2_options o;
  s.read("no_answer_threshold", o.no_answer_threshold);
  return squad_v2(o);
}
// evaluate's "multilabel" only changes what an example looks like.
inline void read_multilabel(settings_reader& s) {
  constexpr std::string_view configs[] = {"default", "multilabel"};
  enum class config : int { first } c{};
  s.choose("config_name", configs, c);
}
inline accuracy make_accuracy(settings_reader& s) {
  accuracy_options o;
  read_multilabel(s);
  s.read("normalize", o.normalize);
  s.read("sample_weight", o.sample_weight);
  return accuracy(o);
}
inline void read_zero_division(settings_reader& s, double& to) {
  const std::string* text = s.find("zero_division");
  if (text && *text != "warn") s.read("zero_division", to);
}
template <class M>
M make_label_score(settings_reader& s) {
  label_score_options o;
  read_multilabel(s);
  s.read("labels", o.labels);
  s.read("pos_label", o.pos_label);
  s.choose("average", label_average_names, o.average);
  s.read("sample_weight", o.sample_weight);
  if constexpr (!std::is_same_v<M, f1>) read_zero_division(s, o.zero_division);
  return M(o);
}
inline matthews_correlation make_matthews(settings_reader& s) {
  matthews_correlation_options o;
  s.read("sample_weight", o.sample_weight);
  return matthews_correlation(o);
}
template <class M>
M make_mean_error(settings_reader& s) {
  mean_error_options o;
  s.read("sample_weight", o.sample_weight);
  if constexpr (std::is_same_v<M, mse>) s.read("squared", o.squared);
  return M(o);
}
inline seqeval make_seqeval(settings_reader& s) {
  seqeval_options o;
  s.read("suffix", o.suffix);
  s.choose("scheme", tag_scheme_names, o.scheme);
  constexpr std::string_view modes[] = {"none", "strict"};
  s.choose("mode", modes, o.strict);
  read_zero_division(s, o.zero_division);
  return seqeval(o);
}
template <class M>
M make_correlation(settings_reader& s) {
  correlation_options o;
  s.read("return_pvalue", o.return_pvalue);
  return M(o);
}
inline glue make_glue(settings_reader& s) {
  glue_options o;
  s.read("config_name", o.config_name);
  return glue(o);
}
inline word_count make_word_count(settings_reader& s) {
  word_count_options o;
  s.read("max_vocab", o.max_vocab);
  return word_count(o);
}
inline text_duplicates make_text_duplicates(settings_reader& s) {
  text_duplicates_options o;
  s.read("list_duplicates", o.list_duplicates);
  return text_duplicates(o);
}
inline mauve_options read_mauve_options(settings_reader& s) {
  mauve_options o;
  if (const std::string* buckets = s.find("num_buckets"); buckets && *buckets != "auto")
    s.read("num_buckets", o.num_buckets);
  s.read("pca_max_data", o.pca_max_data);
  s.read("kmeans_explained_var", o.kmeans_explained_var);
  s.read("kmeans_num_redo", o.kmeans_num_redo);
  s.read("kmeans_max_iter", o.kmeans_max_iter);
  s.read("divergence_curve_discretization_size", o.divergence_curve_discretization_size);
  s.read("mauve_scaling_factor", o.mauve_scaling_factor);
  s.read("seed", o.seed);
  s.read("histograms", o.histograms);
  return o;
}
inline mauve make_mauve(settings_reader& s) { return mauve(read_mauve_options(s)); }
template <class M>
M make_plain(settings_reader&) {
  return M();
}

struct maker {
  std::string_view name;
  std::unique_ptr<any_metric> (*make)(settings_reader&);
};
template <auto Make>
std::unique_ptr<any_metric> any_of(settings_reader& s) {
  auto made = Make(s);
  s.finish();
  return make_any(std::move(made));
}
// The tasks of super_glue take three kinds of examples.
inline std::unique_ptr<any_metric> any_super_glue(settings_reader& s) {
  glue_options o;
  s.read("config_name", o.config_name);
  s.finish();
  super_glue::require_task(o.config_name);
  if (o.config_name == "multirc") return make_any(super_glue_multirc());
  if (o.config_name == "record") return make_any(super_glue_record());
  return make_any(super_glue(o));
}
inline constexpr maker makers[] = {
    {"bleu", any_of<make_bleu>},
    {"sacrebleu", any_of<make_sacrebleu>},
    {"chrf", any_of<make_chrf>},
    {"ter", any_of<make_ter>},
    {"google_bleu", any_of<make_google_bleu>},
    {"nltk_bleu", any_of<make_nltk_bleu>},
    {"rouge", any_of<make_rouge>},
    {"meteor", any_of<make_meteor>},
    {"exact_match", any_of<make_exact_match>},
    {"squad", any_of<make_plain<squad>>},
    {"squad_v2", any_of<make_squad_v2>},
    {"accuracy", any_of<make_accuracy>},
    {"precision", any_of<make_label_score<precision>>},
    {"recall", any_of<make_label_score<recall>>},
    {"f1", any_of<make_label_score<f1>>},
    {"matthews_correlation", any_of<make_matthews>},
    {"pearsonr", any_of<make_correlation<pearsonr>>},
    {"spearmanr", any_of<make_correlation<spearmanr>>},
    {"mse", any_of<make_mean_error<mse>>},
    {"mae", any_of<make_mean_error<mae>>},
    {"glue", any_of<make_glue>},
    {"super_glue", any_super_glue},
    {"wer", any_of<make_error_rate<wer>>},
    {"cer", any_of<make_error_rate<cer>>},
    {"mer", any_of<make_error_rate<mer>>},
    {"wil", any_of<make_error_rate<wil>>},
    {"seqeval", any_of<make_seqeval>},
    {"mauve", any_of<make_mauve>},
    {"label_distribution", any_of<make_plain<label_distribution>>},
    {"word_length", any_of<make_plain<word_length>>},
    {"word_count", any_of<make_word_count>},
    {"text_duplicates", any_of<make_text_duplicates>},
};

}  // namespace detail

// The names that `load` knows.
inline std::vector<std::string_view> metric_names() {
  std::vector<std::string_view> names;
  for (const detail::maker& m : detail::makers) names.push_back(m.name);
  return names;
}

// Throws option_error for an unknown metric or setting, naming the nearest one. With `unused`,
// settings that the metric does not know are named there instead.
inline std::unique_ptr<any_metric> load(std::string_view name,
                                        const std::vector<setting>& settings = {},
                                        std::vector<std::string>* unused = nullptr) {
  for (const detail::maker& m : detail::makers) {
    if (m.name != name) continue;
    settings_reader reader(name, settings, unused);
    return m.make(reader);
  }
  throw option_error("unknown metric '" + std::string(name) + "'",
                     did_you_mean(name, metric_names()));
}

}  // namespace parlance::inline PARLANCE_ABI::metrics

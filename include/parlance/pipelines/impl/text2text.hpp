// SPDX-License-Identifier: Apache-2.0
// Bodies of text2text.hpp.
#pragma once

#include <algorithm>
#include <limits>

#include "parlance/pipelines/sentences.hpp"
#include "parlance/pipelines/text2text.hpp"
#include "parlance/tokenizers/streaming_decoder.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

PARLANCE_SPLIT_INLINE auto text2text::operator()(const std::vector<std::string>& texts,
                                                 const config& call, const options& o) const
    -> std::vector<std::vector<text2text_result>> {
  if (!o.long_input) return run(texts, call, o);
  std::vector<std::vector<text2text_result>> out;
  for (const std::string& text : texts)
    out.push_back(translates() ? translate_sentences(text, call, o)
                               : summarize_windows(text, call, o));
  return out;
}

PARLANCE_SPLIT_INLINE auto text2text::resolve(const config& call, const options& o) const
    -> generation::resolved_config {
  generation::option_sources from;
  from.call = call;
  from.task_params = parts_.task_defaults;
  from.model_file = parts_.defaults;
  from.pipeline_default.max_new_tokens = 256;
  from.pipeline_default.num_beams = 4;
  if (o.stop_sequence) {
    const ids stop = parts_.tokenizer->encode_ids(*o.stop_sequence, {.add_special_tokens = false});
    if (stop.empty()) throw option_error("stop_sequence: no tokens");
    from.call.eos_token_id = generation::token_ids{stop[0]};
  }
  if (const auto pair = languages(o)) {
    if (call.forced_bos_token_id)
      throw option_error("forced_bos_token_id: the target language is it", "leave it out");
    from.call.forced_bos_token_id = parts_.tokenizer->language_id(pair->second);
  }
  return generation::resolve(from);
}

PARLANCE_SPLIT_INLINE auto text2text::languages(const options& o) const
    -> std::optional<std::pair<std::string, std::string>> {
  if (!translates() || !parts_.tokenizer->has_languages()) return {};
  std::vector<std::string> words(1);  // of translation_xx_to_yy
  for (const char c : task_)
    if (c == '_')
      words.emplace_back();
    else
      words.back() += c;
  std::optional<std::string> source = o.src_lang, target = o.tgt_lang;
  if (words.size() == 4) {
    if (!source) source = words[1];
    if (!target) target = words[3];
  }
  if (!source || !target)
    throw option_error("translation: this model needs src_lang and tgt_lang",
                       "codes look like en_XX, eng_Latn or, for M2M100, en");
  return std::pair(*source, *target);
}

PARLANCE_SPLIT_INLINE auto text2text::encode(const std::vector<std::string>& texts,
                                             const options& o) const -> std::vector<ids> {
  tokenizers::encode_options how;
  if (const std::int64_t most = parts_.tokenizer->config().model_max_length;
      o.truncation && most > 0) {
    how.truncation.emplace();
    how.truncation->max_length = static_cast<std::uint32_t>(
        std::min<std::int64_t>(most, std::numeric_limits<std::uint32_t>::max()));
    how.truncation->side = parts_.tokenizer->config().truncation_side;
  }
  const auto pair = languages(o);
  const std::lock_guard lock(*language_);
  if (pair) parts_.tokenizer->set_src_lang(pair->first);
  // As in the original, texts of which the language is said take no prefix of the model.
  const std::string prefix = o.prefix.value_or(pair ? "" : parts_.task_prefix);
  std::vector<ids> out;
  for (const std::string& text : texts)
    out.push_back(parts_.tokenizer->encode_ids(prefix + text, how));
  return out;
}

PARLANCE_SPLIT_INLINE auto text2text::run(const std::vector<std::string>& texts, const config& call,
                                          const options& o) const
    -> std::vector<std::vector<text2text_result>> {
  return run(encode(texts, o), resolve(call, o), o);
}

PARLANCE_SPLIT_INLINE auto text2text::run(const std::vector<ids>& sources,
                                          const generation::resolved_config& config,
                                          const options& o) const
    -> std::vector<std::vector<text2text_result>> {
  using decoder = tokenizers::streaming_decoder;
  const tokenizers::decode_options plain{.skip_special_tokens = true};
  generation::generate_hooks hooks;
  hooks.measured = o.timing;
  if (config.stop_strings)
    hooks.decoder = [&](std::size_t) {
      return
          [d = decoder(*parts_.tokenizer, plain)](std::int32_t id) mutable { return d.push(id); };
    };
  decoder streamed(*parts_.tokenizer, plain);
  bool told_to_stop = false;
  const auto tell = [&](const std::string& piece) {
    if (!piece.empty() && !told_to_stop) told_to_stop = config.on_text(piece) == flow::stop;
    return told_to_stop ? flow::stop : flow::next;
  };
  if (config.on_text)
    hooks.on_token = [&](std::size_t s, std::int32_t id) {
      return s == 0 ? tell(streamed.push(id)) : flow::next;
    };
  auto all = generation::generate(*parts_.model, sources, config, hooks);
  if (config.on_text) tell(streamed.finish());
  const auto each = static_cast<std::size_t>(config.num_return_sequences);
  std::vector<std::vector<text2text_result>> out(sources.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    out[i / each].push_back(make_result(std::move(all[i]), generation::decoder_start(config), o));
  return out;
}

PARLANCE_SPLIT_INLINE auto text2text::make_result(generation::generated g, std::int32_t start,
                                                  const options& o) const -> text2text_result {
  ids whole{start};
  whole.insert(whole.end(), g.ids.begin(), g.ids.end());
  text2text_result out;
  out.text = parts_.tokenizer->decode(
      whole, {.skip_special_tokens = true,
              .clean_up_tokenization_spaces = o.clean_up_tokenization_spaces});
  out.ids = std::move(g.ids);
  out.finish_reason = g.reason;
  out.score = g.score;
  return out;
}

PARLANCE_SPLIT_INLINE std::int64_t text2text::max_source_tokens() const {
  constexpr std::int64_t unknown = 512, unlimited = 1'000'000'000;
  const std::int64_t of_tokenizer = parts_.tokenizer->config().model_max_length;
  const std::int64_t of_model = parts_.model->max_source_positions();
  std::int64_t most = of_tokenizer > 0 ? of_tokenizer : unlimited;
  if (of_model > 0) most = std::min(most, of_model);
  return most < unlimited ? most : unknown;
}

PARLANCE_SPLIT_INLINE auto text2text::windows(const std::string& text, std::int64_t most,
                                              const options& o) const -> std::vector<std::string> {
  std::vector<std::string> out;
  std::string gap;
  for (const sentence& each : split_sentences(text)) {
    const std::string longer = out.empty() ? "" : out.back() + gap + std::string(each.text);
    if (!out.empty() && static_cast<std::int64_t>(encode({longer}, o)[0].size()) <= most)
      out.back() = longer;
    else
      out.emplace_back(each.text);
    gap = each.gap;
  }
  return out;
}

PARLANCE_SPLIT_INLINE auto text2text::summarize_windows(const std::string& text, const config& call,
                                                        const options& o) const
    -> std::vector<text2text_result> {
  const std::int64_t most = max_source_tokens();
  options cut = o;
  cut.truncation = true;  // of a sentence that is longer than a window
  config part = call;
  part.num_return_sequences = 1;
  part.on_text = {};
  std::string left = text;
  while (static_cast<std::int64_t>(encode({left}, o)[0].size()) > most) {
    const std::vector<std::string> pieces = windows(left, most, o);
    if (pieces.size() < 2) break;
    std::string summaries;
    for (const auto& each : run(pieces, part, cut))
      summaries += (summaries.empty() ? "" : " ") + each.front().text;
    if (summaries.size() >= left.size()) break;  // it does not get shorter
    left = std::move(summaries);
  }
  return std::move(run(std::vector<std::string>{left}, call, cut).front());
}

PARLANCE_SPLIT_INLINE auto text2text::translate_sentences(const std::string& text,
                                                          const config& call,
                                                          const options& o) const
    -> std::vector<text2text_result> {
  std::vector<std::string> texts;
  const std::vector<sentence> sentences = split_sentences(text);
  for (const sentence& each : sentences) texts.emplace_back(each.text);
  if (texts.empty()) return std::move(run(std::vector<std::string>{text}, call, o).front());
  auto translated = run(texts, call, o);
  std::vector<text2text_result> out = std::move(translated.front());
  for (std::size_t i = 1; i < translated.size(); ++i)
    for (std::size_t r = 0; r < out.size(); ++r) {
      text2text_result& next = translated[i][r];
      out[r].text += std::string(sentences[i - 1].gap) + next.text;
      out[r].ids.insert(out[r].ids.end(), next.ids.begin(), next.ids.end());
      out[r].finish_reason = next.finish_reason;
      out[r].score += next.score;
    }
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::pipelines

// SPDX-License-Identifier: Apache-2.0
// The tokenizer that files describe: from a Hugging Face folder (tokenizer.json and its
// companions), from the text of a tokenizer.json, or from a GGUF vocabulary. Encoding and decoding
// come from basic_tokenizer. Wrong files raise format_error, components that are not handled raise
// unsupported_error, text that is not UTF-8 raises text_error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/basic_tokenizer.hpp"
#include "parlance/tokenizers/gguf_vocab.hpp"
#include "parlance/tokenizers/slow_tokenizers.hpp"
#include "parlance/tokenizers/tokenizer_config.hpp"
#include "parlance/tokenizers/tokenizer_spec.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

class tokenizer
    : public basic_tokenizer<normalizer, pre_tokenizer, model, post_processor, decoder> {
 public:
  // A model folder: tokenizer.json, or what older folders hold instead (vocab.txt, vocab.json with
  // merges.txt, SentencePiece models, a tiktoken rank file, tekken.json), which is converted as
  // transformers does; tokenizer_config.json, special_tokens_map.json, added_tokens.json,
  // chat_template.jinja.
  static tokenizer from_pretrained(const std::filesystem::path& folder);
  static tokenizer from_json(std::string_view text, const std::string& where = "tokenizer.json");
  static tokenizer from_gguf(const gguf_vocab& vocab);
  // From components that a program put together (see bpe_trainer.hpp).
  explicit tokenizer(tokenizer_spec spec);

  // Writes tokenizer.json and the companions; the Hugging Face library reads them. Marian and
  // M2M100, which no tokenizer.json can hold, write the files they came from, and to_json throws
  // unsupported_error.
  void save_pretrained(const std::filesystem::path& folder) const;
  std::string to_json() const;

  // Named special tokens ("bos_token", "eos_token", "unk_token", "pad_token", ...).
  std::optional<std::string> special_token(std::string_view name) const;
  std::optional<std::int32_t> special_id(std::string_view name) const;
  std::optional<std::int32_t> bos_id() const { return special_id("bos_token"); }
  std::optional<std::int32_t> eos_id() const { return special_id("eos_token"); }
  std::optional<std::int32_t> unk_id() const { return special_id("unk_token"); }
  std::optional<std::int32_t> pad_id() const { return special_id("pad_token"); }

  // Translation models (mBART, mBART-50, NLLB, M2M100): the language of the texts that follow,
  // sources or targets; its code stands among the special tokens around a text. option_error for a
  // code that is no token, unsupported_error for other tokenizers.
  void set_src_lang(const std::string& code) { set_language(code); }
  void set_tgt_lang(const std::string& code) { set_language(code); }
  bool has_languages() const;
  // The token of a language code; option_error for a code that is no token.
  std::int32_t language_id(const std::string& code) const;

  // Marian: texts that follow are targets (Python's text_target=) or, as at the start, sources;
  // decoding is always that of targets. unsupported_error for other tokenizers.
  void switch_to_target_mode() { use_target(true); }
  void switch_to_input_mode() { use_target(false); }

  const tokenizer_config& config() const { return config_; }
  // The chat template of that name; nullptr when there is none.
  const std::string* chat_template(std::string_view name = "default") const;
  // Truncation and padding that tokenizer.json asks for; encode applies only what its options say.
  const std::optional<truncation_options>& file_truncation() const { return truncation_; }
  const std::optional<padding_options>& file_padding() const { return padding_; }
  // Oddities of the files that do not prevent their use.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  using base = basic_tokenizer<normalizer, pre_tokenizer, model, post_processor, decoder>;
  static base build(tokenizer_spec& spec);
  void read_added_tokens(const json& list, const std::string& where);
  void read_truncation(const json& node);
  void read_padding(const json& node);
  void apply_config();
  void set_post_processor(json node);
  void set_class_post_processor(const tokenizer_class& c);
  std::string language_token(const std::string& code) const;
  void set_language(const std::string& code);
  void use_target(bool yes);

  const tokenizer_class* class_ = nullptr;
  json head_;  // the components, for saving
  tokenizer_config config_;
  std::optional<truncation_options> truncation_;
  std::optional<padding_options> padding_;
  std::vector<std::string> warnings_;
  // Name and text of what save_pretrained writes in place of a tokenizer.json.
  std::vector<std::pair<std::string, std::string>> own_files_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers

#if PARLANCE_BODIES
#include "parlance/tokenizers/impl/tokenizer.hpp"
#endif
#if defined(PARLANCE_SPLIT)
namespace parlance::inline PARLANCE_ABI::tokenizers {
#if PARLANCE_BODIES
template class basic_tokenizer<normalizer, pre_tokenizer, model, post_processor, decoder>;
#else
extern template class basic_tokenizer<normalizer, pre_tokenizer, model, post_processor, decoder>;
#endif
}  // namespace parlance::inline PARLANCE_ABI::tokenizers
#endif

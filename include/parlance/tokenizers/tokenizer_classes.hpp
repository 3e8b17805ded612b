// SPDX-License-Identifier: Apache-2.0
// What transformers knows about its tokenizer classes beyond their files: the family that decides
// how a vocabulary becomes a tokenizer.json, the special tokens that hold when no file names them,
// and the special tokens around a text. Source: transformers 4.57, tokenization_*_fast.py and
// convert_slow_tokenizer.py.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/nearest.hpp"
#include "parlance/tokenizers/language_codes.hpp"
#include "parlance/tokenizers/tokenizer_config.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

enum class tokenizer_family {
  bert,
  gpt2,
  roberta,
  deberta,
  qwen2,
  clip,
  t5,
  albert,
  xlm_roberta,
  camembert,
  barthez,
  mbart,
  mbart50,
  nllb,
  pegasus,
  deberta_v2,
  xlnet,
  rembert,
  big_bird,
  reformer,
  llama,
  gemma,
  marian,
  m2m100,
  qwen,
  tekken
};

struct tokenizer_class {
  std::string_view names;        // of the classes, without "Fast"
  std::string_view model_types;  // of config.json, for folders that name no class
  tokenizer_family family;
  // name=token; after "!" l: takes the space before it, n: is searched after normalization.
  std::string_view special_tokens;
  std::string_view single, pair;  // templates
};

namespace impl {

inline constexpr std::string_view bert_single = "[CLS]:0 $A:0 [SEP]:0",
                                  bert_pair = "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
                                  roberta_single = "<s>:0 $A:0 </s>:0",
                                  roberta_pair = "<s>:0 $A:0 </s>:0 </s>:0 $B:0 </s>:0";
inline constexpr std::string_view bert_tokens =
    "unk=[UNK] sep=[SEP] pad=[PAD] cls=[CLS] mask=[MASK]";
inline constexpr std::string_view seven_tokens =
    "bos=<s> eos=</s> unk=<unk> sep=</s> pad=<pad> cls=<s> mask=<mask>!ln";

inline constexpr std::array tokenizer_classes{
    tokenizer_class{"BertTokenizer DistilBertTokenizer ElectraTokenizer MobileBertTokenizer "
                    "ConvBertTokenizer SqueezeBertTokenizer LxmertTokenizer LayoutLMTokenizer "
                    "RetriBertTokenizer DPRReaderTokenizer DPRQuestionEncoderTokenizer "
                    "DPRContextEncoderTokenizer RealmTokenizer",
                    "bert distilbert electra mobilebert convbert squeezebert lxmert layoutlm dpr",
                    tokenizer_family::bert, bert_tokens, bert_single, bert_pair},
    tokenizer_class{"GPT2Tokenizer CodeGenTokenizer", "gpt2 gpt_neo gptj codegen opt",
                    tokenizer_family::gpt2, "bos=<|endoftext|> eos=<|endoftext|> unk=<|endoftext|>",
                    "", ""},
    tokenizer_class{"RobertaTokenizer LongformerTokenizer LEDTokenizer MvpTokenizer",
                    "roberta longformer led mvp", tokenizer_family::roberta,
                    "bos=<s> eos=</s> unk=<unk> sep=</s> pad=<pad> cls=<s> mask=<mask>!l", "", ""},
    tokenizer_class{"BartTokenizer", "bart", tokenizer_family::roberta, seven_tokens, "", ""},
    tokenizer_class{"DebertaTokenizer", "deberta", tokenizer_family::deberta,
                    "bos=[CLS] eos=[SEP] unk=[UNK] sep=[SEP] pad=[PAD] cls=[CLS] mask=[MASK]",
                    bert_single, bert_pair},
    tokenizer_class{"Qwen2Tokenizer", "qwen2 qwen3", tokenizer_family::qwen2,
                    "eos=<|endoftext|> unk=<|endoftext|> pad=<|endoftext|>", "", ""},
    tokenizer_class{"QWenTokenizer", "qwen", tokenizer_family::qwen, "", "", ""},
    tokenizer_class{"CLIPTokenizer", "clip", tokenizer_family::clip,
                    "bos=<|startoftext|> eos=<|endoftext|> unk=<|endoftext|> pad=<|endoftext|>", "",
                    ""},
    tokenizer_class{"T5Tokenizer UdopTokenizer", "t5 mt5", tokenizer_family::t5,
                    "eos=</s> unk=<unk> pad=<pad>", "$A:0 </s>:0", "$A:0 </s>:0 $B:0 </s>:0"},
    tokenizer_class{"AlbertTokenizer FNetTokenizer", "albert", tokenizer_family::albert,
                    "bos=[CLS] eos=[SEP] unk=<unk> sep=[SEP] pad=<pad> cls=[CLS] mask=[MASK]!l",
                    bert_single, bert_pair},
    tokenizer_class{"XLMRobertaTokenizer LayoutXLMTokenizer", "xlm-roberta",
                    tokenizer_family::xlm_roberta, seven_tokens, roberta_single, roberta_pair},
    tokenizer_class{"CamembertTokenizer", "camembert", tokenizer_family::camembert, seven_tokens,
                    roberta_single, roberta_pair},
    tokenizer_class{"BarthezTokenizer", "", tokenizer_family::barthez, seven_tokens, roberta_single,
                    roberta_pair},
    tokenizer_class{"MBartTokenizer", "mbart", tokenizer_family::mbart, seven_tokens, "", ""},
    tokenizer_class{"MBart50Tokenizer", "", tokenizer_family::mbart50,
                    "eos=</s> unk=<unk> sep=</s> pad=<pad> cls=<s> mask=<mask>!ln", "", ""},
    tokenizer_class{"NllbTokenizer", "", tokenizer_family::nllb, seven_tokens, "", ""},
    tokenizer_class{"PegasusTokenizer", "pegasus", tokenizer_family::pegasus,
                    "eos=</s> unk=<unk> pad=<pad> mask=<mask_2>", "$A:0 </s>:0",
                    "$A:0 $B:0 </s>:0"},
    tokenizer_class{"DebertaV2Tokenizer", "deberta-v2", tokenizer_family::deberta_v2,
                    "bos=[CLS] eos=[SEP] unk=[UNK]!n sep=[SEP] pad=[PAD] cls=[CLS] mask=[MASK]",
                    bert_single, bert_pair},
    tokenizer_class{"XLNetTokenizer", "xlnet", tokenizer_family::xlnet,
                    "bos=<s> eos=</s> unk=<unk> sep=<sep> pad=<pad> cls=<cls> mask=<mask>!ln",
                    "$A:0 <sep>:0 <cls>:2", "$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2"},
    tokenizer_class{"RemBertTokenizer", "rembert", tokenizer_family::rembert,
                    "bos=[CLS] eos=[SEP] unk=[UNK] sep=[SEP] pad=[PAD] cls=[CLS] mask=[MASK]!ln",
                    bert_single, bert_pair},
    tokenizer_class{"BigBirdTokenizer", "big_bird", tokenizer_family::big_bird,
                    "bos=<s> eos=</s> unk=<unk> sep=[SEP] pad=<pad> cls=[CLS] mask=[MASK]!ln",
                    bert_single, bert_pair},
    tokenizer_class{"ReformerTokenizer", "reformer", tokenizer_family::reformer,
                    "eos=</s> unk=<unk>", "", ""},
    tokenizer_class{"LlamaTokenizer CodeLlamaTokenizer Phi3Tokenizer", "llama mistral",
                    tokenizer_family::llama, "bos=<s> eos=</s> unk=<unk>", "", ""},
    tokenizer_class{"GemmaTokenizer", "gemma gemma2", tokenizer_family::gemma,
                    "bos=<bos> eos=<eos> unk=<unk> pad=<pad>", "", ""},
    tokenizer_class{"MistralCommonTokenizer", "", tokenizer_family::tekken,
                    "bos=<s> eos=</s> unk=<unk>", "<s>:0 $A:0", "<s>:0 $A:0 <s>:1 $B:1"},
    tokenizer_class{"MarianTokenizer", "marian", tokenizer_family::marian,
                    "eos=</s> unk=<unk> pad=<pad>", "$A:0 </s>:0", "$A:0 $B:0 </s>:0"},
    tokenizer_class{"M2M100Tokenizer", "m2m_100", tokenizer_family::m2m100,
                    "bos=<s> eos=</s> unk=<unk> sep=</s> pad=<pad>", "", ""},
};

inline bool has_word(std::string_view list, std::string_view word) {
  const std::vector<std::string> words = split_words(list);
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace impl

// "BertTokenizerFast" and "BertTokenizer" alike; nullptr for an unknown class.
inline const tokenizer_class* find_tokenizer_class(std::string_view name) {
  if (name.ends_with("Fast")) name.remove_suffix(4);
  for (const tokenizer_class& c : impl::tokenizer_classes)
    if (impl::has_word(c.names, name)) return &c;
  return nullptr;
}

// The class for config.json's model_type.
inline const tokenizer_class* tokenizer_class_of_model(std::string_view model_type) {
  for (const tokenizer_class& c : impl::tokenizer_classes)
    if (impl::has_word(c.model_types, model_type)) return &c;
  return nullptr;
}

// The additional special tokens of a class when the files name none.
inline std::vector<std::string> default_additional_tokens(tokenizer_family family,
                                                          std::uint32_t extra_ids) {
  using f = tokenizer_family;
  std::vector<std::string> out;
  if (family == f::t5)
    for (std::uint32_t i = 0; i < extra_ids; ++i)
      out.push_back("<extra_id_" + std::to_string(i) + ">");
  if (family == f::pegasus) {
    out.push_back("<mask_1>");
    for (int i = 2; i < 103; ++i) out.push_back("<unk_" + std::to_string(i) + ">");
  }
  if (family == f::mbart) out = split_words(language_codes::mbart);
  if (family == f::mbart50) out = split_words(language_codes::mbart50);
  if (family == f::nllb) out = split_words(language_codes::nllb);
  if (family == f::camembert) out = split_words("<s>NOTUSED </s>NOTUSED <unk>NOTUSED");
  if (family == f::xlnet) out = split_words("<eop> <eod>");
  if (family == f::qwen) {
    out = split_words("<|endoftext|> <|im_start|> <|im_end|>");
    for (int i = 0; i < 205; ++i) out.push_back("<|extra_" + std::to_string(i) + "|>");
  }
  return out;
}

// The class's own additional tokens beside those that the files name: before and after them.
inline std::pair<std::vector<std::string>, std::vector<std::string>> class_additional_tokens(
    tokenizer_family family, std::uint32_t extra_ids,
    const std::vector<tokenizer_config::named_token>& given) {
  using f = tokenizer_family;
  std::vector<std::string> own = default_additional_tokens(family, extra_ids);
  if (given.empty() || family == f::mbart) return {std::move(own), {}};
  if (family == f::mbart50) return {{}, std::move(own)};
  const auto has_sentinel = [](const auto& t) {
    return t.token.content.find("<extra_id_") != std::string::npos;
  };
  if (family == f::t5 && std::none_of(given.begin(), given.end(), has_sentinel))
    return {{}, std::move(own)};
  if (family != f::pegasus) return {};
  const bool masked = impl::names_token(given, "<mask_1>");
  std::vector<std::string> rest;
  for (std::size_t i = given.size() + !masked; i < 102; ++i)
    rest.push_back("<unk_" + std::to_string(i) + ">");
  return {masked ? std::vector<std::string>{} : std::vector<std::string>{"<mask_1>"},
          std::move(rest)};
}

// Adds the class's special tokens that the files do not name, in transformers' order.
inline void add_default_special_tokens(const tokenizer_class& c, std::uint32_t extra_ids,
                                       tokenizer_config& config) {
  std::vector<tokenizer_config::named_token> out;
  const auto named_token = [](std::string_view name, std::string content, std::string_view flags) {
    const auto has = [&](char flag) { return flags.find(flag) != flags.npos; };
    return tokenizer_config::named_token{
        std::string(name),
        {-1, std::move(content), false, has('l'), false, has('n'), true},
        flags.empty()};
  };
  const std::vector<std::string> defaults = split_words(c.special_tokens);
  for (const std::string_view name : impl::special_names) {
    const auto* named = config.find(name);
    const std::string key = std::string(name.substr(0, name.find('_'))) + "=";
    const auto d = std::find_if(defaults.begin(), defaults.end(),
                                [&](const std::string& word) { return word.starts_with(key); });
    if (d == defaults.end() || (named && !named->plain)) {
      if (named) out.push_back(*named);
      continue;
    }
    const std::size_t mark = std::min(d->find('!'), d->size());
    out.push_back(
        named_token(name, named ? named->token.content : d->substr(key.size(), mark - key.size()),
                    std::string_view(*d).substr(mark)));
  }
  std::vector<tokenizer_config::named_token> given, additional;
  for (const auto& t : config.special_tokens)
    if (t.name == impl::additional_name || t.name == "extra_special_tokens") given.push_back(t);
  auto [before, after] = class_additional_tokens(c.family, extra_ids, given);
  const auto add = [&](tokenizer_config::named_token t) {
    if (!impl::names_token(additional, t.token.content)) additional.push_back(std::move(t));
  };
  for (std::string& t : before) add(named_token(impl::additional_name, std::move(t), ""));
  for (auto& t : given) add(std::move(t));
  for (std::string& t : after) add(named_token(impl::additional_name, std::move(t), ""));
  out.insert(out.end(), additional.begin(), additional.end());
  config.special_tokens = std::move(out);
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers

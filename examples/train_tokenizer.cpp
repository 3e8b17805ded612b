// SPDX-License-Identifier: Apache-2.0
// Learns a tokenizer from the lines of text files and writes its tokenizer.json, which this library
// and Python load.
#include <fstream>

#include "common.hpp"
#include "parlance/tokenizers/trainers.hpp"

using namespace examples;
namespace tok = parlance::tokenizers;

namespace {

constexpr const char* usage =
    "train_tokenizer TYPE FILE... --out DIR [options]\n"
    "  TYPE: bpe (byte-level, as GPT-2) | bpe_words | wordpiece (as BERT) | wordlevel |\n"
    "        unigram (as T5)\n"
    "  --vocab_size 30000        --special_tokens A,B,...   first ids, in this order\n"
    "  --unk_token TOKEN         default: [UNK] for wordpiece, <unk> for the others\n"
    "  --min_frequency 0         bpe, bpe_words, wordpiece, wordlevel\n"
    "  --limit_alphabet N  --initial_alphabet CHARACTERS  --max_token_length N\n"
    "  --continuing_subword_prefix P  --end_of_word_suffix S     bpe, bpe_words, wordpiece\n"
    "  --n_sub_iterations 2  --shrinking_factor 0.75  --max_piece_length 16     unigram\n"
    "  --lowercase               lower-case the text\n"
    "  --progress                a bar on standard error\n";

std::vector<std::string> read_lines(const arguments& args) {
  std::vector<std::string> out;
  args.required(1, "FILE");
  for (std::size_t i = 1; i < args.positional.size(); ++i) {
    std::ifstream in(args.positional[i]);
    if (!in) throw io_error(args.positional[i] + ": cannot open");
    for (std::string line; std::getline(in, line);) {
      require_utf8(line, args.positional[i]);
      out.push_back(std::move(line));
    }
  }
  return out;
}

std::vector<std::string> by_commas(const std::string& list) {
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    if (end > begin) out.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

std::size_t size_of(const arguments& args, const char* name, long otherwise) {
  const long value = args.integer(name, otherwise);
  if (value < 0) throw usage_error(std::string("--") + name + ": expected a number from 0");
  return static_cast<std::size_t>(value);
}

void draw(const progress& p) {
  const auto total = std::max<std::uint64_t>(p.total, 1), done = std::min(p.done, total);
  if (done % 64 == 0 || done == total)
    std::fprintf(stderr, "\r%s %3d %%", std::string(p.stage).c_str(),
                 static_cast<int>(done * 100 / total));
}

void read_shared(const arguments& args, const std::string& unk, tok::trainer_options& o) {
  o.vocab_size = size_of(args, "vocab_size", 30000);
  o.special_tokens = by_commas(args.text("special_tokens"));
  if (!unk.empty() &&
      std::find(o.special_tokens.begin(), o.special_tokens.end(), unk) == o.special_tokens.end())
    o.special_tokens.insert(o.special_tokens.begin(), unk);
  if (args.has("progress")) o.on_progress = draw;
}

void read_bpe(const arguments& args, tok::bpe_trainer_options& o) {
  o.min_frequency = size_of(args, "min_frequency", 0);
  if (args.has("limit_alphabet")) o.limit_alphabet = size_of(args, "limit_alphabet", 0);
  if (args.has("max_token_length")) o.max_token_length = size_of(args, "max_token_length", 0);
  if (args.has("initial_alphabet")) o.initial_alphabet = {args.text("initial_alphabet")};
  o.continuing_subword_prefix = args.text("continuing_subword_prefix", o.continuing_subword_prefix);
  o.end_of_word_suffix = args.text("end_of_word_suffix");
}

tok::tokenizer train(const arguments& args, const std::vector<std::string>& lines) {
  const std::string type = args.required(0, "TYPE");
  const bool lower = args.has("lowercase");
  json parts = json::object();
  if (lower) parts["normalizer"] = {{"type", "Lowercase"}};
  const std::string unk = args.text("unk_token", type == "wordpiece" ? "[UNK]" : "<unk>");
  parts["pre_tokenizer"] = {{"type", "Whitespace"}};
  parts["model"] = {{"unk_token", unk}};
  if (type == "bpe") {
    tok::bpe_trainer_options o;
    read_shared(args, "", o);
    read_bpe(args, o);
    for (int b = 0; b < 256; ++b)
      o.initial_alphabet.emplace_back(tok::byte_level_char(static_cast<unsigned char>(b)));
    parts["decoder"] = parts["pre_tokenizer"] = tok::impl::byte_level_json(true);
    parts.erase("model");
    return tok::train_from_iterator(std::move(parts), lines, o);
  }
  if (type == "bpe_words") {
    tok::bpe_trainer_options o;
    read_shared(args, unk, o);
    read_bpe(args, o);
    if (!o.end_of_word_suffix.empty())
      parts["decoder"] = {{"type", "BPEDecoder"}, {"suffix", o.end_of_word_suffix}};
    return tok::train_from_iterator(std::move(parts), lines, o);
  }
  if (type == "wordpiece") {
    tok::word_piece_trainer_options o;
    read_shared(args, unk, o);
    read_bpe(args, o);
    parts["normalizer"] = {{"type", "BertNormalizer"},
                           {"clean_text", true},
                           {"handle_chinese_chars", true},
                           {"strip_accents", nullptr},
                           {"lowercase", lower}};
    parts["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
    parts["decoder"] = {
        {"type", "WordPiece"}, {"prefix", o.continuing_subword_prefix}, {"cleanup", true}};
    return tok::train_from_iterator(std::move(parts), lines, o);
  }
  if (type == "wordlevel") {
    tok::word_level_trainer_options o;
    read_shared(args, unk, o);
    o.min_frequency = size_of(args, "min_frequency", 0);
    return tok::train_from_iterator(std::move(parts), lines, o);
  }
  if (type != "unigram")
    throw usage_error(
        "unknown type " + type + " (" +
        did_you_mean(type, std::vector<std::string_view>{"bpe", "bpe_words", "wordpiece",
                                                         "wordlevel", "unigram"}) +
        ")");
  tok::unigram_trainer_options o;
  read_shared(args, unk, o);
  o.unk_token = unk;
  o.n_sub_iterations = static_cast<std::uint32_t>(size_of(args, "n_sub_iterations", 2));
  o.shrinking_factor = args.number("shrinking_factor", 0.75);
  o.max_piece_length = size_of(args, "max_piece_length", 16);
  if (args.has("initial_alphabet")) o.initial_alphabet = {args.text("initial_alphabet")};
  parts.erase("model");
  parts["decoder"] = parts["pre_tokenizer"] = tok::impl::metaspace_json("always");
  return tok::train_from_iterator(std::move(parts), lines, o);
}

}  // namespace

int main(int argc, char** argv) {
  const known_options known{
      {"out", "vocab_size", "special_tokens", "unk_token", "min_frequency", "limit_alphabet",
       "initial_alphabet", "max_token_length", "continuing_subword_prefix", "end_of_word_suffix",
       "n_sub_iterations", "shrinking_factor", "max_piece_length"},
      {"lowercase", "progress"}};
  return run(argc, argv, usage, known, [](const arguments& args) {
    if (!args.has("out")) throw usage_error("missing --out DIR");
    const tok::tokenizer t = train(args, read_lines(args));
    if (args.has("progress")) std::fprintf(stderr, "\n");
    const std::filesystem::path out = args.text("out");
    t.save_pretrained(out);
    json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                   {"clean_up_tokenization_spaces", false}};
    write_atomic(out / "tokenizer_config.json", config.dump(2) + "\n");
    std::printf("%s: %zu tokens\n", (out / "tokenizer.json").c_str(), t.vocab_size());
  });
}

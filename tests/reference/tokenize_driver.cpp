// SPDX-License-Identifier: Apache-2.0
// Driver of compare_tokenizers.py: loads a tokenizer, reads JSON lines {"text": t} or
// {"text": t, "pair": p} and writes what encoding and decoding give, one JSON line each.
// Usage: tokenize_driver FOLDER|tokenizer.json|vocab.gguf.json [save FOLDER | bench FILE]
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "parlance/tokenizers/streaming_decoder.hpp"

namespace tok = parlance::tokenizers;
using parlance::json;

static tok::tokenizer load_gguf(const std::string& path) {
  const json j = parlance::parse_json(parlance::read_text(path), path);
  tok::gguf_vocab v;
  v.model = j.at("model");
  v.pre = j.at("pre");
  v.tokens = j.at("tokens").get<std::vector<std::string>>();
  v.scores = j.at("scores").get<std::vector<float>>();
  v.token_type = j.at("token_type").get<std::vector<int>>();
  v.merges = j.at("merges").get<std::vector<std::string>>();
  const auto id = [&](const char* name, std::optional<int>& out) {
    if (j.contains(name) && !j[name].is_null()) out = j[name].get<int>();
  };
  id("bos_id", v.bos_id), id("eos_id", v.eos_id), id("unk_id", v.unk_id), id("pad_id", v.pad_id);
  const auto flag = [&](const char* name, std::optional<bool>& out) {
    if (j.contains(name) && !j[name].is_null()) out = j[name].get<bool>();
  };
  flag("add_bos", v.add_bos), flag("add_eos", v.add_eos);
  flag("add_space_prefix", v.add_space_prefix);
  v.chat_template = j.value("chat_template", "");
  return tok::tokenizer::from_gguf(v);
}

static tok::tokenizer load(const std::string& path) {
  if (path.ends_with(".gguf.json")) return load_gguf(path);
  if (path.ends_with(".json")) return tok::tokenizer::from_json(parlance::read_text(path), path);
  return tok::tokenizer::from_pretrained(path);
}

static double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static void bench(const tok::tokenizer& t, const std::string& path) {
  const std::string text = parlance::read_text(path);
  const auto report = [&](const char* name, auto f) {
    double best = 1e9;
    std::size_t n = 0;
    for (int i = 0; i < 3; ++i) {
      const double start = seconds();
      n = f();
      best = std::min(best, seconds() - start);
    }
    std::printf("%s %.2f MB/s, %zu tokens\n", name, static_cast<double>(text.size()) / best / 1e6,
                n);
  };
  report("ids whole", [&] { return t.encode_ids(text).size(); });
  report("ids lines", [&] {
    std::size_t n = 0;
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t end = std::min(text.find('\n', i), text.size() - 1) + 1;
      n += t.encode_ids(std::string_view(text).substr(i, end - i)).size();
      i = end;
    }
    return n;
  });
  report("full whole", [&] { return t.encode(text).size(); });
}

int main(int argc, char** argv) try {
  const double start = seconds();
  const tok::tokenizer t = load(argv[1]);
  std::fprintf(stderr, "%s loaded in %.3f s\n", argv[1], seconds() - start);
  for (const auto& w : t.warnings()) std::fprintf(stderr, "warning: %s\n", w.c_str());
  const std::string command = argc > 2 ? argv[2] : "";
  if (command == "save") return t.save_pretrained(argv[3]), 0;
  if (command == "bench") return bench(t, argv[3]), 0;
  std::string line;
  while (std::getline(std::cin, line)) {
    const json j = parlance::parse_json(line, "stdin");
    const std::string text = j.at("text");
    const tok::encoding e =
        j.contains("pair") ? t.encode(text, j["pair"].get<std::string>()) : t.encode(text);
    json offsets = json::array();
    for (const auto& o : e.offsets) offsets.push_back(json::array({o.begin, o.end}));
    std::vector<std::int32_t> fast = j.contains("pair") ? e.ids : t.encode_ids(text);
    std::string streamed;
    tok::streaming_decoder stream(t);
    for (const std::int32_t id : e.ids) streamed += stream.push(id);
    streamed += stream.finish();
    const json out = {{"ids", e.ids},
                      {"tokens", e.tokens.to_vector()},
                      {"offsets", offsets},
                      {"type_ids", e.type_ids},
                      {"special", e.special_tokens_mask},
                      {"words", e.word_ids},
                      {"sequences", e.sequence_ids},
                      {"fast", fast == e.ids},
                      {"decoded", t.decode(e.ids)},
                      {"skipped", t.decode(e.ids, {.skip_special_tokens = true})},
                      {"streamed", streamed}};
    std::cout << parlance::to_json_line(out) << '\n';
  }
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}

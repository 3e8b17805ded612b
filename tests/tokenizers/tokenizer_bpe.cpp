// SPDX-License-Identifier: Apache-2.0
// The merge loop against the definition of byte-pair encoding, and a tokenizer composed at compile
// time against the same one read from a file.
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "parlance/tokenizers/tokenizer.hpp"
#include "tokenizer_data.hpp"

using namespace parlance;
using namespace parlance_test;
namespace tok = parlance::tokenizers;

namespace {

// Repeatedly replaces the leftmost pair of lowest rank, as the definition says.
std::vector<std::uint32_t> by_definition(std::vector<std::uint32_t> ids,
                                         const tok::pair_table& merges) {
  while (true) {
    std::size_t best = ids.size();
    tok::pair_table::merge chosen{tok::pair_table::no_rank, 0};
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto m = merges.find(ids[i], ids[i + 1]);
      if (m.rank < chosen.rank) chosen = m, best = i;
    }
    if (best == ids.size()) return ids;
    ids[best] = chosen.id;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

struct lcg {
  std::uint64_t state = 12345;
  std::uint32_t operator()(std::uint32_t n) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<std::uint32_t>(state >> 33) % n;
  }
};

}  // namespace

TEST_CASE("merging equals the definition for short and for long words") {
  lcg random;
  for (int round = 0; round < 60; ++round) {
    // Three letters and fifty merges of random tokens that exist by then.
    tok::pair_table merges;
    merges.reserve(50);
    std::uint32_t next = 3;
    for (std::uint32_t rank = 0; rank < 50; ++rank) {
      const std::uint32_t a = random(next), b = random(next);
      if (merges.find(a, b).rank == tok::pair_table::no_rank) merges.add(a, b, {rank, next++});
    }
    for (const std::size_t size : {0, 1, 2, 5, 20, 48, 49, 120, 400}) {
      std::vector<std::uint32_t> ids(size);
      tok::bpe_merger merger;
      for (std::uint32_t& id : ids) {
        id = random(3);
        merger.symbols.push_back({id, 1});
      }
      merger.run(merges);
      std::vector<std::uint32_t> got;
      std::size_t covered = 0;
      for (const tok::bpe_symbol& s : merger.symbols) {
        got.push_back(s.id);
        covered += s.length;
      }
      CHECK(got == by_definition(ids, merges));
      CHECK(covered == size);
    }
  }
}

TEST_CASE("a token that no merge reaches is not used, except with ignore_merges") {
  tok::model_data data;
  for (const char* token : {"a", "b", "c", "bc", "abc"}) {
    data.ids.push_back(static_cast<std::uint32_t>(data.tokens.size()));
    data.tokens.add(token);
  }
  for (const char* part : {"b", "c"}) data.merges.add(part);
  const auto ids = [&](bool ignore_merges) {
    const tok::bpe m(data, {.ignore_merges = ignore_merges}, false);
    tok::bpe::scratch scratch;
    std::vector<std::uint32_t> out;
    m.tokenize("abc", scratch,
               [&](std::uint32_t id, std::uint32_t, std::uint32_t) { out.push_back(id); });
    return out;
  };
  CHECK(ids(false) == std::vector<std::uint32_t>{0, 3});
  CHECK(ids(true) == std::vector<std::uint32_t>{4});
}

TEST_CASE("a hash table of tokens finds every token and nothing else") {
  tok::token_table table;
  std::vector<std::string> tokens;
  lcg random;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    std::string token = std::to_string(i);
    token.append(random(30), static_cast<char>('a' + random(26)));
    table.add(token, i);
    tokens.push_back(token);
  }
  table.add("", 5000);
  for (std::uint32_t i = 0; i < tokens.size(); ++i) CHECK(table.find(tokens[i]) == i);
  CHECK(table.find("") == 5000);
  CHECK(table.find("not there") == tok::token_table::none);
  table.add(tokens[7], 9999);
  CHECK(table.find(tokens[7]) == 9999);
  CHECK(table.size() == 5001);
}

TEST_CASE("a tokenizer composed at compile time equals the one from the file") {
  const json data = tokenizer_data("family_gpt2.json");
  const json& file = data.at("tokenizer");
  tok::model_data parts;
  for (const auto& [token, id] : file.at("model").at("vocab").items()) {
    parts.tokens.add(token);
    parts.ids.push_back(id.get<std::uint32_t>());
  }
  for (const json& merge : file.at("model").at("merges")) {
    parts.merges.add(merge[0].get<std::string>());
    parts.merges.add(merge[1].get<std::string>());
  }
  for (const bool raw_bytes : {false, true}) {
    tok::byte_level splitter;
    splitter.add_prefix_space = false;
    splitter.materialize = !raw_bytes;
    tok::basic_tokenizer t(tok::no_normalizer{}, splitter, tok::bpe(parts, {}, raw_bytes),
                           tok::trim_offsets{.enabled = false}, tok::byte_level_decoder{});
    for (const json& token : file.at("added_tokens")) {
      tok::added_token added;
      added.content = token.at("content").get<std::string>();
      added.single_word = token.at("single_word").get<bool>();
      added.lstrip = token.at("lstrip").get<bool>();
      added.normalized = token.at("normalized").get<bool>();
      added.special = token.at("special").get<bool>();
      CHECK(t.add_token(added) == token.at("id").get<std::int32_t>());
    }
    for (const json& row : data.at("cases")) {
      if (row.contains("pair")) continue;
      const auto text = row.at("text").get<std::string>();
      CHECK(t.encode_ids(text) == numbers(row.at("ids")));
      const auto e = t.encode(text);
      CHECK(e.ids == numbers(row.at("ids")));
      CHECK(flat(e.offsets) == numbers(row.at("offsets")));
      CHECK(t.decode(e.ids) == row.at("decoded").get<std::string>());
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
// Cleans replies, one JSON string a line: the cleaners named run in order.
#include "common.hpp"
#include "parlance/pipelines/structure_cleaners.hpp"
#include "parlance/pipelines/text_cleaners.hpp"

using namespace examples;

namespace {

const char* usage =
    "clean_replies CLEANER[=VALUE]... < lines of JSON strings\n"
    "  trim  collapse_whitespace  stop_at=TEXT  complete_sentences  limit_sentences=N\n"
    "  limit_characters=N  remove_echo=TEXT  remove_markers  remove_repeated_lines\n"
    "  remove_repeated_ngrams  balance  strip_markdown  first_json\n";

std::size_t count(const std::string& value) {
  if (value.empty() || value.find_first_not_of("0123456789") != value.npos || value.size() > 9)
    throw usage_error("'" + value + "' is no number");
  return std::stoul(value);
}

pipelines::reply_cleaner cleaner(const std::string& word) {
  const auto equals = word.find('=');
  const std::string name = word.substr(0, equals);
  const std::string value = equals == word.npos ? "" : word.substr(equals + 1);
  using make = std::function<pipelines::reply_cleaner()>;
  const std::map<std::string, make> known{
      {"trim", [] { return cleaners::trim(); }},
      {"collapse_whitespace", [] { return cleaners::collapse_whitespace(); }},
      {"stop_at", [&] { return cleaners::stop_at({value}); }},
      {"complete_sentences", [] { return cleaners::complete_sentences(); }},
      {"limit_sentences", [&] { return cleaners::limit_sentences(count(value)); }},
      {"limit_characters", [&] { return cleaners::limit_characters(count(value)); }},
      {"remove_echo", [&] { return cleaners::remove_echo(value); }},
      {"remove_markers", [] { return cleaners::remove_markers(); }},
      {"remove_repeated_lines", [] { return cleaners::remove_repeated_lines(); }},
      {"remove_repeated_ngrams", [] { return cleaners::remove_repeated_ngrams(); }},
      {"balance", [] { return cleaners::balance(); }},
      {"strip_markdown", [] { return cleaners::strip_markdown(); }},
      {"first_json", [] { return cleaners::first_json(); }}};
  if (const auto found = known.find(name); found != known.end()) return found->second();
  std::vector<std::string_view> names;
  for (const auto& [each, unused] : known) names.push_back(each);
  throw usage_error("unknown cleaner " + name + " (" + did_you_mean(name, names) + ")");
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, usage, {}, [](const arguments& args) {
    pipelines::reply_cleaner clean;
    for (const std::string& word : args.positional) clean = clean | cleaner(word);
    for_each_json_line([&](const json& line) {
      if (!line.is_string()) throw format_error("line", -1, "expected a JSON string");
      return json(clean(line.get<std::string>()));
    });
  });
}

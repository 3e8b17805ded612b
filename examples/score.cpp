// SPDX-License-Identifier: Apache-2.0
// Log-probabilities and perplexity of given texts.
#include <cmath>

#include "common.hpp"
#include "parlance/generation/sampler.hpp"
#include "parlance/pipelines/next_token_scores.hpp"

using namespace examples;

namespace {

const char* usage =
    "score MODEL < lines\n"
    "  a line: {\"text\": ...} or {\"ids\": [...]}, optional \"top\": K, \"logits\": true\n"
    "  prints {\"ids\", \"logprobs\": [null, ...], \"top\", \"perplexity\"}\n"
    "  --threads N  --weights FORMAT  --cache DIR\n"
    "  --precision exact|auto|native  exact (default): float arithmetic on the stored weights;\n"
    "                                 native: as generate does with quantised weights, faster\n";

json score(const pipelines::language_model& lm, const json& line) {
  std::vector<std::int32_t> ids;
  if (line.contains("ids"))
    ids = line.at("ids").get<std::vector<std::int32_t>>();
  else
    ids = lm.tokenizer->encode_ids(line.at("text").get<std::string>());
  if (ids.empty()) throw option_error("score: no tokens");
  const auto top = static_cast<std::size_t>(line.value("top", 0));
  json logprobs = json::array({nullptr}), best = json::array();
  double total = 0;
  std::vector<float> last;
  pipelines::for_each_next(*lm.model, ids, [&](std::size_t i, std::span<const float> scores) {
    if (i + 1 == ids.size()) {
      last.assign(scores.begin(), scores.end());
      return;
    }
    const auto choice = generation::logprobs_of(scores, ids[i + 1], top);
    logprobs.push_back(choice.chosen.logprob);
    total += choice.chosen.logprob;
    json list = json::array();
    for (const auto& t : choice.top) list.push_back({t.id, t.logprob});
    best.push_back(std::move(list));
  });
  json out = {{"ids", ids}, {"logprobs", std::move(logprobs)}};
  if (top) {
    best.insert(best.begin(), nullptr);
    out["top"] = std::move(best);
  }
  if (ids.size() > 1)
    out["perplexity"] = std::exp(-total / static_cast<double>(ids.size() - 1));
  else
    out["perplexity"] = nullptr;
  if (line.value("logits", false)) out["logits"] = last;
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, usage, {with_model({}), {"progress", "verbose"}, false},
             [](const arguments& args) {
               pipelines::pipeline_options options = args.model_options();
               if (!args.has("precision")) options.compute = io::precision::exact;
               const auto lm = pipelines::load_language_model(args.required(0, "MODEL"), options);
               for_each_json_line([&](const json& line) { return score(lm, line); });
             });
}

// SPDX-License-Identifier: Apache-2.0
// Log-probabilities and perplexity of given texts.
#include <cmath>

#include "common.hpp"
#include "parlance/kernels/topk.hpp"

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
  const autograd::no_grad off;
  json logprobs = json::array({nullptr}), best = json::array();
  double total = 0;
  nn::kv_cache cache = lm.model->make_cache(1, lm.model->cache_element());
  constexpr std::size_t chunk = 256;
  tensor<float> logits;
  for (std::size_t at = 0; at < ids.size(); at += chunk) {
    const std::size_t n = std::min(chunk, ids.size() - at);
    const models::segment part{0, 0, static_cast<std::int64_t>(n)};
    models::decoder_input in;
    in.ids = std::span<const std::int32_t>(ids).subspan(at, n);
    in.cache = &cache;
    in.segments = {&part, 1};
    logits = lm.model->logits(in);
    for (std::size_t i = 0; i < n && at + i + 1 < ids.size(); ++i) {
      const std::span<const float> row(logits.row(static_cast<std::int64_t>(i)),
                                       static_cast<std::size_t>(logits.cols()));
      const auto choice = generation::logprobs_of(row, ids[at + i + 1], top);
      logprobs.push_back(choice.chosen.logprob);
      total += choice.chosen.logprob;
      json list = json::array();
      for (const auto& t : choice.top) list.push_back({t.id, t.logprob});
      best.push_back(std::move(list));
    }
  }
  json out = {{"ids", ids}, {"logprobs", std::move(logprobs)}};
  if (top) {
    best.insert(best.begin(), nullptr);
    out["top"] = std::move(best);
  }
  if (ids.size() > 1)
    out["perplexity"] = std::exp(-total / static_cast<double>(ids.size() - 1));
  else
    out["perplexity"] = nullptr;
  if (line.value("logits", false)) {
    const float* last = logits.row(logits.rows() - 1);
    out["logits"] = std::vector<float>(last, last + logits.cols());
  }
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

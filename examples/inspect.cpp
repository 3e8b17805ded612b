// SPDX-License-Identifier: Apache-2.0
// What is in a checkpoint: its parameters with shapes, formats and bytes.
#include "common.hpp"

using namespace examples;

namespace {

const char* usage =
    "inspect MODEL [--json] [--weights FORMAT] [--cache DIR]\n"
    "  prints every parameter with shape, format and bytes, and the tasks the model can serve\n";

void program(const arguments& args) {
  const auto options = args.model_options();
  io::load_options load;
  load.weights = options.weights;
  load.compute = options.compute;
  const auto model =
      models::causal_lm_from_pretrained(args.required(0, "MODEL"), load, options.cache);
  json rows = json::array();
  std::int64_t count = 0;
  std::uint64_t bytes = 0;
  nn::for_each_parameter<float>(*model, [&](const std::string& name, nn::parameter<float>& p) {
    const std::vector<std::int64_t> dims(p.dims.begin(), p.dims.end());
    rows.push_back({{"name", name},
                    {"shape", dims},
                    {"parameters", p.dims.size()},
                    {"format", parlance::name(p.value.type())},
                    {"bytes", p.value.bytes()}});
    count += p.dims.size();
    bytes += p.value.bytes();
  });
  const json out = {{"model_type", model->config().at("model_type")},
                    {"tasks", {"text-generation"}},
                    {"parameters", count},
                    {"bytes", bytes},
                    {"tensors", rows}};
  if (args.has("json")) {
    std::cout << to_json_line(out) << '\n';
    return;
  }
  for (const json& r : rows)
    std::printf("%-56s %-18s %-6s %12lld bytes\n", r["name"].get<std::string>().c_str(),
                r["shape"].dump().c_str(), r["format"].get<std::string>().c_str(),
                static_cast<long long>(r["bytes"].get<std::uint64_t>()));
  std::printf("%s: %lld parameters, %.1f MB; tasks: text-generation\n",
              out["model_type"].get<std::string>().c_str(), static_cast<long long>(count),
              static_cast<double>(bytes) / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, usage, {with_model({}), {"json"}, false}, program);
}

// SPDX-License-Identifier: Apache-2.0
// What is in a checkpoint: its modules and parameters with shapes, formats and bytes, and the tasks
// that it serves.
#include "common.hpp"
#include "parlance/io/hub_cache.hpp"
#include "parlance/models/auto_encoder.hpp"
#include "parlance/models/structure.hpp"

using namespace examples;

namespace {

const char* usage =
    "inspect MODEL [--json] [--weights FORMAT] [--cache DIR]\n"
    "  prints the tree of modules and every parameter with shape, format and bytes, and the tasks\n"
    "  that the checkpoint serves\n";

// The parameters of the model that the checkpoint's first task needs.
json parameters_of(const models::opened_checkpoint& from, const models::model_structure& what,
                   const io::load_options& options) {
  json rows = json::array();
  const auto list = [&rows](auto& model) {
    nn::for_each_parameter<float>(model, [&](const std::string& name, nn::parameter<float>& p) {
      rows.push_back({{"name", name},
                      {"shape", std::vector<std::int64_t>(p.dims.begin(), p.dims.end())},
                      {"parameters", p.dims.size()},
                      {"format", parlance::name(p.value.type())},
                      {"bytes", p.value.bytes()}});
    });
  };
  if (what.kind == models::structure_kind::decoder) {
    list(*models::load_causal_lm(from, options));
    return rows;
  }
  if (what.kind == models::structure_kind::encoder_decoder && what.serves("translation")) {
    list(*models::load_seq2seq_lm(from, options));
    return rows;
  }
  models::encoder_load_options load;
  static_cast<io::load_options&>(load) = options;
  if (what.serves("fill-mask"))
    list(*models::load_masked_lm(from, load));
  else if (what.serves("text-classification"))
    list(*models::load_sequence_classifier(from, load));
  else if (what.serves("token-classification"))
    list(*models::load_token_classifier(from, load));
  else if (what.serves("question-answering"))
    list(*models::load_question_answerer(from, load));
  else if (what.serves("multiple-choice"))
    list(*models::load_multiple_choice(from, load));
  else
    list(*models::load_encoder(from, load));
  return rows;
}

// Every module (a run of dotted names) with the sums of what it holds, in the order of the file.
json modules_of(const json& rows) {
  json list = json::array();
  std::map<std::string, std::size_t> place;
  for (const json& row : rows) {
    const std::string name = row["name"].get<std::string>();
    for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
      const auto [at, added] = place.emplace(name.substr(0, dot), list.size());
      if (added) list.push_back({{"name", at->first}, {"parameters", 0}, {"bytes", 0}});
      json& module = list[at->second];
      module["parameters"] =
          module["parameters"].get<std::int64_t>() + row["parameters"].get<std::int64_t>();
      module["bytes"] = module["bytes"].get<std::uint64_t>() + row["bytes"].get<std::uint64_t>();
    }
  }
  return list;
}

void print_tree(const json& rows, const json& modules) {
  const auto depth = [](const std::string& name) {
    return static_cast<int>(std::count(name.begin(), name.end(), '.'));
  };
  std::size_t next = 0;
  for (const json& row : rows) {
    const std::string name = row["name"].get<std::string>();
    for (; next < modules.size(); ++next) {
      const std::string module = modules[next]["name"].get<std::string>();
      if (!name.starts_with(module + ".")) break;
      std::printf("%*s%s: %lld parameters, %.3f MB\n", 2 * depth(module), "", module.c_str(),
                  static_cast<long long>(modules[next]["parameters"].get<std::int64_t>()),
                  static_cast<double>(modules[next]["bytes"].get<std::uint64_t>()) / 1e6);
    }
    std::printf("%*s%s %s %s %lld bytes\n", 2 * depth(name), "", name.c_str(),
                row["shape"].dump().c_str(), row["format"].get<std::string>().c_str(),
                static_cast<long long>(row["bytes"].get<std::uint64_t>()));
  }
}

void program(const arguments& args) {
  const auto options = args.model_options();
  io::load_options load;
  load.weights = options.weights;
  load.compute = options.compute;
  const models::opened_checkpoint from =
      models::open_checkpoint(io::resolve_model(args.required(0, "MODEL"), options.cache));
  const models::model_structure what = models::structure_of(from.config);
  const json rows = parameters_of(from, what, load), modules = modules_of(rows);
  std::int64_t count = 0;
  std::uint64_t bytes = 0;
  for (const json& row : rows) {
    count += row["parameters"].get<std::int64_t>();
    bytes += row["bytes"].get<std::uint64_t>();
  }
  if (args.has("json")) {
    std::cout << to_json_line({{"model_type", what.model_type},
                               {"structure", models::name(what.kind)},
                               {"tasks", what.tasks},
                               {"parameters", count},
                               {"bytes", bytes},
                               {"modules", modules},
                               {"tensors", rows}})
              << '\n';
    return;
  }
  print_tree(rows, modules);
  std::string tasks;
  for (const std::string& t : what.tasks) tasks += (tasks.empty() ? "" : ", ") + t;
  std::printf("%s (%s): %lld parameters, %.1f MB; tasks: %s\n", what.model_type.c_str(),
              models::name(what.kind), static_cast<long long>(count),
              static_cast<double>(bytes) / 1e6, tasks.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, usage, {with_model({}), {"json"}, false}, program);
}

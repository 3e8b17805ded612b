// SPDX-License-Identifier: Apache-2.0
// The tiny encoders of tests/data/encoders (tests/reference/encoders.py).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../io/support.hpp"
#include "parlance/io/checkpoint_folder.hpp"
#include "parlance/models/auto_encoder.hpp"

namespace encoder_test {

using namespace parlance;

inline const std::filesystem::path data = std::filesystem::path(PARLANCE_TEST_DATA) / "encoders";

inline const std::vector<std::string> families{"bert",
                                               "bert_relu_untied",
                                               "roberta",
                                               "xlm_roberta",
                                               "camembert",
                                               "electra",
                                               "distilbert",
                                               "albert",
                                               "mpnet",
                                               "deberta",
                                               "deberta_c2p",
                                               "deberta_v2",
                                               "deberta_v2_own_keys",
                                               "deberta_v2_conv",
                                               "modernbert",
                                               "modernbert_biases"};

inline json golden(const std::string& family) {
  const auto file = data / family / "golden.json";
  return parse_json(read_text(file), file.string());
}

using renamer = std::function<std::string(const std::string&)>;

// The checkpoint of a head: the backbone and the head's own tensors, under other names on request
// ("" leaves a tensor out).
inline models::opened_checkpoint open(const std::string& family, const std::string& head,
                                      const renamer& rename = {}) {
  models::opened_checkpoint from = models::open_checkpoint(data / family);
  std::vector<io::stored_tensor> list;
  const auto add = [&](io::stored_tensor t, const std::string& name) {
    t.name = rename ? rename(name) : name;
    if (!t.name.empty()) list.push_back(std::move(t));
  };
  for (const io::stored_tensor& t : from.tensors->tensors()) add(t, t.name);
  const auto heads = io::open_safetensors(data / family / "heads.safetensors");
  for (const io::stored_tensor& t : heads->tensors())
    if (t.name.starts_with(head + ":")) add(t, t.name.substr(head.size() + 1));
  from.tensors = std::make_shared<io::tensor_table>(family, std::move(list));
  return from;
}

struct sequences {
  std::vector<std::int32_t> ids, type_ids;
  std::vector<std::int64_t> lengths;

  void add(const std::vector<std::int32_t>& more, const std::vector<std::int32_t>& types = {}) {
    ids.insert(ids.end(), more.begin(), more.end());
    type_ids.insert(type_ids.end(), types.begin(), types.end());
    lengths.push_back(static_cast<std::int64_t>(more.size()));
  }
  models::encoder_input input() const { return {ids, type_ids, lengths, {}, {}}; }
};

using ids_of = std::vector<std::int32_t>;
inline sequences packed(const json& list) {
  sequences all;
  for (const json& s : list) all.add(s["ids"].get<ids_of>(), s["type_ids"].get<ids_of>());
  return all;
}

inline std::vector<float> flat(const json& values) {
  std::vector<float> out;
  const std::function<void(const json&)> walk = [&](const json& v) {
    if (v.is_array())
      for (const json& x : v) walk(x);
    else
      out.push_back(v.get<float>());
  };
  walk(values);
  return out;
}

// Greatest difference from the expected values, over the greatest of them where that is above one.
inline double distance(std::span<const float> got, const std::vector<float>& expected) {
  if (got.size() != expected.size()) return HUGE_VAL;
  double worst = 0, size = 1;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double d = std::abs(double{got[i]} - double{expected[i]});
    worst = d <= worst ? worst : (d == d ? d : HUGE_VAL);
    size = std::max(size, std::abs(double{expected[i]}));
  }
  return worst / size;
}

}  // namespace encoder_test

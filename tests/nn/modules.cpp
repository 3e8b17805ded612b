// SPDX-License-Identifier: Apache-2.0
// The parts models are made of: the traversal and its visitors, layers, rotary embeddings against
// transformers (rotary.py), and the cache of keys and values.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>

#include "parlance/autograd/node.hpp"
#include "parlance/core/file.hpp"
#include "parlance/models/llama_config.hpp"
#include "parlance/nn/kv_cache.hpp"
#include "parlance/nn/layers.hpp"

using namespace parlance;

namespace {

struct block {
  nn::linear<float> up{3, 4, true};
  nn::linear<float> down{4, 3, false};
  std::optional<nn::rms_norm<float>> norm;
  void visit(nn::visitor<float>& v) { v("up", up), v("down", down), v("norm", norm); }
};

struct toy {
  nn::embedding<float> table{5, 3};
  std::vector<block> blocks{2};
  nn::layer_norm<float> last{3, 1e-5};
  nn::conv1d<float> head{3, 5};
  void visit(nn::visitor<float>& v) {
    v("table", table), v("blocks", blocks), v("last", last), v("head", head);
  }
};
static_assert(nn::module<toy, float>);
static_assert(!nn::module<int, float>);

std::vector<std::string> trainable(toy& m) {
  std::vector<std::string> names;
  nn::for_each_parameter<float>(m, [&](const std::string& n, nn::parameter<float>& p) {
    if (p.trainable()) names.push_back(n);
  });
  return names;
}

template <class Run>
std::string message_of(Run&& run) {
  try {
    run();
  } catch (const error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("one traversal names every parameter, in order, without those that are absent") {
  toy m;
  m.blocks[1].norm.emplace(3, 1e-6);
  std::vector<std::string> names;
  std::int64_t transposed = 0;
  nn::for_each_parameter<float>(m, [&](const std::string& n, nn::parameter<float>& p) {
    names.push_back(n);
    transposed += p.transposed;
    CHECK_FALSE(p.defined());  // constructors allocate nothing
  });
  CHECK(names == std::vector<std::string>{"table.weight", "blocks.0.up.weight", "blocks.0.up.bias",
                                          "blocks.0.down.weight", "blocks.1.up.weight",
                                          "blocks.1.up.bias", "blocks.1.down.weight",
                                          "blocks.1.norm.weight", "last.weight", "last.bias",
                                          "head.weight", "head.bias"});
  CHECK(transposed == 1);
  CHECK(nn::count_parameters<float>(m) == 15 + 2 * (12 + 4 + 12) + 3 + 6 + 20);
}

TEST_CASE("patterns: * stands for any run of characters") {
  struct example {
    std::string text, pattern;
    bool expected;
  };
  for (const example& e : std::vector<example>{{"a.b", "*", true},
                                               {"a.b", "a.b", true},
                                               {"a.b", "a.", false},
                                               {"a.b.c", "a*c", true},
                                               {"a.b.c", "*b*", true},
                                               {"a.b.c", "*b", false},
                                               {"aab", "*ab", true},
                                               {"", "*", true},
                                               {"", "", true},
                                               {"a", "", false},
                                               {"mississippi", "m*iss*pi", true},
                                               {"mississippi", "m*iss*x", false}})
    CHECK_MESSAGE(nn::matches(e.text, e.pattern) == e.expected, e.text, " ", e.pattern);
}

TEST_CASE("init, unfreeze and freeze") {
  toy a, b, c;
  nn::init<float>(a, 1, 0.5);
  nn::init<float>(b, 1, 0.5);
  nn::init<float>(c, 2, 0.5);
  const auto values = [](const nn::parameter<float>& p) {
    const tensor<float> t = p.dense();
    return std::vector<float>(t.values().begin(), t.values().end());
  };
  CHECK(values(a.table.weight) == values(b.table.weight));
  CHECK(values(a.table.weight) != values(c.table.weight));
  CHECK(values(a.blocks[0].up.weight) != values(a.blocks[1].up.weight));
  CHECK(values(a.last.weight) == std::vector<float>(3, 1));
  CHECK(values(a.head.bias) == std::vector<float>(5, 0));
  CHECK(trainable(a).empty());
  nn::unfreeze<float>(a, "blocks.1.*");
  CHECK(trainable(a) ==
        std::vector<std::string>{"blocks.1.up.weight", "blocks.1.up.bias", "blocks.1.down.weight"});
  nn::unfreeze<float>(a);
  nn::freeze<float>(a, "*bias");
  CHECK(trainable(a).size() == 7);
  CHECK(values(a.table.weight) == values(b.table.weight));
  const toy fresh;
  const std::string unset = "was not loaded or initialised";
  CHECK(message_of([&] { fresh.table(std::vector<std::int32_t>{1}); }) ==
        "parameter of shape [5, 3] " + unset);
  CHECK(message_of([&] {
          fresh.blocks[0].down(tensor<float>({1, 4}));
        }) == "parameter of shape [3, 4] " + unset);
  CHECK(message_of([&] {
          fresh.last(tensor<float>({1, 3}));
        }) == "parameter of shape [3] " + unset);
}

TEST_CASE("layers by hand") {
  block m;
  m.up.weight.value =
      weight<float>(tensor<float>::from({4, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1}));
  m.up.bias.value = weight<float>(tensor<float>::from({4}, {0.5f, 0, 0, -1}));
  const auto x = tensor<float>::from({2, 3}, {1, 2, 3, -1, 0, 4});
  const auto y = m.up(x);
  const std::vector<float> expected{1.5f, 2, 3, 5, -0.5f, 0, 4, 2};
  CHECK(std::equal(expected.begin(), expected.end(), y.values().begin()));
  nn::rms_norm<float> plain(2, 0.0), plus_one(2, 0.0, true);
  plain.weight.value = weight<float>(tensor<float>::from({2}, {2, 3}));
  plus_one.weight.value = weight<float>(tensor<float>::from({2}, {1, 2}));
  const auto v = tensor<float>::from({1, 2}, {3, 4});  // root mean square: sqrt(12.5)
  for (const auto& norm : {plain(v), plus_one(v)}) {
    CHECK(norm.data()[0] == doctest::Approx(2 * 3 / std::sqrt(12.5)));
    CHECK(norm.data()[1] == doctest::Approx(3 * 4 / std::sqrt(12.5)));
  }
  nn::layer_norm<float> layer(2, 0.0);
  layer.weight.value = weight<float>(tensor<float>::from({2}, {2, 2}));
  layer.bias.value = weight<float>(tensor<float>::from({2}, {0, 1}));
  const auto l = layer(v);
  CHECK(l.data()[0] == doctest::Approx(-2));
  CHECK(l.data()[1] == doctest::Approx(3));
}

TEST_CASE("rotary embeddings with every scaling are those of transformers") {
  const std::string path = std::string(PARLANCE_TEST_DATA) + "/nn/rotary.json";
  const json data = parse_json(read_text(path), path);
  REQUIRE(data["cases"].size() > 25);
  for (const json& c : data["cases"]) {
    CAPTURE(c["config"].dump());
    CAPTURE(c["length"].dump());
    const auto settings = models::detail::read_rope(models::config_reader(c["config"]));
    const nn::rotary rope(settings, c["config"]["head_dim"]);
    const auto at = c["positions"].get<std::vector<std::int32_t>>();
    const std::vector<std::int64_t> lengths(at.size(), c["length"].get<std::int64_t>());
    tensor<float> cos, sin;
    rope.angles<float>(at, lengths, cos, sin);
    REQUIRE(cos.rows() == static_cast<std::int64_t>(at.size()));
    REQUIRE(static_cast<std::size_t>(cos.cols()) == c["cos"][0].size());
    double worst = 0;
    for (std::int64_t i = 0; i < cos.rows(); ++i)
      for (std::int64_t j = 0; j < cos.cols(); ++j) {
        const auto r = static_cast<std::size_t>(i), k = static_cast<std::size_t>(j);
        worst = std::max(worst, std::abs(cos.row(i)[j] - c["cos"][r][k].get<double>()));
        worst = std::max(worst, std::abs(sin.row(i)[j] - c["sin"][r][k].get<double>()));
      }
    // An inverse frequency may differ in its last bit, which the position multiplies.
    CHECK(worst < 2e-6 + 1.5e-7 * c["length"].get<double>());
  }
}

TEST_CASE("rows of sequences of different lengths each follow their own length") {
  nn::rope_settings s;
  s.type = "dynamic";
  s.factor = 2;
  s.max_position_embeddings = 8;
  const nn::rotary rope(s, 4);
  tensor<float> cos, sin, alone_cos, alone_sin;
  const std::vector<std::int32_t> at{3, 20, 7};
  const std::vector<std::int64_t> lengths{4, 21, 30};
  rope.angles<float>(at, lengths, cos, sin);
  for (std::size_t i = 0; i < at.size(); ++i) {
    rope.angles<float>(std::span(at).subspan(i, 1), std::span(lengths).subspan(i, 1), alone_cos,
                       alone_sin);
    for (std::int64_t j = 0; j < 2; ++j) {
      CHECK(cos.row(static_cast<std::int64_t>(i))[j] == alone_cos.data()[j]);
      CHECK(sin.row(static_cast<std::int64_t>(i))[j] == alone_sin.data()[j]);
    }
  }
}

TEST_CASE("the cache keeps its contents when it grows, copies and truncates") {
  const kernels::attention_params p = [] {
    kernels::attention_params out;
    out.heads = 4, out.kv_heads = 2, out.head_dim = 8;
    return out;
  }();
  for (const format element : {format::f32, format::f16, format::bf16}) {
    nn::kv_cache cache({2, 2, 8, element}, 3);
    CHECK(cache.bytes() == 0);
    const auto put = [&](std::int64_t s, std::int64_t n, float seed) {
      cache.prepare(s, n);
      std::vector<float> k, v;
      for (std::int64_t i = 0; i < n * 16; ++i)
        k.push_back(std::sin(seed + static_cast<float>(i))),
            v.push_back(std::cos(seed * static_cast<float>(i)));
      for (std::int64_t layer = 0; layer < 2; ++layer) {
        const auto append = [&](auto view) {
          kernels::kv_append(view, p, cache.length(s), n, k.data(), 16, v.data(), 16);
        };
        if (element == format::f32)
          append(cache.view<float>(layer, s));
        else if (element == format::f16)
          append(cache.view<f16>(layer, s));
        else
          append(cache.view<bf16>(layer, s));
      }
      cache.advance(s, n);
    };
    const auto attend = [&](std::int64_t s) {
      std::vector<float> q(32), out(32);
      for (std::size_t i = 0; i < q.size(); ++i) q[i] = std::cos(static_cast<float>(i));
      const auto run = [&](auto view) {
        using E = std::remove_pointer_t<decltype(view.k)>;
        kernels::cached_job<std::remove_const_t<E>> job{};
        job.q = q.data(), job.ldq = 32, job.out = out.data(), job.ldo = 32;
        job.n = 1, job.first = cache.length(s) - 1, job.kv = view;
        kernels::attention_cached<std::remove_const_t<E>>(p, {&job, 1});
      };
      if (element == format::f32)
        run(cache.view<float>(1, s));
      else if (element == format::f16)
        run(cache.view<f16>(1, s));
      else
        run(cache.view<bf16>(1, s));
      return out;
    };
    put(0, 5, 0.3f);
    const auto five = attend(0);
    CHECK(cache.bytes() == 2u * 2 * 2 * 8 * 16 * (element == format::f32 ? 4 : 2));
    cache.reserve(0, 200);  // moves what is there
    CHECK(attend(0) == five);
    cache.copy(0, 1);
    CHECK(cache.length(1) == 5);
    CHECK(attend(1) == five);
    put(0, 40, 0.7f);
    CHECK(attend(0) != five);
    CHECK(attend(1) == five);  // a copy of its own
    cache.truncate(0, 5);
    CHECK(attend(0) == five);
    put(2, 1, 0.1f);
    CHECK(cache.length(2) == 1);
    CHECK_THROWS(cache.length(3));
  }
  CHECK(message_of([] {
          nn::kv_cache({1, 1, 8, format::q8_0});
        }).find("supported: f32, f16, bf16") != std::string::npos);
}

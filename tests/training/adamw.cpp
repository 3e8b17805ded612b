// SPDX-License-Identifier: Apache-2.0
// Training against PyTorch (tests/reference/training.py): losses, gradient norms, gradients and
// final weights of 50 AdamW steps; clipping, frozen parameters, saving.
#include "parlance/training/adamw.hpp"

#include <doctest/doctest.h>

#include "../models/golden.hpp"
#include "parlance/io/safetensors.hpp"
#include "parlance/ops/loss.hpp"

using namespace parlance;
using namespace model_test;

namespace {

const std::filesystem::path runs = std::filesystem::path(PARLANCE_TEST_DATA) / "training";

struct batch {
  ids input, labels;  // labels shifted: of each row, the id that follows
  std::int64_t sequences = 0;

  models::decoder_input view() const {
    models::decoder_input in;
    in.ids = input;
    in.batch = sequences;
    return in;
  }
};

struct reference_run {
  json golden;
  std::unique_ptr<models::causal_lm> model;
  std::vector<batch> batches;
  training::adamw_options options;
  double max_norm = 0;

  explicit reference_run(const std::string& name) : model(load(runs / name)) {
    const auto file = runs / name / "golden.json";
    golden = parse_json(read_text(file), file.string());
    for (const json& b : golden["batches"]) {
      batch out;
      out.sequences = static_cast<std::int64_t>(b["input_ids"].size());
      for (std::size_t s = 0; s < b["input_ids"].size(); ++s) {
        const ids row = to_ids(b["input_ids"][s]), labels = to_ids(b["labels"][s]);
        out.input.insert(out.input.end(), row.begin(), row.end());
        out.labels.insert(out.labels.end(), labels.begin() + 1, labels.end());
        out.labels.push_back(ops::ignore_index);
      }
      batches.push_back(std::move(out));
    }
    const json& o = golden["optimizer"];
    options = {o["lr"], o["betas"][0], o["betas"][1], o["eps"], o["weight_decay"]};
    max_norm = o["max_grad_norm"];
  }
  tensor<float> loss(std::size_t step) const {
    const batch& b = batches[step % batches.size()];
    return model->loss(b.view(), b.labels);
  }
};

double relative(double got, double expected) { return std::abs(got - expected) / expected; }

// The value, or for Conv1D its transpose, as the file has it.
tensor<float> as_stored(const nn::parameter<float>& p, const tensor<float>& values) {
  if (!p.transposed) return values;
  tensor<float> out({p.dims[1], p.dims[0]});
  for (std::int64_t r = 0; r < p.dims[0]; ++r)
    for (std::int64_t c = 0; c < p.dims[1]; ++c) out.row(c)[r] = values.row(r)[c];
  return out;
}

void check_first_gradients(reference_run& run, const std::string& name) {
  const auto expected = io::open_safetensors(runs / name / "gradients.safetensors");
  std::size_t whole = 0, seen = 0;
  nn::for_each_parameter<float>(*run.model, [&](const std::string& n, nn::parameter<float>& p) {
    CAPTURE(n);
    const tensor<float> g = autograd::grad(*p.value.dense());
    REQUIRE(g.defined());
    ++seen;
    const double norm = std::sqrt(kernels::sum_of_squares(g.size(), g.data()));
    CHECK(relative(norm, run.golden["first_grad_norms"][n]) < 1e-4);
    const io::stored_tensor* t = expected->find(n);
    if (!t) return;
    ++whole;
    tensor<float> values(t->dims);
    io::read_floats(*t, values.data());
    const tensor<float> got = as_stored(p, g);
    REQUIRE(got.dims() == values.dims());
    CHECK(relative_rms(got.values(), values.values()) < 1e-4);
  });
  CHECK(whole == expected->tensors().size());
  CHECK(seen == run.golden["first_grad_norms"].size());
}

void check_final_weights(reference_run& run) {
  nn::for_each_parameter<float>(*run.model, [&](const std::string& n, nn::parameter<float>& p) {
    CAPTURE(n);
    const json& expected = run.golden["final_weights"][n];
    double sum = 0;
    for (const float v : p.value.dense()->values()) sum += v;
    const double norm = std::sqrt(kernels::sum_of_squares(p.dims.size(), p.value.dense()->data()));
    CHECK(relative(norm, expected[0]) < 1e-4);
    CHECK(std::abs(sum - expected[1].get<double>()) <
          2e-3 * norm + 1e-4 * std::abs(expected[1].get<double>()));
  });
}

// The steps of a run; returns the loss of the last.
double train(reference_run& run, std::size_t steps,
             const std::function<void(std::size_t, double, double)>& check = {}) {
  training::adamw optimizer(*run.model, run.options);
  double last = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    const tensor<float> loss = run.loss(step);
    last = loss.item();
    autograd::backward(loss);
    const auto clipped = training::clip_grad_norm(*run.model, run.max_norm);
    if (check) check(step, last, clipped.norm);
    optimizer.step(clipped.scale);
    optimizer.zero_grad();
  }
  CHECK(optimizer.steps() == static_cast<std::int64_t>(steps));
  return last;
}

}  // namespace

TEST_CASE("50 steps of AdamW follow PyTorch") {
  for (const std::string name : {"llama", "gpt2"}) {
    CAPTURE(name);
    reference_run run(name);
    nn::unfreeze<float>(*run.model);
    const json& g = run.golden;
    REQUIRE(g["steps"] == 50);
    train(run, 50, [&](std::size_t step, double loss, double norm) {
      CAPTURE(step);
      CHECK(relative(loss, g["losses_f64"][step]) < 1e-3);
      CHECK(relative(loss, g["losses"][step]) < 1e-3);
      CHECK(relative(norm, g["grad_norms"][step]) < 1e-2);
      if (step == 0) check_first_gradients(run, name);
    });
    check_final_weights(run);
    // Saved, read again: the same loss, bit for bit.
    const temporary_folder folder;
    run.model->save_pretrained(folder.path());
    const auto again = load(folder.path());
    const batch& b = run.batches[0];
    CHECK(again->loss(b.view(), b.labels).item() == run.loss(0).item());
  }
}

TEST_CASE("training gives the same bits for any number of threads") {
  std::vector<double> losses;
  for (const int threads : {1, 2, 3}) {
    const use_pool pool(std::make_shared<thread_pool>(threads));
    reference_run run("llama");
    nn::unfreeze<float>(*run.model);
    losses.push_back(train(run, 4));
  }
  CHECK(losses[0] == losses[1]);
  CHECK(losses[0] == losses[2]);
}

TEST_CASE("clipping scales to the greatest norm and leaves smaller ones alone") {
  reference_run run("llama");
  nn::unfreeze<float>(*run.model);
  autograd::backward(run.loss(0));
  const double norm = training::grad_norm(*run.model);
  const double expected = run.golden["grad_norms"][0];
  CHECK(relative(norm, expected) < 1e-4);
  CHECK(training::clip_grad_norm(*run.model, norm / 4).scale ==
        doctest::Approx(0.25).epsilon(1e-5));
  CHECK(training::clip_grad_norm(*run.model, 2 * norm).scale == 1);
  // Without momentum, one step moves every weight by lr * g / |g|, however g is scaled.
  autograd::backward(run.loss(0));  // gradients add up
  CHECK(relative(training::grad_norm(*run.model), 2 * expected) < 1e-4);
}

TEST_CASE("frozen parameters get no gradient, no state and keep their values") {
  reference_run run("gpt2");
  nn::unfreeze<float>(*run.model, "*.h.1.*");
  std::map<std::string, std::vector<float>> before;
  nn::for_each_parameter<float>(*run.model, [&](const std::string& n, nn::parameter<float>& p) {
    CHECK(p.trainable() == (n.find(".h.1.") != n.npos));
    before[n] = {p.value.dense()->values().begin(), p.value.dense()->values().end()};
  });
  train(run, 2, [&](std::size_t, double, double) {
    nn::for_each_parameter<float>(*run.model, [&](const std::string& n, nn::parameter<float>& p) {
      CHECK(autograd::grad(*p.value.dense()).defined() == (n.find(".h.1.") != n.npos));
    });
  });
  nn::for_each_parameter<float>(*run.model, [&](const std::string& n, nn::parameter<float>& p) {
    CAPTURE(n);
    const auto values = p.value.dense()->values();
    const bool same = std::equal(values.begin(), values.end(), before[n].begin());
    CHECK(same == (n.find(".h.1.") == n.npos));
  });
  nn::freeze<float>(*run.model);
  const tensor<float> loss = run.loss(0);
  CHECK(loss.node() == nullptr);
  CHECK_THROWS_AS(autograd::backward(loss), option_error);
}

TEST_CASE("a parameter without gradient is skipped, one with a gradient moves as by hand") {
  struct two : nn::linear<float> {
    two() : nn::linear<float>(2, 1, true) {}
  } m;
  m.weight.value = weight<float>(tensor<float>::from({1, 2}, {1, -2}));
  m.bias.value = weight<float>(tensor<float>::from({1}, {0.5f}));
  nn::unfreeze<float>(m);
  training::adamw optimizer(m, {.learning_rate = 0.1, .weight_decay = 0.5});
  optimizer.step();
  CHECK(m.bias.dense().item() == 0.5f);
  m.weight.value.dense()->node()->grad() = tensor<float>::from({1, 2}, {3, -4});
  optimizer.step(0.5, 0.01);
  // The first step with a gradient: decay by 1 - lr * decay, then lr times the sign, corrected for
  // the moments of a second step: m = 0.1 g / (1 - 0.9^2), v = 0.001 g^2 / (1 - 0.999^2).
  const double correction = 0.1 / 0.19 / std::sqrt(0.001 / (1 - 0.999 * 0.999));
  CHECK(m.weight.dense().data()[0] == doctest::Approx(1 * 0.995 - 0.01 * correction));
  CHECK(m.weight.dense().data()[1] == doctest::Approx(-2 * 0.995 + 0.01 * correction));
  CHECK(m.bias.dense().item() == 0.5f);
  optimizer.zero_grad();
  CHECK_FALSE(autograd::grad(*m.weight.value.dense()).defined());
}

// SPDX-License-Identifier: Apache-2.0
// A metric whose type is chosen at run time: the same `add` and `compute`, over values that can be
// text, numbers, lists or answers. `make_any` wraps a metric of any type, also one of one's own.
#pragma once

#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "parlance/metrics/item.hpp"
#include "parlance/metrics/metric.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

class any_metric {
 public:
  virtual ~any_metric() = default;
  // Throws option_error when the metric is not for such values. Measurements leave references
  // alone.
  virtual void add(const item& prediction, std::span<const item> references) = 0;
  // The original's fields, and "signature" for the metrics that have one.
  virtual record compute() const = 0;
  // `other` was made by the same name with the same settings.
  virtual void merge(const any_metric& other) = 0;
  // The same metric with nothing added.
  virtual std::unique_ptr<any_metric> fresh() const = 0;
  virtual description describe() const = 0;
  // sacreBLEU's signature, for the metrics that have one; else empty.
  virtual std::string signature(bool abbreviated = false) const = 0;
  // What the metric takes.
  enum class input { text, number, labels, tags, answers, features };
  virtual input takes() const = 0;
  // False for measurements, which look at predictions alone.
  virtual bool needs_references() const = 0;

  void add(const item& prediction, const item& reference) {
    add(prediction, std::span<const item>(&reference, 1));
  }
};

namespace detail {

template <class M>
concept takes_text_alone = requires(M m, std::string_view text) {
  m.add(text);
};
template <class M>
concept takes_label_alone = requires(M m, std::int64_t label) {
  m.add(label);
};
template <class M>
concept takes_text = requires(M m, std::string_view p, texts r) {
  m.add(p, r);
};
template <class M>
concept takes_labels = requires {
  requires std::is_same_v<typename M::element, std::int64_t>;
};
template <class M>
concept takes_label_lists = requires(M m, std::span<const std::int64_t> x) {
  m.add(x, x);
};
template <class M>
concept takes_numbers = requires {
  requires std::is_same_v<typename M::element, double>;
};
template <class M>
concept takes_features = requires(M m, std::span<const double> row) {
  m.add_prediction(row);
  m.add_reference(row);
};
template <class M>
concept takes_judged_answers = requires(M m, const multirc_prediction& p, std::int64_t reference) {
  m.add(p, reference);
};
template <class M>
concept takes_tags = requires(M m, std::span<const std::string> x) {
  m.add(x, x);
};

template <class M>
class wrapped final : public any_metric {
 public:
  explicit wrapped(M empty) : empty_(std::move(empty)), metric_(empty_) {}

  void add(const item& prediction, std::span<const item> references) override {
    if constexpr (takes_text_alone<M>) {
      add_alone(prediction);
    } else if constexpr (takes_text<M>) {
      views_.clear();
      for (const item& r : references) views_.push_back(get<std::string>(r, "text"));
      metric_.add(get<std::string>(prediction, "text"), std::span<const std::string_view>(views_));
    } else if constexpr (takes_labels<M>) {
      add_labels(prediction, one(references));
    } else if constexpr (takes_numbers<M>) {
      metric_.add(get<double>(prediction, "a number"), get<double>(one(references), "a number"));
    } else if constexpr (takes_tags<M>) {
      metric_.add(std::span(get<std::vector<std::string>>(prediction, "a list of tags")),
                  std::span(get<std::vector<std::string>>(one(references), "a list of tags")));
    } else if constexpr (takes_features<M>) {
      metric_.add_prediction(get<std::vector<double>>(prediction, "a list of numbers"));
      for (const item& r : references)
        metric_.add_reference(get<std::vector<double>>(r, "a list of numbers"));
    } else if constexpr (takes_judged_answers<M>) {
      metric_.add(get<multirc_prediction>(prediction, "a judged answer"),
                  as_label(get<double>(one(references), "a label")));
    } else {
      metric_.add(get<squad_prediction>(prediction, "an answer"),
                  get<squad_reference>(one(references), "a question with answers"));
    }
  }
  record compute() const override {
    const auto result = metric_.compute();
    record fields;
    if constexpr (requires { result.fields(); })
      fields = result.fields();
    else
      fields = {{std::string(describe().name), static_cast<double>(result)}};
    if (const std::string s = signature(false); !s.empty()) fields.push_back({"signature", s});
    return fields;
  }
  void merge(const any_metric& other) override {
    if constexpr (mergeable<M>) {
      const auto* same = dynamic_cast<const wrapped*>(&other);
      if (same == nullptr) throw option_error("merge: the other metric is of another kind");
      metric_.merge(same->metric_);
    } else {
      throw unsupported_error("merge: " + std::string(describe().name) + " cannot be merged");
    }
  }
  std::unique_ptr<any_metric> fresh() const override { return std::make_unique<wrapped>(empty_); }
  description describe() const override {
    if constexpr (requires { M::describe(); })
      return M::describe();
    else if constexpr (requires { metric_.describe(); })
      return metric_.describe();
    else
      return {"metric", "metric", "", -no_limit, no_limit, true, ""};
  }
  std::string signature(bool abbreviated) const override {
    if constexpr (requires { metric_.signature().text(abbreviated); })
      return metric_.signature().text(abbreviated);
    else
      return {};
  }
  bool needs_references() const override { return !takes_text_alone<M>; }
  input takes() const override {
    if constexpr (takes_label_alone<M>) return input::labels;
    if constexpr (takes_text_alone<M> || takes_text<M>) return input::text;
    if constexpr (takes_labels<M>) return input::labels;
    if constexpr (takes_numbers<M>) return input::number;
    if constexpr (takes_tags<M>) return input::tags;
    if constexpr (takes_features<M>) return input::features;
    return input::answers;
  }

 private:
  template <class T>
  const T& get(const item& i, const char* expected) const {
    if (const T* found = std::get_if<T>(&i)) return *found;
    throw option_error(std::string(describe().name) + ": expected " + expected +
                       (takes_text_alone<M> ? "" : " as prediction and reference"));
  }
  const item& one(std::span<const item> references) const {
    if (references.size() != 1)
      throw option_error(std::string(describe().name) + ": expected one reference, got " +
                         std::to_string(references.size()));
    return references[0];
  }
  std::int64_t as_label(double number) const {
    if (number != std::floor(number) || std::abs(number) > 9e15)
      throw option_error(std::string(describe().name) + ": expected whole numbers as labels");
    return static_cast<std::int64_t>(number);
  }
  void add_alone(const item& prediction) {
    if constexpr (takes_label_alone<M>) {
      if (const auto* number = std::get_if<double>(&prediction)) {
        metric_.add(as_label(*number));
        return;
      }
    }
    metric_.add(std::string_view(get<std::string>(prediction, "text")));
  }
  void add_labels(const item& prediction, const item& reference) {
    if constexpr (takes_label_lists<M>) {
      if (const auto* list = std::get_if<std::vector<double>>(&prediction)) {
        std::vector<std::int64_t> p, r;
        for (const double x : *list) p.push_back(as_label(x));
        for (const double x : get<std::vector<double>>(reference, "a list of labels"))
          r.push_back(as_label(x));
        metric_.add(std::span<const std::int64_t>(p), std::span<const std::int64_t>(r));
        return;
      }
    }
    metric_.add(as_label(get<double>(prediction, "a label")),
                as_label(get<double>(reference, "a label")));
  }

  M empty_, metric_;
  std::vector<std::string_view> views_;
};

}  // namespace detail

template <class M>
std::unique_ptr<any_metric> make_any(M metric) {
  return std::make_unique<detail::wrapped<M>>(std::move(metric));
}

// Several metrics over the same lines, as evaluate.combine. A field that one metric alone has keeps
// its name; others become METRIC_field, or METRIC_index_field when a metric comes more than once.
class combined {
 public:
  void include(std::string name, std::unique_ptr<any_metric> metric) {
    parts_.push_back({std::move(name), std::move(metric)});
  }
  void add(const item& prediction, std::span<const item> references) {
    for (part& p : parts_) p.metric->add(prediction, references);
  }
  void add(const item& prediction, const item& reference) {
    add(prediction, std::span<const item>(&reference, 1));
  }
  void merge(const combined& other) {
    if (parts_.size() != other.parts_.size())
      throw option_error("merge: different numbers of metrics");
    for (std::size_t i = 0; i < parts_.size(); ++i)
      parts_[i].metric->merge(*other.parts_[i].metric);
  }
  std::size_t size() const { return parts_.size(); }
  const any_metric& operator[](std::size_t i) const { return *parts_[i].metric; }
  any_metric& operator[](std::size_t i) { return *parts_[i].metric; }
  const std::string& name(std::size_t i) const { return parts_[i].name; }

  record compute() const {
    std::vector<record> results;
    for (const part& p : parts_) results.push_back(p.metric->compute());
    record out;
    for (std::size_t i = 0; i < parts_.size(); ++i)
      for (field& f : results[i]) out.push_back({unique_name(results, i, f.name), f.data});
    return out;
  }

 private:
  struct part {
    std::string name;
    std::unique_ptr<any_metric> metric;
  };
  std::string unique_name(const std::vector<record>& results, std::size_t i,
                          const std::string& key) const {
    int holders = 0, same = 0, index = 0;
    for (const record& r : results) holders += find(r, key) != nullptr;
    if (holders < 2) return key;
    for (std::size_t k = 0; k < parts_.size(); ++k) {
      if (parts_[k].name != parts_[i].name) continue;
      index += k < i;
      ++same;
    }
    return parts_[i].name + (same > 1 ? "_" + std::to_string(index) : "") + "_" + key;
  }
  std::vector<part> parts_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics

// SPDX-License-Identifier: Apache-2.0
// Values of the template language: Python's None, bool, int (128 bits here), float, str (UTF-8),
// list, tuple, dict, range, dict views, iterators and the few objects that Jinja2 adds. A value is
// private to one render, so its reference count is not atomic. The meter counts live bytes and
// work, which is what stops a hostile template.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "parlance/core/error.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

using integer = __int128;

inline constexpr std::size_t max_text = std::size_t{64} << 20;   // one string, and the output
inline constexpr std::size_t max_items = std::size_t{1} << 20;   // one list
inline constexpr std::size_t max_live = std::size_t{512} << 20;  // all values of a render
inline constexpr std::uint64_t max_steps = 10'000'000;           // loop turns, 256 bytes of text
inline constexpr int max_nesting = 200;
inline constexpr int max_macro_depth = 100;

// An error at run time; the renderer adds the line.
struct fault {
  std::string message;
};

[[noreturn]] inline void fail(std::string message) { throw fault{std::move(message)}; }

// An error with its line.
[[noreturn]] inline void fail_at(std::uint32_t line, const std::string& what) {
  throw text_error("chat template: line " + std::to_string(line) + ": " + what);
}

// Work and memory of one render.
class meter {
 public:
  void take(std::size_t bytes) {
    if (bytes > max_live - live_) fail("the template uses too much memory");
    live_ += bytes;
    read(bytes);
  }
  void read(std::size_t bytes) { step(bytes >> 8); }
  void give(std::size_t bytes) noexcept { live_ -= bytes; }
  void step(std::uint64_t n = 1) {
    if ((steps_ += n) > max_steps) fail("the template runs too long");
  }

 private:
  std::size_t live_ = 0;
  std::uint64_t steps_ = 0;
};

enum class kind : std::uint8_t {
  undefined,
  none,
  boolean,
  integer,
  real,
  string,  // from here on: objects
  list,
  tuple,
  dict,
  range,
  view,
  iterator,
  name_space,
  loop,
  macro,
  method,
  function,
  cycler,
  joiner,
};

class heap;
class value;

class object {
 public:
  object(meter& m, std::size_t bytes) : meter_(&m), bytes_(bytes) { m.take(bytes); }
  object(const object&) = delete;
  object& operator=(const object&) = delete;
  virtual ~object() { meter_->give(bytes_); }
  // Attributes of the objects that Jinja2 adds (loop, macros, cyclers).
  virtual bool attribute(heap&, std::string_view, value&) { return false; }

  std::uint32_t references = 0;
  bool pooled = false;      // owned by the heap until the end of the render
  std::uint16_t depth = 0;  // how deep containers nest; bounds recursion over values

 private:
  meter* meter_;
  std::size_t bytes_;
};

struct string_object;
struct list_object;
struct dict_object;

class value {
 public:
  // What an undefined value remembers for its message: a name of the template and its owner's type.
  struct origin {
    const std::string* name;
    const char* owner;
  };

  value() noexcept : kind_(kind::undefined) { data_.from = {nullptr, nullptr}; }
  explicit value(origin from) noexcept : kind_(kind::undefined) { data_.from = from; }
  value(bool b) noexcept : kind_(kind::boolean) { data_.b = b; }
  value(integer i) noexcept : kind_(kind::integer) { data_.i = i; }
  value(int i) noexcept : value(static_cast<integer>(i)) {}
  value(std::int64_t i) noexcept : value(static_cast<integer>(i)) {}
  value(std::uint64_t i) noexcept : value(static_cast<integer>(i)) {}
  value(double d) noexcept : kind_(kind::real) { data_.d = d; }
  value(const void*) = delete;
  value(kind k, object* o) noexcept : kind_(k) {
    data_.o = o;
    ++o->references;
  }
  value(const value& other) noexcept : kind_(other.kind_), data_(other.data_) {
    if (is_object()) ++data_.o->references;
  }
  value(value&& other) noexcept : kind_(other.kind_), data_(other.data_) {
    other.kind_ = kind::none;
  }
  value& operator=(value other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~value() {
    if (is_object() && --data_.o->references == 0 && !data_.o->pooled) delete data_.o;
  }

  static value none() noexcept {
    value v;
    v.kind_ = kind::none;
    return v;
  }

  kind type() const noexcept { return kind_; }
  bool is(kind k) const noexcept { return kind_ == k; }
  bool is_object() const noexcept { return kind_ >= kind::string; }
  bool is_undefined() const noexcept { return kind_ == kind::undefined; }
  bool is_none() const noexcept { return kind_ == kind::none; }
  bool is_string() const noexcept { return kind_ == kind::string; }
  bool is_dict() const noexcept { return kind_ == kind::dict; }
  bool is_sequence() const noexcept { return kind_ == kind::list || kind_ == kind::tuple; }
  // bool is a subclass of int in Python.
  bool is_integral() const noexcept { return kind_ == kind::integer || kind_ == kind::boolean; }
  bool is_number() const noexcept { return is_integral() || kind_ == kind::real; }

  bool boolean() const noexcept { return data_.b; }
  integer as_integer() const noexcept { return kind_ == kind::boolean ? data_.b : data_.i; }
  double as_real() const noexcept {
    return kind_ == kind::real ? data_.d : static_cast<double>(as_integer());
  }
  origin from() const noexcept { return data_.from; }
  object* get() const noexcept { return data_.o; }
  template <class T>
  T& as() const noexcept {
    return static_cast<T&>(*data_.o);
  }
  inline const std::string& text() const noexcept;
  inline bool safe() const noexcept;
  inline const std::vector<value>& items() const noexcept;
  inline const dict_object& dict() const noexcept;

 private:
  kind kind_;
  union {
    bool b;
    integer i;
    double d;
    object* o;
    origin from;
  } data_;
};

using values = std::vector<value>;

// `safe` is markupsafe's Markup: strings joined to it by + are escaped.
struct string_object : object {
  string_object(meter& m, std::string t, bool is_safe)
      : object(m, sizeof(*this) + t.size()), text(std::move(t)), safe(is_safe) {}
  std::string text;
  bool safe;
};

struct list_object : object {
  list_object(meter& m, values v)
      : object(m, sizeof(*this) + v.size() * sizeof(value)), items(std::move(v)) {}
  values items;
};

inline const std::string& value::text() const noexcept { return as<string_object>().text; }
inline bool value::safe() const noexcept { return as<string_object>().safe; }
inline const values& value::items() const noexcept { return as<list_object>().items; }

// Equality of dict keys, as Python's == on hashable values (1 == 1.0 == True).
inline bool same_key(meter& m, const value& a, const value& b) {
  m.step();
  if (a.is_string() || b.is_string()) return a.type() == b.type() && a.text() == b.text();
  if (a.is_number() && b.is_number()) {
    if (a.is_integral() && b.is_integral()) return a.as_integer() == b.as_integer();
    return a.as_real() == b.as_real();
  }
  if (a.type() != b.type()) return false;
  if (a.is(kind::tuple)) {
    if (a.items().size() != b.items().size()) return false;
    for (std::size_t i = 0; i < a.items().size(); ++i)
      if (!same_key(m, a.items()[i], b.items()[i])) return false;
    return true;
  }
  return !a.is_object() || a.get() == b.get();
}

inline bool hashable(meter& m, const value& v) {
  m.step();
  if (v.is(kind::list) || v.is(kind::dict) || v.is(kind::view)) return false;
  if (v.is(kind::tuple))
    for (const value& item : v.items())
      if (!hashable(m, item)) return false;
  return true;
}

inline std::size_t hash_text(std::string_view text) { return std::hash<std::string_view>()(text); }

// Equal keys have equal hashes, also those of different types.
inline std::size_t hash_key(meter& m, const value& v) {
  m.step();
  if (v.is_string()) return hash_text(v.text());
  if (v.is_number()) return std::hash<double>()(v.as_real());
  if (!v.is(kind::tuple)) return static_cast<std::size_t>(v.type());
  std::size_t h = v.items().size();
  for (const value& item : v.items()) h = h * 1'000'003 + hash_key(m, item);
  return h;
}

// Keeps insertion order; big dicts are indexed.
struct dict_object : object {
  explicit dict_object(meter& m) : object(m, sizeof(dict_object)), meter_(m) {}
  ~dict_object() override { meter_.give(charged_); }

  const value* find(std::string_view key) const {
    if (index_.empty()) {
      for (const auto& [k, v] : items)
        if (k.is_string() && k.text() == key) return &v;
      return nullptr;
    }
    const auto [begin, end] = index_.equal_range(hash_text(key));
    for (auto it = begin; it != end; ++it)
      if (items[it->second].first.is_string() && items[it->second].first.text() == key)
        return &items[it->second].second;
    return nullptr;
  }
  const value* find(const value& key) const {
    if (key.is_string()) {
      meter_.read(key.text().size());
      return find(std::string_view(key.text()));
    }
    if (index_.empty()) {
      for (const auto& [k, v] : items)
        if (same_key(meter_, k, key)) return &v;
      return nullptr;
    }
    const auto [begin, end] = index_.equal_range(hash_key(meter_, key));
    for (auto it = begin; it != end; ++it)
      if (same_key(meter_, items[it->second].first, key)) return &items[it->second].second;
    return nullptr;
  }
  void set(value key, value v) {
    meter_.step();
    if (const value* old = find(key)) {
      *const_cast<value*>(old) = std::move(v);
      return;
    }
    if (items.size() >= max_items) fail("a dict has too many items");
    meter_.take(item_bytes), charged_ += item_bytes;
    items.emplace_back(std::move(key), std::move(v));
    if (!index_.empty()) {
      add_to_index(items.size() - 1);
    } else if (items.size() > linear_limit) {
      for (std::size_t i = 0; i < items.size(); ++i) add_to_index(i);
    }
  }

  std::vector<std::pair<value, value>> items;

 private:
  static constexpr std::size_t linear_limit = 16, item_bytes = 2 * sizeof(value) + 48;
  void add_to_index(std::size_t i) { index_.emplace(hash_key(meter_, items[i].first), i); }
  std::unordered_multimap<std::size_t, std::size_t> index_;
  meter& meter_;
  std::size_t charged_ = 0;
};

inline const dict_object& value::dict() const noexcept { return as<dict_object>(); }

struct range_object : object {
  range_object(meter& m, std::int64_t a, std::int64_t b, std::int64_t s)
      : object(m, sizeof(*this)), start(a), stop(b), step(s) {}
  std::int64_t size() const {
    const integer span = step > 0 ? integer{stop} - start : integer{start} - stop;
    const integer stride = step > 0 ? integer{step} : -integer{step};
    return span <= 0 ? 0 : static_cast<std::int64_t>((span + stride - 1) / stride);
  }
  value at(std::int64_t i) const { return integer{start} + integer{i} * step; }
  std::int64_t start, stop, step;
};

enum class view_kind : std::uint8_t { keys, values, items };

struct view_object : object {
  view_object(meter& m, value d, view_kind w)
      : object(m, sizeof(*this)), dict(std::move(d)), what(w) {}
  value dict;
  view_kind what;
};

// A one-shot lazy sequence, as Python's generators: pulls until it returns false.
using puller = std::function<bool(value&)>;

struct iterator_object : object {
  iterator_object(meter& m, puller p, const char* n)
      : object(m, sizeof(*this) + 64), pull(std::move(p)), name(n) {}
  puller pull;
  const char* name;
};

struct namespace_object : object {
  explicit namespace_object(meter& m) : object(m, sizeof(*this)) {}
  std::vector<std::pair<std::string, value>> attributes;
  value* find(std::string_view name) {
    for (auto& [k, v] : attributes)
      if (k == name) return &v;
    return nullptr;
  }
};

struct method_object : object {
  method_object(meter& m, value s, std::string_view n)
      : object(m, sizeof(*this)), self(std::move(s)), name(n) {}
  value self;
  std::string_view name;  // of a static table
};

enum class builtin : std::uint8_t {
  range,
  dict,
  name_space,
  raise_exception,
  strftime_now,
  cycler,
  joiner
};

struct function_object : object {
  function_object(meter& m, builtin w) : object(m, sizeof(*this)), which(w) {}
  builtin which;
};

struct joiner_object : object {
  joiner_object(meter& m, value s) : object(m, sizeof(*this)), separator(std::move(s)) {}
  value separator;
  bool used = false;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja

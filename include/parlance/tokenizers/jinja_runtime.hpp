// SPDX-License-Identifier: Apache-2.0
// What exists while a template renders: scopes, the loop variable, macros, cyclers, and the pool
// that owns those of them that could refer to each other in circles.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/jinja_ast.hpp"
#include "parlance/tokenizers/jinja_lazy_filters.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

// Variables of one frame. A name assigned in it hides the outer one.
struct scope {
  scope* parent = nullptr;
  bool captured = false;  // a macro refers to it: not reused
  std::vector<std::pair<name_id, value>> variables;

  void set(name_id name, value v) {
    for (auto& [id, old] : variables)
      if (id == name) return void(old = std::move(v));
    variables.emplace_back(name, std::move(v));
  }
};

struct macro_object : object {
  macro_object(meter& m, const node& n, const tree& t, scope* s)
      : object(m, sizeof(*this)), definition(&n), source(&t), closure(s) {}
  bool attribute(heap& h, std::string_view name, value& out) override {
    if (name == "name") {
      out = definition->name == no_index ? value::none() : h.str(source->names[definition->name]);
    } else if (name == "arguments") {
      values names;
      for (std::uint32_t i = 0; i < definition->list.count; ++i)
        names.push_back(h.str(source->names[source->item(definition->list, i)]));
      out = h.tuple(std::move(names));
    } else if (name == "caller" || name == "catch_kwargs" || name == "catch_varargs") {
      const std::uint8_t flag = name == "caller"         ? macro_uses_caller
                                : name == "catch_kwargs" ? macro_uses_kwargs
                                                         : macro_uses_varargs;
      out = (definition->flag & flag) != 0;
    } else {
      return false;
    }
    return true;
  }
  const node* definition;
  const tree* source;
  scope* closure;
};

// The variable `loop`. Items are pulled one ahead only when somebody asks what comes next.
struct loop_object : object {
  loop_object(meter& m) : object(m, sizeof(*this)) {}

  bool advance() {
    value item;
    if (has_after) {
      item = std::move(after);
      has_after = false;
    } else if (!pull(item)) {
      return false;
    }
    ++index0;
    before = std::move(current);
    current = std::move(item);
    return true;
  }
  bool peek() {
    if (!has_after) has_after = pull(after);
    return has_after;
  }
  std::int64_t size() {
    if (length >= 0) return length;
    auto rest = std::make_shared<values>();
    for (value item; pull(item);) {
      require_list_size(rest->size() + 1);
      rest->push_back(item);
    }
    length = static_cast<std::int64_t>(rest->size()) + index0 + 1 + (has_after ? 1 : 0);
    pull = [rest, at = std::size_t{0}](value& out) mutable {
      if (at >= rest->size()) return false;
      return out = (*rest)[at++], true;
    };
    return length;
  }

  bool attribute(heap& h, std::string_view name, value& out) override {
    if (name == "index") return out = index0 + 1, true;
    if (name == "index0") return out = index0, true;
    if (name == "first") return out = index0 == 0, true;
    if (name == "last") return out = !peek(), true;
    if (name == "length") return out = size(), true;
    if (name == "revindex") return out = size() - index0, true;
    if (name == "revindex0") return out = size() - index0 - 1, true;
    if (name == "depth") return out = depth0 + 1, true;
    if (name == "depth0") return out = depth0, true;
    if (name == "previtem")
      return out = index0 > 0 ? before : value(value::origin{nullptr, "there is no previous item"}),
             true;
    if (name == "nextitem")
      return out = peek() ? after : value(value::origin{nullptr, "there is no next item"}), true;
    for (const std::string_view method : {"cycle", "changed"})
      if (name == method) return out = h.method(value(kind::loop, this), method), true;
    return false;
  }

  value cycle(const call_values& a) const {
    if (a.positional.empty() || !a.named.empty()) fail("no items for cycling given");
    const auto count = static_cast<std::int64_t>(a.positional.size());
    return a.positional[static_cast<std::size_t>(std::max<std::int64_t>(index0, 0) % count)];
  }
  bool changed(heap& h, const call_values& a) {
    if (!a.named.empty()) fail("loop.changed takes no keyword arguments");
    const value now = h.tuple(a.positional);
    if (has_last && equal(h, last, now)) return false;
    last = now;
    return has_last = true;
  }

  void clear() {
    pull = nullptr;
    current = before = after = last = value();
    has_after = has_last = false;
    index0 = -1, length = -1, depth0 = 0;
    render = nullptr;
  }

  puller pull;
  value current, before, after, last;
  bool has_after = false, has_last = false;
  std::int64_t index0 = -1, length = -1, depth0 = 0;
  // Renders the loop again for an inner sequence; only in recursive loops.
  std::function<value(const value&, std::int64_t depth)> render;
};

struct cycler_object : object {
  cycler_object(meter& m, values v)
      : object(m, sizeof(*this) + v.size() * sizeof(value)), items(std::move(v)) {
    for (const value& item : items) heap::nest(*this, item);
  }
  bool attribute(heap& h, std::string_view name, value& out) override {
    if (name == "current") return out = items[position], true;
    if (name == "items") return out = h.tuple(items), true;
    if (name == "pos") return out = static_cast<std::int64_t>(position), true;
    for (const std::string_view method : {"next", "reset"})
      if (name == method) return out = h.method(value(kind::cycler, this), method), true;
    return false;
  }
  value next() {
    const value v = items[position];
    position = (position + 1) % items.size();
    return v;
  }
  values items;
  std::size_t position = 0;
};

// Owns what lives until the end of the render.
class pool {
 public:
  explicit pool(heap& h) : heap_(h) {}
  pool(const pool&) = delete;
  pool& operator=(const pool&) = delete;
  ~pool() {
    // First drop all values, while everything that they refer to still exists.
    for (auto& s : scopes_) s->variables.clear();
    for (auto& n : namespaces_) n->attributes.clear();
    for (auto& l : loops_) l->clear();
  }

  scope* open(scope* parent) {
    scope* s;
    if (free_.empty()) {
      count();
      scopes_.push_back(std::make_unique<scope>());
      s = scopes_.back().get();
    } else {
      s = free_.back();
      free_.pop_back();
    }
    s->parent = parent;
    return s;
  }
  void close(scope* s) {
    if (s->captured) return;
    s->variables.clear();
    free_.push_back(s);
  }
  // Lends a loop object; it comes back unless a value still refers to it.
  loop_object* new_loop() {
    if (!free_loops_.empty()) {
      loop_object* l = free_loops_.back();
      free_loops_.pop_back();
      return l;
    }
    return add(loops_, new loop_object(heap_.meter()));
  }
  void done(loop_object* l) {
    if (l->references != 0) return;
    l->clear();
    free_loops_.push_back(l);
  }
  namespace_object* new_namespace() {
    return add(namespaces_, new namespace_object(heap_.meter()));
  }
  value new_macro(const node& n, const tree& t, scope* closure) {
    for (scope* s = closure; s != nullptr && !s->captured; s = s->parent) s->captured = true;
    return {kind::macro, add(macros_, new macro_object(heap_.meter(), n, t, closure))};
  }

 private:
  template <class T>
  T* add(std::vector<std::unique_ptr<T>>& list, T* made) {
    std::unique_ptr<T> owned(made);
    owned->pooled = true;
    count();
    list.push_back(std::move(owned));
    return made;
  }
  void count() {
    if (++count_ > max_items) fail("the template makes too many macros, namespaces or scopes");
  }
  heap& heap_;
  std::size_t count_ = 0;
  std::vector<std::unique_ptr<scope>> scopes_;
  std::vector<std::unique_ptr<namespace_object>> namespaces_;
  std::vector<std::unique_ptr<loop_object>> loops_;
  std::vector<std::unique_ptr<macro_object>> macros_;
  std::vector<scope*> free_;
  std::vector<loop_object*> free_loops_;
};

// Opens a scope for the length of a block.
class scoped {
 public:
  scoped(pool& p, scope* parent) : pool_(p), scope_(p.open(parent)) {}
  ~scoped() { pool_.close(scope_); }
  scoped(const scoped&) = delete;
  scoped& operator=(const scoped&) = delete;
  scope* get() const { return scope_; }
  // For the next turn of a loop.
  void renew() {
    scope* parent = scope_->parent;
    if (!scope_->captured) return scope_->variables.clear();
    scope_ = pool_.open(parent);
  }

 private:
  pool& pool_;
  scope* scope_;
};

// A parsed template with its filters and tests looked up by name index.
struct program {
  tree source;
  std::vector<const filter_entry*> filters;
  std::vector<const test_entry*> tests;
  name_id loop_name = no_index;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja

// SPDX-License-Identifier: Apache-2.0
// Renders a parsed template: statements, macros and the output.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "parlance/core/json.hpp"
#include "parlance/tokenizers/jinja_evaluator.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

// Byte positions of what {% generation %} blocks wrote.
using generation_spans = std::vector<std::pair<std::size_t, std::size_t>>;

class renderer : private evaluator {
 public:
  renderer(const program& p, std::function<std::string(std::string_view)> now)
      : evaluator(p, std::move(now)) {
    static constexpr std::pair<const char*, builtin> builtins[] = {
        {"range", builtin::range},
        {"dict", builtin::dict},
        {"namespace", builtin::name_space},
        {"raise_exception", builtin::raise_exception},
        {"strftime_now", builtin::strftime_now},
        {"cycler", builtin::cycler},
        {"joiner", builtin::joiner}};
    for (const auto& [name, which] : builtins)
      set(name, [&, w = which] { return heap_.make<function_object>(kind::function, w); });
  }

  // A variable of the template; later ones replace earlier ones.
  void set(const std::string& name, const json& v) {
    set(name, [&] { return from_json(v, 0); });
  }

  std::string run(generation_spans* spans = nullptr) {
    spans_ = spans;
    try {
      exec(tree_.root, pool_.open(nullptr));
    } catch (const fault& f) {
      fail_at(line_, f.message);
    }
    return std::move(output_);
  }

 private:
  enum class flow { normal, break_loop, continue_loop };

  template <class Make>
  void set(const std::string& name, Make make) requires std::is_invocable_v<Make> {
    const auto it = tree_.name_index.find(name);
    if (it == tree_.name_index.end()) return;
    try {
      context_[it->second] = make();
    } catch (const fault& f) {
      throw text_error("chat template: variable '" + name + "': " + f.message);
    }
    has_context_[it->second] = true;
  }

  value from_json(const json& v, int depth) {
    if (depth > max_nesting) fail("values nest too deep");
    switch (v.type()) {
      case json::value_t::boolean:
        return v.get<bool>();
      case json::value_t::number_integer:
        return v.get<std::int64_t>();
      case json::value_t::number_unsigned:
        return v.get<std::uint64_t>();
      case json::value_t::number_float:
        return v.get<double>();
      case json::value_t::string:
        return heap_.str(v.get_ref<const std::string&>());
      case json::value_t::array: {
        values items;
        items.reserve(v.size());
        for (const json& item : v) items.push_back(from_json(item, depth + 1));
        return heap_.list(std::move(items));
      }
      case json::value_t::object: {
        const value out = heap_.new_dict();
        for (const auto& [key, item] : v.items())
          heap_.put(out, heap_.str(key), from_json(item, depth + 1));
        return out;
      }
      default:
        return value::none();
    }
  }

  void write(std::string_view text) {
    if (text.size() > max_text - out_->size()) fail("the output is too long");
    heap_.read(text.size());
    *out_ += text;
  }

  // What `body` writes, instead of into the output.
  template <class Body>
  std::string capture(Body body) {
    std::string text;
    struct redirect {
      redirect(std::string*& place, std::string* to) : place_(place), old_(place) { place = to; }
      ~redirect() { place_ = old_; }
      std::string*& place_;
      std::string* old_;
    };
    const redirect r(out_, &text);
    body();
    return text;
  }

  flow exec(node_id id, scope* s) {
    const node& n = tree_.at(id);
    const deeper guard(*this);
    switch (n.type) {
      case node_type::body:
        for (std::uint32_t i = 0; i < n.list2.count; ++i) hide(tree_.item(n.list2, i), s);
        for (std::uint32_t i = 0; i < n.list.count; ++i)
          if (const flow f = exec(tree_.item(n.list, i), s); f != flow::normal) return f;
        return flow::normal;
      case node_type::data:
        return write(tree_.constants[n.index].s), flow::normal;
      case node_type::output:
        return exec_output(n, s), flow::normal;
      case node_type::branch:
        return exec_branch(n, s);
      case node_type::loop:
        return exec_for(n, s);
      case node_type::assign:
        return exec_assign(n, s), flow::normal;
      case node_type::assign_block:
        return exec_assign_block(n, s);
      case node_type::macro:
        s->set(n.name, pool_.new_macro(n, tree_, s));
        return flow::normal;
      case node_type::call_block:
        return exec_call_block(n, s), flow::normal;
      case node_type::filter_block:
        return exec_filter_block(n, s);
      case node_type::with:
        return exec_with(n, s);
      case node_type::block: {
        scope* root = s;
        while (n.flag == 0 && root->parent != nullptr) root = root->parent;
        return exec(n.c, scoped(pool_, root).get());
      }
      case node_type::generation:
        return exec_generation(n, s), flow::normal;
      case node_type::break_loop:
        return flow::break_loop;
      case node_type::continue_loop:
        return flow::continue_loop;
      default:
        fail("this is not a statement");
    }
  }

  void hide(name_id name, scope* s) {
    s->set(name, value(value::origin{&tree_.names[name], nullptr}));
  }

  void exec_output(const node& n, scope* s) {
    const value v = eval(n.a, s);
    line_ = n.line;
    write(text_of(heap_, v));
  }

  flow exec_branch(const node& n, scope* s) {
    for (std::uint32_t i = 0; i < n.list.count; i += 2)
      if (truth(eval(tree_.item(n.list, i), s))) return exec(tree_.item(n.list, i + 1), s);
    return n.c != no_node ? exec(n.c, s) : flow::normal;
  }

  void assign(node_id target, const value& v, scope* s) {
    const node& n = tree_.at(target);
    if (n.type == node_type::name) return s->set(n.name, v);
    if (n.type == node_type::namespace_target) {
      const value object = lookup(n.name, s);
      line_ = n.line;
      if (!object.is(kind::name_space)) fail("cannot assign attribute on non-namespace object");
      auto& space = object.as<namespace_object>();
      const std::string& name = tree_.names[n.index];
      if (value* old = space.find(name))
        *old = v;
      else
        space.attributes.emplace_back(name, v);
      return;
    }
    line_ = n.line;
    const values items = collect(heap_, v);
    if (items.size() != n.list.count)
      fail("expected " + std::to_string(n.list.count) + " values to unpack, found " +
           std::to_string(items.size()));
    for (std::uint32_t i = 0; i < n.list.count; ++i) assign(tree_.item(n.list, i), items[i], s);
  }

  void exec_assign(const node& n, scope* s) { assign(n.a, eval(n.b, s), s); }

  flow exec_assign_block(const node& n, scope* s) {
    const scoped inner(pool_, s);
    flow f = flow::normal;
    std::string text = capture([&] { f = exec(n.c, inner.get()); });
    if (f != flow::normal) return f;
    value v = heap_.str(std::move(text));
    if (n.b != no_node) v = filter_text(n.b, std::move(v), inner.get());
    assign(n.a, v, s);
    return f;
  }

  value filter_text(node_id filters, value text, scope* s) {
    std::swap(captured_, text);
    value out = eval(filters, s);
    std::swap(captured_, text);
    return out;
  }

  flow exec_filter_block(const node& n, scope* s) {
    const scoped inner(pool_, s);
    flow f = flow::normal;
    std::string text = capture([&] { f = exec(n.c, inner.get()); });
    if (f != flow::normal) return f;
    const value v = filter_text(n.b, heap_.str(std::move(text)), inner.get());
    write(text_of(heap_, v));
    return f;
  }

  flow exec_with(const node& n, scope* s) {
    values made;
    for (std::uint32_t i = 1; i < n.list.count; i += 2)
      made.push_back(eval(tree_.item(n.list, i), s));
    const scoped inner(pool_, s);
    for (std::uint32_t i = 0; i < n.list.count; i += 2)
      assign(tree_.item(n.list, i), made[i / 2], inner.get());
    return exec(n.c, inner.get());
  }

  void exec_generation(const node& n, scope* s) {
    const scoped inner(pool_, s);
    const std::size_t start = out_->size();
    exec(n.c, inner.get());
    if (spans_ != nullptr && out_ == &output_) spans_->emplace_back(start, out_->size());
  }

  // The items of a loop: all of them, or those that pass its test. The test runs when an item is
  // wanted, not before.
  puller loop_items(const node& n, scope* s, const value& source) {
    auto from = std::make_shared<cursor>(heap_, source);
    if (n.d == no_node) return [from](value& out) { return from->next(out); };
    return [this, &n, s, from](value& out) {
      const scoped inner(pool_, s);
      while (from->next(out)) {
        inner.get()->variables.clear();
        assign(n.a, out, inner.get());
        if (!truth(eval(n.d, inner.get()))) continue;
        if (tree_.at(n.a).type == node_type::tuple) out = eval(n.a, inner.get());
        return true;
      }
      return false;
    };
  }

  flow exec_for(const node& n, scope* s) {
    const value source = eval(n.b, s);
    line_ = n.line;
    return run_loop(n, s, source, 0);
  }

  // Returns how the else block ended: a break in it belongs to the loop around.
  flow run_loop(const node& n, scope* s, const value& source, std::int64_t depth) {
    struct lease {
      lease(pool& p) : pool_(p), loop(p.new_loop()) {}
      ~lease() { pool_.done(loop); }
      pool& pool_;
      loop_object* loop;
    };
    const lease leased(pool_);
    loop_object& loop = *leased.loop;
    loop.pull = loop_items(n, s, source);
    loop.length = n.d == no_node ? length_of(source) : -1;
    loop.depth0 = depth;
    if ((n.flag & loop_recursive) != 0)
      loop.render = [this, &n, s](const value& inner, std::int64_t level) {
        return heap_.str(capture([&] { run_loop(n, s, inner, level); }));
      };
    if ((n.flag & loop_uses_loop) != 0) s->captured = s->captured || n.d != no_node || loop.render;
    bool any = false;
    {
      scoped inner(pool_, s);
      while (loop.advance()) {
        any = true;
        heap_.step();
        inner.renew();
        if ((n.flag & loop_uses_loop) != 0 && program_.loop_name != no_index)
          inner.get()->set(program_.loop_name, value(kind::loop, &loop));
        assign(n.a, loop.current, inner.get());
        if (exec(n.c, inner.get()) == flow::break_loop) break;
      }
    }
    if (any || n.list.count == 0) return flow::normal;
    return exec(tree_.item(n.list, 0), scoped(pool_, s).get());
  }

  void exec_call_block(const node& n, scope* s) {
    const value caller = pool_.new_macro(n, tree_, s);
    const value v = eval_call(tree_.at(n.a), s, &caller);
    line_ = n.line;
    write(text_of(heap_, v));
  }

  // jinja2.runtime.Macro.__call__.
  value call_macro(const macro_object& macro, call_values& args) override {
    if (macros_ >= max_macro_depth) fail("macros call each other too deep");
    struct count {
      explicit count(int& n) : n_(n) { ++n_; }
      ~count() { --n_; }
      int& n_;
    };
    const node& n = *macro.definition;
    const count guard(macros_);
    const scoped body(pool_, macro.closure);
    std::vector<char> missing(n.list.count);
    bool found_caller = false;
    for (std::uint32_t i = 0; i < n.list.count; ++i) {
      const name_id name = tree_.item(n.list, i);
      found_caller = found_caller || tree_.names[name] == "caller";
      if (i < args.positional.size()) {
        body.get()->set(name, args.positional[i]);
      } else if (!take_named(args, tree_.names[name], body.get(), name)) {
        hide(name, body.get());
        missing[i] = true;
      }
    }
    bind_specials(n, args, found_caller, body.get());
    const std::uint32_t required = n.list.count - n.list2.count;
    for (std::uint32_t i = required; i < n.list.count; ++i)
      if (missing[i])
        body.get()->set(tree_.item(n.list, i), eval(tree_.item(n.list2, i - required), body.get()));
    return heap_.str(capture([&] { exec(n.c, body.get()); }));
  }

  bool take_named(call_values& args, std::string_view key, scope* s, name_id name) {
    for (std::size_t i = 0; i < args.named.size(); ++i) {
      if (args.named[i].first != key) continue;
      s->set(name, std::move(args.named[i].second));
      args.named.erase(args.named.begin() + static_cast<std::ptrdiff_t>(i));
      return true;
    }
    return false;
  }

  void bind_specials(const node& n, call_values& args, bool found_caller, scope* s) {
    const auto id = [&](const char* name) { return tree_.name_index.at(name); };
    if ((n.flag & macro_uses_caller) != 0 && !found_caller) {
      const name_id caller = id("caller");
      if (!take_named(args, "caller", s, caller) || lookup(caller, s).is_none())
        s->set(caller, value(value::origin{nullptr, "No caller defined"}));
    }
    if ((n.flag & macro_uses_kwargs) != 0) {
      const value kwargs = heap_.new_dict();
      for (auto& [key, v] : args.named) heap_.put(kwargs, heap_.str(key), std::move(v));
      s->set(id("kwargs"), kwargs);
    } else if (!args.named.empty()) {
      fail("a macro takes no keyword argument '" + args.named[0].first + "'");
    }
    if ((n.flag & macro_uses_varargs) != 0) {
      values rest;
      for (std::size_t i = n.list.count; i < args.positional.size(); ++i)
        rest.push_back(args.positional[i]);
      s->set(id("varargs"), heap_.tuple(std::move(rest)));
    } else if (args.positional.size() > n.list.count) {
      fail("a macro takes not more than " + std::to_string(n.list.count) + " arguments");
    }
  }

  std::string output_;
  std::string* out_ = &output_;
  generation_spans* spans_ = nullptr;
  int macros_ = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja

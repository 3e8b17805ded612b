// SPDX-License-Identifier: Apache-2.0
// Evaluates expressions of a parsed template. Statements are in jinja_renderer.hpp.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/jinja_runtime.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

// Nesting of expressions, statements and macro calls together: what the stack has to hold.
inline constexpr int max_evaluation_depth = 2500;

class evaluator {
 public:
  evaluator(const evaluator&) = delete;
  evaluator& operator=(const evaluator&) = delete;
  virtual ~evaluator() = default;

 protected:
  evaluator(const program& p, std::function<std::string(std::string_view)> now)
      : program_(p), tree_(p.source), now_(std::move(now)), pool_(heap_) {
    constants_.resize(tree_.constants.size());
    context_.resize(tree_.names.size());
    has_context_.resize(tree_.names.size());
  }

  virtual value call_macro(const macro_object& macro, call_values& args) = 0;

  class deeper {
   public:
    explicit deeper(evaluator& e) : evaluator_(e) {
      if (++evaluator_.depth_ > max_evaluation_depth) {
        --evaluator_.depth_;
        fail("the template recurses too deep");
      }
    }
    ~deeper() { --evaluator_.depth_; }
    deeper(const deeper&) = delete;
    deeper& operator=(const deeper&) = delete;

   private:
    evaluator& evaluator_;
  };

  const value& make_constant(std::uint32_t index) {
    value& v = constants_[index];
    if (!v.is_undefined()) return v;
    const constant& c = tree_.constants[index];
    switch (c.type) {
      case constant::null:
        v = value::none();
        break;
      case constant::boolean:
        v = c.b;
        break;
      case constant::whole:
        v = c.i;
        break;
      case constant::real:
        v = c.d;
        break;
      case constant::text:
        v = heap_.str(c.s);
        break;
    }
    return v;
  }

  value lookup(name_id name, const scope* s) const {
    for (; s != nullptr; s = s->parent)
      for (const auto& [id, v] : s->variables)
        if (id == name) return v;
    if (has_context_[name]) return context_[name];
    return value(value::origin{&tree_.names[name], nullptr});
  }

  value eval(node_id id, scope* s) {
    const node& n = tree_.at(id);
    switch (n.type) {
      case node_type::constant:
        return make_constant(n.index);
      case node_type::name:
        return lookup(n.name, s);
      default:
        break;
    }
    const deeper guard(*this);
    switch (n.type) {
      case node_type::tuple:
        return heap_.tuple(eval_list(n.list, s));
      case node_type::list:
        return heap_.list(eval_list(n.list, s));
      case node_type::dict:
        return eval_dict(n, s);
      case node_type::attribute:
        return eval_attribute(n, s);
      case node_type::item:
        return eval_item(n, s);
      case node_type::call:
        return eval_call(n, s, nullptr);
      case node_type::filter:
        return eval_filter(n, s);
      case node_type::test:
        return eval_test(n, s);
      case node_type::unary:
        return eval_unary(n, s);
      case node_type::binary:
        return eval_binary(n, s);
      case node_type::logic_and:
        return eval_logic(n, s, false);
      case node_type::logic_or:
        return eval_logic(n, s, true);
      case node_type::logic_not:
        return !truth(eval(n.a, s));
      case node_type::compare:
        return eval_compare(n, s);
      case node_type::concat:
        return eval_concat(n, s);
      case node_type::condition:
        return eval_condition(n, s);
      default:
        fail("this cannot be evaluated");
    }
  }

  values eval_list(span list, scope* s) {
    values out;
    out.reserve(list.count);
    for (std::uint32_t i = 0; i < list.count; ++i) out.push_back(eval(tree_.item(list, i), s));
    return out;
  }

  value eval_dict(const node& n, scope* s) {
    const value out = heap_.new_dict();
    for (std::uint32_t i = 0; i < n.list.count; i += 2) {
      value key = eval(tree_.item(n.list, i), s);
      value v = eval(tree_.item(n.list, i + 1), s);
      line_ = n.line;
      heap_.put(out, std::move(key), std::move(v));
    }
    return out;
  }

  value eval_attribute(const node& n, scope* s) {
    const value object = eval(n.a, s);
    line_ = n.line;
    return get_attribute(heap_, object, tree_.names[n.name], true);
  }

  value eval_item(const node& n, scope* s) {
    const value object = eval(n.a, s);
    const node& key = tree_.at(n.b);
    if (key.type != node_type::slice) {
      const value k = eval(n.b, s);
      line_ = n.line;
      return get_item(heap_, object, k);
    }
    const auto part = [&](node_id id) { return id == no_node ? value::none() : eval(id, s); };
    const value start = part(key.b), stop = part(key.c), step = part(key.d);
    line_ = n.line;
    return slice(heap_, object, start, stop, step);
  }

  value eval_unary(const node& n, scope* s) {
    const value v = eval(n.a, s);
    line_ = n.line;
    return unary(n.op, v);
  }

  value eval_binary(const node& n, scope* s) {
    const value a = eval(n.a, s), b = eval(n.b, s);
    line_ = n.line;
    return binary(heap_, n.op, a, b);
  }

  value eval_logic(const node& n, scope* s, bool stop_at) {
    value v = eval(n.a, s);
    return truth(v) == stop_at ? v : eval(n.b, s);
  }

  value eval_compare(const node& n, scope* s) {
    value left = eval(n.a, s);
    for (std::uint32_t i = 0; i < n.list.count; i += 2) {
      value right = eval(tree_.item(n.list, i + 1), s);
      line_ = n.line;
      if (!compare(heap_, static_cast<op_type>(tree_.item(n.list, i)), left, right)) return false;
      left = std::move(right);
    }
    return true;
  }

  value eval_concat(const node& n, scope* s) {
    std::string out;
    for (std::uint32_t i = 0; i < n.list.count; ++i) {
      const value v = eval(tree_.item(n.list, i), s);
      line_ = n.line;
      out += text_of(heap_, v);
      require_text_size(out.size());
    }
    return heap_.str(std::move(out));
  }

  value eval_condition(const node& n, scope* s) {
    if (truth(eval(n.a, s))) return eval(n.b, s);
    if (n.c != no_node) return eval(n.c, s);
    return value(value::origin{nullptr, "the inline if-expression was false and has no else"});
  }

  void eval_arguments(std::uint32_t index, scope* s, call_values& out) {
    const arguments& args = tree_.calls[index];
    out.positional.reserve(out.positional.size() + args.positional.count);
    for (std::uint32_t i = 0; i < args.positional.count; ++i)
      out.positional.push_back(eval(tree_.item(args.positional, i), s));
    for (const auto& [name, id] : args.named)
      out.named.emplace_back(tree_.names[name], eval(id, s));
    if (args.star != no_node)
      for (value& v : collect(heap_, eval(args.star, s))) out.positional.push_back(std::move(v));
    if (args.double_star == no_node) return;
    const value more = eval(args.double_star, s);
    if (!more.is_dict()) fail("the argument after ** must be a mapping");
    for (const auto& [key, v] : more.dict().items) {
      if (!key.is_string()) fail("keywords must be strings");
      if (out.find(key.text()) != nullptr) fail("multiple values for a keyword argument");
      out.named.emplace_back(key.text(), v);
    }
  }

  value eval_filter(const node& n, scope* s) {
    call_values args;
    args.positional.push_back(n.a == no_node ? captured_ : eval(n.a, s));
    eval_arguments(n.index, s, args);
    line_ = n.line;
    const filter_entry* filter = program_.filters[n.name];
    if (filter == nullptr) fail("no filter named '" + tree_.names[n.name] + "'");
    heap_.read(args.positional[0]);
    return filter->run(heap_, args);
  }

  value eval_test(const node& n, scope* s) {
    call_values args;
    args.positional.push_back(eval(n.a, s));
    eval_arguments(n.index, s, args);
    line_ = n.line;
    const test_entry* test = program_.tests[n.name];
    if (test == nullptr) fail("no test named '" + tree_.names[n.name] + "'");
    heap_.read(args.positional[0]);
    return test->run(heap_, args);
  }

  // `caller` is what a call block passes on.
  value eval_call(const node& n, scope* s, const value* caller) {
    const node& callee = tree_.at(n.a);
    value function;
    value self;
    const method_entry* method = nullptr;
    if (callee.type == node_type::attribute) {
      // The usual case, text.strip(): no need to make a method value.
      self = eval(callee.a, s);
      line_ = n.line;
      method = find_method(self.type(), tree_.names[callee.name]);
      if (method != nullptr && method->run == nullptr)
        fail("a template may not change a list or a dict");
      if (method == nullptr) function = get_attribute(heap_, self, tree_.names[callee.name], true);
    } else {
      function = eval(n.a, s);
    }
    call_values args;
    eval_arguments(n.index, s, args);
    if (caller != nullptr) args.named.emplace_back("caller", *caller);
    line_ = n.line;
    if (method == nullptr) return call(function, args);
    heap_.read(self);
    return method->run(heap_, self, args);
  }

  value call(const value& function, call_values& args) {
    heap_.step();
    switch (function.type()) {
      case kind::undefined:
        fail_undefined(function);
      case kind::macro:
        return call_macro(function.as<macro_object>(), args);
      case kind::function:
        return call_builtin(function.as<function_object>().which, args);
      case kind::method:
        return call_method(function.as<method_object>(), args);
      case kind::loop: {
        auto& loop = function.as<loop_object>();
        const bound b(args, "loop", {"iterable"}, 1);
        if (!loop.render) fail("the loop must have the 'recursive' marker to be called");
        return loop.render(b[0], loop.depth0 + 1);
      }
      case kind::joiner: {
        auto& joiner = function.as<joiner_object>();
        bound(args, "joiner", {});
        if (joiner.used) return joiner.separator;
        joiner.used = true;
        return heap_.str("");
      }
      default:
        fail(std::string("'") + heap::type_name(function) + "' object is not callable");
    }
  }

  value call_method(const method_object& m, call_values& args) {
    if (m.self.is(kind::loop)) {
      auto& loop = m.self.as<loop_object>();
      return m.name == "cycle" ? loop.cycle(args) : value(loop.changed(heap_, args));
    }
    if (m.self.is(kind::cycler)) {
      bound(args, "cycler", {});
      auto& cycler = m.self.as<cycler_object>();
      if (m.name == "next") return cycler.next();
      cycler.position = 0;
      return value::none();
    }
    heap_.read(m.self);
    return find_method(m.self.type(), m.name)->run(heap_, m.self, args);
  }

  value call_builtin(builtin which, call_values& args) {
    switch (which) {
      case builtin::range:
        return make_range(args);
      case builtin::dict:
        return make_dict(args);
      case builtin::name_space: {
        const value from = make_dict(args);
        namespace_object* out = pool_.new_namespace();
        for (const auto& [key, v] : from.dict().items) {
          if (!key.is_string()) fail("attributes of a namespace must be strings");
          out->attributes.emplace_back(key.text(), v);
        }
        return {kind::name_space, out};
      }
      case builtin::raise_exception:
        fail(to_text(heap_, bound(args, "raise", {"message"}, 1)[0]));
      case builtin::strftime_now:
        return heap_.str(now_(bound(args, "strftime_now", {"format"}, 1).text(0)));
      case builtin::cycler:
        if (args.positional.empty() || !args.named.empty()) fail("cycler needs at least one item");
        return heap_.make<cycler_object>(kind::cycler, args.positional);
      case builtin::joiner: {
        const bound b(args, "joiner", {"sep"});
        const value separator = b.has(0) ? b[0] : heap_.str(", ");
        const value out = heap_.make<joiner_object>(kind::joiner, separator);
        heap::nest(*out.get(), separator);
        return out;
      }
    }
    return {};
  }

  value make_range(call_values& args) {
    const bound b(args, "range", {"", "", ""}, 1);
    const std::int64_t start = b.has(1) ? b.number(0, 0) : 0;
    const std::int64_t stop = b.has(1) ? b.number(1, 0) : b.number(0, 0);
    const std::int64_t step = b.number(2, 1);
    if (step == 0) fail("range() arg 3 must not be zero");
    value out = heap_.make<range_object>(kind::range, start, stop, step);
    if (out.as<range_object>().size() > 100'000)
      fail("Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
    return out;
  }

  value make_dict(call_values& args) {
    if (args.positional.size() > 1) fail("dict expected at most 1 argument");
    value out = heap_.new_dict();
    if (!args.positional.empty()) {
      const value& from = args.positional[0];
      if (from.is_dict()) {
        for (const auto& [key, v] : from.dict().items) heap_.put(out, key, v);
      } else {
        cursor c(heap_, from);
        for (value item; c.next(item);) {
          values pair = collect(heap_, item);
          if (pair.size() != 2) fail("a dict needs pairs");
          heap_.put(out, pair[0], pair[1]);
        }
      }
    }
    for (const auto& [key, v] : args.named) heap_.put(out, heap_.str(key), v);
    return out;
  }

  const program& program_;
  const tree& tree_;
  std::function<std::string(std::string_view)> now_;
  heap heap_;
  pool pool_;
  std::vector<value> constants_, context_;
  std::vector<char> has_context_;
  value captured_;  // the text of a filter block
  std::uint32_t line_ = 1;
  int depth_ = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja

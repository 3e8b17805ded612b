// SPDX-License-Identifier: Apache-2.0
// Which variables a frame hides before it assigns them. Jinja2 decides at compile time where a name
// lives (jinja2/idtracking.py): a name that a frame assigns without having read it belongs to the
// frame from its start, so an inner frame that reads it earlier finds it undefined, not the
// variable of the same name that was passed to the template.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "parlance/tokenizers/jinja_ast.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

class scoping {
 public:
  explicit scoping(tree& t) : tree_(t) {}

  void run() { frame(tree_.root, {}, nullptr); }

 private:
  enum class load { parameter, resolve, undefined };

  struct symbols {
    const symbols* parent = nullptr;
    std::map<name_id, load> loads;
    std::set<name_id> stores;

    bool knows(name_id name) const {
      for (const symbols* s = this; s != nullptr; s = s->parent)
        if (s->loads.count(name) > 0) return true;
      return false;
    }
    void read(name_id name) {
      if (!knows(name)) loads.emplace(name, load::resolve);
    }
    void store(name_id name) {
      stores.insert(name);
      if (loads.count(name) > 0) return;
      const bool outer = parent != nullptr && parent->knows(name);
      loads.emplace(name, outer ? load::resolve : load::undefined);
    }
  };

  // Analyses a body that is a frame of its own, then the frames in it. `parameters` are names that
  // have a value on entry.
  void frame(node_id body, const std::vector<name_id>& parameters, const symbols* parent) {
    if (body == no_node) return;
    symbols s;
    s.parent = parent;
    for (const name_id name : parameters) s.loads[name] = load::parameter, s.stores.insert(name);
    visit(body, s);
    std::vector<std::uint32_t> hidden;
    for (const auto& [name, how] : s.loads)
      if (how == load::undefined) hidden.push_back(name);
    tree_.nodes[body].list2 = {static_cast<std::uint32_t>(tree_.lists.size()),
                               static_cast<std::uint32_t>(hidden.size())};
    tree_.lists.insert(tree_.lists.end(), hidden.begin(), hidden.end());
    inner_frames(body, s);
  }

  void target_names(node_id id, std::vector<name_id>& out) const {
    const node& n = tree_.at(id);
    if (n.type == node_type::name) out.push_back(n.name);
    for (std::uint32_t i = 0; n.type == node_type::tuple && i < n.list.count; ++i)
      target_names(tree_.item(n.list, i), out);
  }

  // The frames directly below the statements of `id`.
  void inner_frames(node_id id, const symbols& s) {
    const node n = tree_.at(id);
    std::vector<name_id> names;
    switch (n.type) {
      case node_type::body:
        for (std::uint32_t i = 0; i < n.list.count; ++i) inner_frames(tree_.item(n.list, i), s);
        return;
      case node_type::branch:
        for (std::uint32_t i = 1; i < n.list.count; i += 2) inner_frames(tree_.item(n.list, i), s);
        if (n.c != no_node) inner_frames(n.c, s);
        return;
      case node_type::loop:
        target_names(n.a, names);
        if ((n.flag & loop_uses_loop) != 0) names.push_back(tree_.intern("loop"));
        frame(n.c, names, &s);
        if (n.list.count > 0) frame(tree_.item(n.list, 0), {}, &s);
        return;
      case node_type::macro:
      case node_type::call_block:
        for (std::uint32_t i = 0; i < n.list.count; ++i) names.push_back(tree_.item(n.list, i));
        if ((n.flag & macro_uses_caller) != 0) names.push_back(tree_.intern("caller"));
        if ((n.flag & macro_uses_kwargs) != 0) names.push_back(tree_.intern("kwargs"));
        if ((n.flag & macro_uses_varargs) != 0) names.push_back(tree_.intern("varargs"));
        return frame(n.c, names, &s);
      case node_type::with:
        for (std::uint32_t i = 0; i < n.list.count; i += 2)
          target_names(tree_.item(n.list, i), names);
        return frame(n.c, names, &s);
      case node_type::assign_block:
      case node_type::filter_block:
      case node_type::generation:
        return frame(n.c, names, &s);
      case node_type::block:
        return frame(n.c, names, nullptr);
      default:
        return;
    }
  }

  void store_target(node_id id, symbols& s) {
    const node& n = tree_.at(id);
    if (n.type == node_type::namespace_target) return s.read(n.name);
    if (n.type == node_type::name) return s.store(n.name);
    for (std::uint32_t i = 0; i < n.list.count; ++i) store_target(tree_.item(n.list, i), s);
  }

  // Statements and expressions in the order in which Jinja2 looks at them; frames are not entered.
  void visit(node_id id, symbols& s) {
    if (id == no_node) return;
    const node& n = tree_.at(id);
    switch (n.type) {
      case node_type::name:
        return s.read(n.name);
      case node_type::branch:
        return visit_branch(n, s);
      case node_type::loop:
        return visit(n.b, s);
      case node_type::macro:
        return s.store(n.name);
      case node_type::call_block:
        return visit(n.a, s);
      case node_type::filter_block:
        return visit(n.b, s);
      case node_type::assign_block:
        return store_target(n.a, s);
      case node_type::assign:
        visit(n.b, s);
        return store_target(n.a, s);
      case node_type::with:
        for (std::uint32_t i = 1; i < n.list.count; i += 2) visit(tree_.item(n.list, i), s);
        return;
      case node_type::block:
      case node_type::generation:
        return;
      case node_type::compare:
        visit(n.a, s);
        for (std::uint32_t i = 1; i < n.list.count; i += 2) visit(tree_.item(n.list, i), s);
        return;
      default:
        break;
    }
    for (const node_id child : {n.a, n.b, n.c, n.d}) visit(child, s);
    for (std::uint32_t i = 0; i < n.list.count; ++i) visit(tree_.item(n.list, i), s);
    const bool called =
        n.type == node_type::call || n.type == node_type::filter || n.type == node_type::test;
    if (called) visit_arguments(tree_.calls[n.index], s);
  }

  void visit_arguments(const arguments& args, symbols& s) {
    for (std::uint32_t i = 0; i < args.positional.count; ++i)
      visit(tree_.item(args.positional, i), s);
    for (const auto& [_, id] : args.named) visit(id, s);
    visit(args.star, s);
    visit(args.double_star, s);
  }

  // Names that a branch assigns keep the value that they have outside of it.
  void visit_branch(const node& n, symbols& s) {
    visit(tree_.item(n.list, 0), s);
    std::vector<symbols> branches(3, s);
    visit(tree_.item(n.list, 1), branches[0]);
    for (std::uint32_t i = 2; i < n.list.count; i += 2) visit_elif(n, i, branches[1]);
    visit(n.c, branches[2]);
    merge(branches, s);
  }

  void visit_elif(const node& n, std::uint32_t at, symbols& s) {
    visit(tree_.item(n.list, at), s);
    std::vector<symbols> branches(1, s);
    visit(tree_.item(n.list, at + 1), branches[0]);
    merge(branches, s);
  }

  static void merge(const std::vector<symbols>& branches, symbols& s) {
    std::set<name_id> stored;
    for (const symbols& branch : branches)
      for (const name_id name : branch.stores)
        if (s.stores.count(name) == 0) stored.insert(name);
    for (const symbols& branch : branches) {
      for (const auto& [name, how] : branch.loads) s.loads[name] = how;
      s.stores.insert(branch.stores.begin(), branch.stores.end());
    }
    for (const name_id name : stored) s.loads[name] = load::resolve;
  }

  tree& tree_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja

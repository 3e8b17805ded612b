# SPDX-License-Identifier: Apache-2.0
# Random template snippets with what Jinja2 (through the environment of transformers) makes of them.
# Usage: python tests/reference/jinja_snippets.py OUT.json [COUNT] [SEED]
# The file: {"variables": {...}, "rows": [[snippet, output or null for an error], ...]}
import copy
import json
import random
import re
import sys

from transformers.utils.chat_template_utils import _compile_jinja_template

VARIABLES = {
    "i": 7, "j": -3, "z": 0, "f": 2.5, "g": -0.125, "t": True, "n": None,
    "s": "Hello, World", "e": "", "u": "Grüße, 世界 😀\n", "w": "  pad\t", "h": "<b>&'\"",
    "l": [3, 1, 2], "k": ["b", "A", "c", "a"], "o": [], "m": [1, "x", None, 2.5],
    "d": {"a": 1, "b": [1, 2], "c": {"x": "y"}}, "q": {}, "p": [[1, 2], [3, 4]],
    "r": [{"name": "Zoe", "age": 30, "tags": ["x"]}, {"name": "adam", "age": 25, "tags": []},
          {"name": "Bob", "age": 30}],
}
FILTERS = [
    "abs", "batch({i})", "capitalize", "center({i})", "count", "default({x})", "default({x}, true)",
    "d({x})", "dictsort", "dictsort(true, 'value')", "escape", "e", "first", "float", "float({x})",
    "format({x})", "groupby('age')", "indent", "indent(2)", "indent({i}, true)", "int", "int({x})",
    "int(0, 16)", "items", "items|list", "join", "join(', ')", "join({s})", "join(',', attribute='name')",
    "last", "length", "list", "lower", "map('upper')|list", "map(attribute='name')|list",
    "map(attribute='age', default=0)|sum", "map('default', 1)|list", "max", "min",
    "reject('none')|list", "rejectattr('age', 'gt', 26)|list", "replace({s}, {s})",
    "replace('l', 'L', 1)", "reverse", "reverse|list", "round", "round(1)", "round(0, 'floor')",
    "round({i}, 'ceil')", "safe", "select|list", "select('odd')|list", "select('string')|list",
    "selectattr('age', 'equalto', 30)|map(attribute='name')|join('/')", "selectattr('tags')|list",
    "slice(2)|list", "slice({i}, {x})|list", "sort", "sort(reverse=true)", "sort(attribute='age')",
    "sort(attribute='age,name')", "sort(case_sensitive=true)", "string", "sum", "sum(start={x})",
    "title", "tojson", "tojson(indent=2)", "tojson(separators=(',', ':'))", "tojson(sort_keys=true)",
    "tojson(ensure_ascii=true)", "trim", "trim({s})", "truncate(9)", "truncate(5, true, '..', 0)",
    "unique|list", "upper", "wordcount", "attr('upper')", "nofilter", "forceescape", "batch(2, 0)|list",
]
TESTS = [
    "defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number", "string",
    "mapping", "sequence", "iterable", "callable", "odd", "even", "divisibleby({i})", "divisibleby 2",
    "eq({x})", "equalto {x}", "ne({x})", "gt({x})", "lt({x})", "ge 2", "le({x})", "in({x})", "sameas({x})",
    "lower", "upper", "escaped", "filter", "test",
]
METHODS = [
    "upper()", "lower()", "strip()", "strip({s})", "lstrip()", "rstrip('d')", "split()", "split({s})",
    "split(',', 1)", "rsplit(' ', 1)", "splitlines()", "startswith({s})", "endswith({s})",
    "startswith(('a', 'H'))", "replace({s}, {s})", "replace('l', '', 1)", "find({s})", "rfind('o')",
    "index({s})", "count({s})", "title()", "capitalize()", "swapcase()", "join({x})", "join(k)",
    "format({x}, a=1)", "zfill(9)", "center(11, '*')", "ljust(9)", "rjust({i}, '-')", "isdigit()",
    "isalpha()", "isupper()", "isspace()", "partition(',')", "rpartition('o')", "removeprefix('He')",
    "removesuffix({s})", "expandtabs(3)", "items()", "keys()", "values()", "get({x})", "get('a', {x})",
    "items()|list", "copy()", "append(1)", "pop()", "update({{}})", "count(1)", "index({x})", "name",
    "age", "a", "c.x", "__class__", "_private", "real", "nothing",
]
FORMATS = ["'%s'", "'%5s|%-4s'", "'%d'", "'%05.1f'", "'%x'", "'%r'", "'%s %s'", "'%(a)s'", "'%%'", "'%c'",
           "'%+d'", "'%e'", "'%g'"]
STR_FORMATS = ["'{}'", "'{0}-{1}'", "'{:>8}'", "'{:.2f}'", "'{:05d}'", "'{!r:<9}'", "'{:,}'", "'{:x}'",
               "'{:^7}'", "'{0[0]}'", "'{:e}'", "'{:%}'", "'{{}}'", "'{:+}'"]


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.local = []

    def pick(self, items):
        return self.r.choice(items)

    def atom(self):
        r = self.r.random()
        if r < 0.45:
            return self.pick(list(VARIABLES) + self.local + ["nope"])
        if r < 0.6:
            return str(self.r.choice([0, 1, 2, 3, 5, 10, 255, 123456789, 10**18, -1]))
        if r < 0.68:
            return self.pick(["0.5", "1.0", "2.25", "1e3", "1e22", "1e-7", "123.456", "0.1", "3.0e-2"])
        if r < 0.88:
            return self.pick(["''", "'a'", "'Hello'", "'x,y'", "\"it's\"", "'%d'", "'é\\n'", "'12'", "'3.5'",
                              "' b '", "'l'", "'o'", "'name'", "'a' 'b'", "'0x1f'", "'\\u00e9\\t\\x41'"])
        return self.pick(["true", "false", "none", "True", "None", "[]", "{}", "()"])

    def fill(self, text):
        text = text.replace("{x}", self.expr(1)).replace("{i}", str(self.r.randint(-1, 5)))
        while "{s}" in text:
            text = text.replace("{s}", self.pick(["'l'", "' '", "','", "'He'", "'World'", "''", "'a'", "s"]), 1)
        return text.replace("{{}}", "{}")

    def expr(self, depth):
        if depth <= 0:
            return self.atom()
        kind = self.r.random()
        e = lambda: self.expr(depth - 1)
        if kind < 0.1:
            return self.atom()
        if kind < 0.22:
            return f"{e()} {self.pick(['+', '-', '*', '/', '//', '%', '~', '~', '+', '**'])} {self.small()}"
        if kind < 0.30:
            return f"{e()} {self.pick(['==', '!=', '<', '<=', '>', '>=', 'in', 'not in'])} {e()}"
        if kind < 0.35:
            return f"{e()} {self.pick(['and', 'or'])} {e()}"
        if kind < 0.38:
            return f"not {e()}"
        if kind < 0.42:
            return f"({e()} if {e()}{' else ' + e() if self.r.random() < 0.7 else ''})"
        if kind < 0.56:
            return f"{self.operand(depth)}|{self.fill(self.pick(FILTERS))}"
        if kind < 0.63:
            return f"{self.operand(depth)} is {'not ' if self.r.random() < 0.2 else ''}{self.fill(self.pick(TESTS))}"
        if kind < 0.77:
            return f"{self.operand(depth)}.{self.fill(self.pick(METHODS))}"
        if kind < 0.84:
            index = self.index(depth)
            # Slices of constants are folded by other rules than slices of variables: not generated.
            return f"{self.pick(list(VARIABLES)) if ':' in index else self.operand(depth)}[{index}]"
        if kind < 0.88:
            return f"({e()})"
        if kind < 0.92:
            return "[" + ", ".join(e() for _ in range(self.r.randint(0, 3))) + "]"
        if kind < 0.94:
            return "(" + "".join(e() + ", " for _ in range(self.r.randint(1, 3))) + ")"
        if kind < 0.96:
            return "{" + ", ".join(f"{self.pick(['1', repr('a'), repr('b'), 'none', 's'])}: {e()}" for _ in range(self.r.randint(0, 2))) + "}"
        if kind < 0.975:
            return f"{self.pick(FORMATS)} % {self.pick(['i', 'f', '(s, i)', 'l', 'd', self.atom()])}"
        if kind < 0.985:
            return f"{self.pick(STR_FORMATS)}.format({self.pick(['i', 'f', 's, i', 'l', 'm', self.atom()])})"
        return self.pick([f"range({self.r.randint(-2, 6)})", "range(5, 0, -2)|list", f"range({e()})",
                          f"dict(a={e()})", f"-{self.atom()}", f"+{self.atom()}", "dict(p)", "range(10)[2:8:3]"])

    def small(self):
        return self.pick(["1", "2", "3", "i", "f", "s", "'x'", "l", "j", self.atom()])

    def operand(self, depth):
        r = self.r.random()
        if r < 0.7:
            return self.pick(list(VARIABLES) + self.local)
        return f"({self.expr(depth - 1)})"

    def index(self, depth):
        r = self.r.random()
        if r < 0.3:
            return str(self.r.randint(-3, 3))
        if r < 0.6:
            a, b, c = (self.pick(["", "", str(self.r.randint(-4, 5))]) for _ in range(3))
            return f"{a}:{b}" + (f":{c}" if self.r.random() < 0.4 else "")
        return self.pick(["'a'", "'name'", "'items'", "'upper'", "none", "1.0", "true", self.atom()])

    def tag(self, text):
        a, b = (self.pick(["", "", "", "-", "+"]) for _ in range(2))
        return "{%" + a + " " + text + " " + b + "%}"

    def out(self, depth=2):
        a, b = (self.pick(["", "", "", "-"]) for _ in range(2))
        return "{{" + a + " " + self.expr(depth) + " " + b + "}}"

    def gap(self):
        return self.pick(["", "", " ", "\n", "  \n ", "x", "\n\n", "\t", "a b", "{# c #}", "{#- c -#}"])

    def block(self, depth):
        parts = []
        for _ in range(self.r.randint(1, 2)):
            parts += [self.gap(), self.statement(depth - 1) if depth > 0 and self.r.random() < 0.6 else self.out(1)]
        return "".join(parts) + self.gap()

    def statement(self, depth):
        kind = self.r.random()
        e = lambda: self.expr(1)
        if kind < 0.25:
            s = self.tag("if " + e()) + self.block(depth)
            if self.r.random() < 0.3:
                s += self.tag("elif " + e()) + self.block(depth)
            if self.r.random() < 0.5:
                s += self.tag("else") + self.block(depth)
            return s + self.tag("endif")
        if kind < 0.55:
            before = list(self.local)
            target = self.pick(["x", "x", "x, y"])
            source = self.pick(["l", "k", "d", "d.items()", "p", "r", "range(3)", "s[:3]", "nope", e()])
            test = f" if {self.pick(['x', 'loop', 'x != 1', 'x is string', e()])}" if self.r.random() < 0.2 else ""
            self.local = before + ["x", "x", "loop.index", "loop.first", "loop.last", "loop.index0", "loop.length",
                                   "loop.revindex", "loop.previtem", "loop.nextitem", "loop.cycle(1, 'b')",
                                   "loop.changed(x)", "loop.revindex0"] + (["y"] if "y" in target else [])
            body = self.block(depth)
            if self.r.random() < 0.2:
                body += self.tag(f"if {self.pick(['x == 1', 'loop.index == 2', e()])}") + self.tag(self.pick(["break", "continue"])) + self.tag("endif") + self.out(1)
            self.local = before
            tail = self.tag("else") + self.block(depth) if self.r.random() < 0.25 else ""
            return self.tag(f"for {target} in {source}{test}") + body + tail + self.tag("endfor")
        if kind < 0.72:
            name = self.pick(["x", "v", "i"])
            s = self.tag(f"set {name} = {self.expr(2)}")
            self.local.append(name)
            return s
        if kind < 0.77:
            self.local.append("v")
            return self.tag("set v" + self.pick(["", " | upper", " | trim | length"])) + self.block(depth) + self.tag("endset")
        if kind < 0.83:
            return self.tag("set ns = namespace(a=1, b=" + e() + ")") + self.tag(f"set ns.{self.pick(['a', 'c'])} = {e()}") + "{{ ns.a }}{{ ns.c }}{{ ns.b }}"
        if kind < 0.92:
            before = list(self.local)
            self.local = ["a", "b", "varargs", "kwargs"]
            body = self.block(depth)
            self.local = before
            call = self.pick(["m(1)", "m(1, 2)", "m(b=3)", "m(1, 2, 3)", "m(1, z=4)", f"m({e()}, b={e()})", "m()"])
            s = self.tag("macro m(a, b='B')") + body + self.pick(["", "{{ caller() }}", "{{ varargs }}{{ kwargs }}"]) + self.tag("endmacro")
            if self.r.random() < 0.3:
                return s + self.tag("call " + call) + self.block(0) + self.tag("endcall")
            return s + "{{ " + call + " }}"
        if kind < 0.95:
            return self.tag("filter " + self.pick(["upper", "trim", "indent(2)", "replace('a', 'b')|title"])) + self.block(depth) + self.tag("endfilter")
        if kind < 0.98:
            return self.tag(f"with x = {e()}, v = {e()}") + self.block(depth) + "{{ x }}" + self.tag("endwith")
        return self.pick(["{% raw %} {{ x }} {% endraw %}", "{%- raw -%}\n {% y %} {%- endraw -%}\n", "{% set x, y = p[0] %}{{ x + y }}",
                          "{% generation %}g{{ i }}{% endgeneration %}", "{% print i, s %}", "{% bad %}", "{{ }}", "{% if %}", "{{ 1 + }}", "{% set 1 = 2 %}",
                          "{% for x in l recursive %}{{ x }}{% if loop.depth < 2 %}({{ loop(o + [8, 9]) }}){% endif %}{% endfor %}"])

    def template(self):
        self.local = []
        if self.r.random() < 0.6:
            return "{{ " + self.expr(self.r.choice([1, 2, 2, 3])) + " }}"
        return self.gap() + self.statement(2) + self.gap() + (self.statement(1) if self.r.random() < 0.3 else "")


# Outputs that depend on the process, the machine's memory, or numbers beyond 128 bits.
UNSTABLE = re.compile(r" at 0x|<built-in|<bound|<class|<function|<generator|iterator object|LoopContext|<Macro|<Namespace")


def main(out, count, seed):
    maker, rows, seen, errors = Maker(seed), [], set(), 0
    while len(rows) < count:
        text = maker.template()
        if text in seen or len(text) > 160:
            continue
        seen.add(text)
        # Left out: numbers beyond 128 bits, complex numbers, values of many megabytes, text of methods.
        if re.search(r"\*.*123456789|123456789.*\*|10{18}.*\*|\*.*10{18}|attr\('upper'\)\)?\|", text):
            continue
        if "**" in text and re.search(r"\d{8}|255|e\d|\*\* *\d{2}|\*\*.*\*\*|\*\* [fg]|\.\d", text):
            continue
        try:
            # A copy: the indent filter appends to lists.
            result = _compile_jinja_template(text).render(**copy.deepcopy(VARIABLES))
        except RecursionError:
            continue
        except Exception:
            result = None
        if result is None:
            errors += 1
            if errors > count // 4 or "unsupported" in text:
                errors -= 1
                continue
        elif UNSTABLE.search(result) or len(result) > 200:
            continue
        rows.append([text, result])
    with open(out, "w", encoding="utf-8") as f:
        f.write('{"variables":' + json.dumps(VARIABLES, ensure_ascii=False, separators=(",", ":")) + ',"rows":[\n')
        f.write(",\n".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in rows))
        f.write("\n]}\n")
    print(f"{len(rows)} rows, {errors} of them errors")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3000, int(sys.argv[3]) if len(sys.argv) > 3 else 1)

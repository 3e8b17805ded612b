# SPDX-License-Identifier: Apache-2.0
# Chat templates with the prompts that transformers 4.57.6 (Jinja2 3.1.6) makes of fixed conversations.
# Usage: python tests/reference/chat_templates.py DATA.json [NAME=FILE.jinja ...]
# Renders the templates that DATA.json holds, and those named, again, and writes DATA.json:
# {"templates": {name: text}, "inputs": {name: variables}, "rows": [[template, input, prompt or null]]}
# null: the template raises. Every template gets a fixed sample of the inputs, to keep the file small.
import copy
import datetime
import json
import os
import random
import sys

import transformers.utils.chat_template_utils as utils


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2025, 1, 1)


utils.datetime = Clock
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "Get the weather \"now\" <here>", "parameters": {
            "type": "object", "required": ["city"], "properties": {
                "city": {"type": "string", "description": "City é"},
                "days": {"type": "integer", "default": 3, "enum": [1, 2, 3]}}},
        "return": {"type": "string"}}},
    {"type": "function", "function": {"name": "add", "description": "Adds", "parameters": {
        "type": "object", "properties": {"x": {"type": ["number", "null"]}}}}}]
DOCUMENTS = [{"title": "T1", "text": "Some text\nhere"}, {"title": "T2", "text": "More"}]


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


def system(content):
    return {"role": "system", "content": content}


def call(arguments, id=None):
    out = {"type": "function", "function": {"name": "get_weather", "arguments": arguments}}
    return {"id": id, **out} if id else out


def answer(content, id):
    return {"role": "tool", "content": content, "name": "get_weather", "tool_call_id": id}


ZURICH = {"city": "Zürich", "days": 2, "opts": {"a": [1.5, None, True]}}
CONVERSATIONS = {
    "user": [user("Hi")],
    "system": [system("Be brief."), user("Hi")],
    "turns": [system(" You are X \n"), user("  Hello\n"), assistant(" I am fine. "), user("日本 😀 <|im_end|>")],
    "ends with assistant": [user("a"), assistant("b"), user("c"), assistant("d \n")],
    "two users": [user("a"), user("b")],
    "assistant first": [assistant("x"), user("y")],
    "two systems": [system("a"), system("b"), user("c")],
    "empty": [],
    "parts": [user([{"type": "text", "text": "What is "}, {"type": "image"}, {"type": "text", "text": "this?"}]),
              assistant([{"type": "text", "text": "A cat"}])],
    "call": [user("w?"), assistant(None, tool_calls=[call(ZURICH, "abcdefgh1")]), answer("12°", "abcdefgh1")],
    "call as text": [system("s"), user("w?"), assistant("", tool_calls=[call('{"city": "Paris"}', "abcdefgh1")]),
                     answer("12", "abcdefgh1"), assistant("It is 12."), user("thx")],
    "two calls": [user("w?"), assistant("calling", tool_calls=[call(ZURICH, "abcdefgh1"), call({}, "abcdefgh2")]),
                  answer("1", "abcdefgh1"), answer('{"a": 2}', "abcdefgh2")],
    "call without id": [user("w?"), assistant(None, tool_calls=[call(ZURICH)]),
                        {"role": "tool", "content": {"t": 12, "u": [True, None]}}],
    "thinking": [user("q"), assistant("<think>\nhmm\n</think>\n\nanswer"), user("q2"),
                 assistant("<think>x</think>a2", reasoning_content="R")],
    "developer": [{"role": "developer", "content": "Dev"}, user("hey")],
    "unknown role": [{"role": "alien", "content": "x"}],
    "no content": [{"role": "user"}],
}
EXTRAS = {
    "": {},
    "prompt": {"add_generation_prompt": True},
    "tools": {"add_generation_prompt": True, "tools": TOOLS},
    "no thinking": {"add_generation_prompt": True, "tools": [], "enable_thinking": False, "thinking": True,
                    "reasoning_effort": "high", "date_string": "01 Jan 2030"},
    "documents": {"documents": DOCUMENTS, "enable_thinking": True},
    "continue": {"continue_final_message": True},
}


def inputs():
    return {f"{c} | {e}": {"messages": messages, **extra}
            for c, messages in CONVERSATIONS.items() for e, extra in EXTRAS.items()}


def render(template, variables):
    variables = {**SPECIAL, **copy.deepcopy(variables)}
    try:
        rendered, _ = utils.render_jinja_template([variables.pop("messages")], chat_template=template, **variables)
    except Exception:
        return None
    return rendered[0]


def main(path, named):
    templates = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            templates = json.load(f)["templates"]
    for name, file in (argument.split("=", 1) for argument in named):
        with open(file, encoding="utf-8") as f:
            templates[name] = f.read()
    everything, rows = inputs(), []
    for name, template in sorted(templates.items()):
        sample = random.Random(name).sample(sorted(everything), 40)
        always = ["user | prompt", "turns | prompt", "call | tools", "ends with assistant | continue"]
        for key in sorted(set(sample + always)):
            rows.append([name, key, render(template, everything[key])])
    dump = lambda x: json.dumps(x, ensure_ascii=False, separators=(",", ":"))
    with open(path, "w", encoding="utf-8") as f:
        f.write('{"special_tokens":' + dump(SPECIAL) + ',"templates":' + dump(dict(sorted(templates.items()))))
        f.write(',"inputs":' + dump(everything) + ',"rows":[\n' + ",\n".join(map(dump, rows)) + "\n]}\n")
    print(f"{len(templates)} templates, {len(rows)} rows, {sum(r[2] is None for r in rows)} of them raise")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/chat_template/conversations.jsonl: random conversations of the chat completions interface, and what
the published Qwen3 chat template makes of each.

Usage: make_chat_template_golden.py > conversations.jsonl
scripts/fetch_test_data.sh fetches the template. Needs Jinja2.
"""
import json
import random

import published_template

SEED = 12
WORDS = ["a", "Hello", "caf\u00e9", "\u4f60\u597d", "\U0001f600", "line\nbreak", '"quoted"', "back\\slash", "tab\t", "{", "}", "7",
         "</tool_response>", "<|im_end|>", "USER:", "x = 1;", "don't", "...", "end."]


class Writer:
    def __init__(self, rng):
        self.rng = rng

    def text(self):
        return " ".join(self.rng.choice(WORDS) for _ in range(self.rng.randrange(1, 4)))

    def value(self, depth=0):
        kind = self.rng.randrange(8 if depth < 2 else 5)
        if kind < 2:
            return self.text()
        if kind < 5:
            return self.rng.choice([0, -1, 2.5, 10**30, True, False, None, "", "\x1f\x7f\b\f\r"])
        if kind < 7:
            return {self.text(): self.value(depth + 1) for _ in range(self.rng.randrange(4))}
        return [self.value(depth + 1) for _ in range(self.rng.randrange(4))]

    def call(self):
        arguments = {"q": self.value(), "n": self.value()}
        function = {"name": self.rng.choice(["run", "get_weather"]), "arguments": arguments}
        if self.rng.randrange(2):
            function["arguments"] = json.dumps(arguments)
        if self.rng.randrange(3) == 0:
            return function
        return {"id": "call_1", "type": "function", "function": function}

    def content(self):
        """(as sent, as the template takes it)"""
        if self.rng.randrange(4):
            text = self.text()
            return text, text
        texts = [self.text() for _ in range(self.rng.randrange(1, 4))]
        return [{"type": "text", "text": t} for t in texts], "\n".join(texts)

    def assistant(self, calls):
        sent, plain = {"role": "assistant"}, {"role": "assistant", "content": ""}
        kind = self.rng.randrange(4)
        if calls and kind == 0:
            sent["content"] = None
        elif not calls and kind == 0:
            sent |= {"content": None, "refusal": self.text()}
            plain["content"] = sent["refusal"]
        else:
            sent["content"], plain["content"] = self.content()
        if calls:
            sent["tool_calls"] = plain["tool_calls"] = [self.call() for _ in range(self.rng.randrange(1, 4))]
        if self.rng.randrange(3) == 0:
            sent["reasoning_content"] = plain["reasoning_content"] = self.rng.choice(["", "\n"]) + self.text() + self.rng.choice(["", "\n\n"])
        return sent, plain

    def conversation(self):
        turns = []
        if self.rng.randrange(3) == 0:
            text = self.text()
            turns.append(({"role": self.rng.choice(["system", "developer"]), "content": text}, {"role": "system", "content": text}))
        for _ in range(self.rng.randrange(1, 4)):
            sent, plain = self.content()
            # Looks like a tool's answer. (A conversation of nothing else has no question for the template, and its last answer
            # no think block; the runtime's always has one.)
            if self.rng.randrange(10) == 0 and any(plain["role"] == "user" for _, plain in turns):
                sent = plain = "<tool_response>" + self.text() + "</tool_response>"
            turns.append(({"role": "user", "content": sent}, {"role": "user", "content": plain}))
            while self.rng.randrange(2):
                turns.append(self.assistant(True))
                for _ in range(self.rng.randrange(1, 4)):
                    sent, plain = self.content()
                    turns.append(({"role": "tool", "tool_call_id": "call_1", "content": sent}, {"role": "tool", "content": plain}))
            turns.append(self.assistant(self.rng.randrange(4) == 0))
        if self.rng.randrange(3) == 0:
            text = self.text()
            turns.append(({"role": "user", "content": text}, {"role": "user", "content": text}))
        return [list(side) for side in zip(*turns)]


def main():
    template = published_template.chat_template()
    writer = Writer(random.Random(SEED))
    for _ in range(150):
        sent, plain = writer.conversation()
        text = published_template.render(template, plain)
        # A response that is judged is still open.
        text = text if plain[-1]["role"] == "user" else text.removesuffix("<|im_end|>\n")
        print(json.dumps({"messages": sent, "text": text}, ensure_ascii=False))


if __name__ == "__main__":
    main()

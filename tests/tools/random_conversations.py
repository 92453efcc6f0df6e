# SPDX-License-Identifier: Apache-2.0
"""Random conversations that stress the chat template: see Conversations."""
import random

WORDS = ["a", "Hello", "world", "the answer is 42", "don't", "caf\u00e9", "cafe\u0301", "\u0301", "\u4f60\u597d", "\U0001f600", "x = 1;",
         "...", "USER:", "\u2028", "\u2029", "a\u2028b", "\u0300\u0327", "\u1100\u1161", "{", "}", '"', "\\n", "tab\t", "\xa0", "\u200b", "\ufeff"]
BLANKS = ["", " ", "\n", "\n\n", "\n\n\n\n", " \n", "\n ", "\r\n", "\r\n\r\n", "\r", "\t", "\u2028", "\u2028\n", "\n\u2028", "\x85", "  ", "\n\n\r\n"]
CONTROL = ["<|im_end|>", "<|im_start|>", "<|endoftext|>", "<|im_end|>\n", "<|im_start|>assistant\n", "<|vision_start|>", "<|fim_prefix|>"]
BEGIN, END = "<think>", "</think>"


class Conversations:
    """Messages as [{"role", "content"}]: contents empty or blank, with blanks and line breaks of all kinds around them,
    combining marks, think blocks whole, open, only closed, twice, text before them, tool responses; system messages
    anywhere, users and assistants in a row. has_control: contents also hold control tokens."""

    def __init__(self, seed, has_control=False):
        self.random = random.Random(seed)
        self.has_control = has_control

    def chance(self, n):
        """True once in n times."""
        return self.random.randrange(n) == 0

    def text(self):
        r = self.random
        if self.chance(8):
            return r.choice(BLANKS)
        words = [r.choice(WORDS) for _ in range(r.randint(1, 4))]
        if self.has_control and self.chance(2):
            words.insert(r.randint(0, len(words)), r.choice(CONTROL))
        out = r.choice([" ", " ", "", "\n", "\r\n"]).join(words)
        if self.chance(5):
            out = r.choice(BLANKS) + out
        if self.chance(5):
            out += r.choice(BLANKS)
        return out

    def with_thinking(self):
        """Text with think tags, in good order or not."""
        r = self.random

        def blank():
            return r.choice(["", "", "\n", "\n\n", *BLANKS])

        block = [BEGIN, blank(), self.text() if self.chance(2) else "", blank(), END]
        form = r.randrange(9)
        if form < 3:
            parts = [*block, blank(), self.text()]
        elif form == 3:
            parts = [BEGIN, blank(), self.text()]
        elif form == 4:
            parts = [self.text(), END, blank(), self.text()]
        elif form == 5:
            parts = [*block, self.text(), *block, blank(), self.text()]
        elif form == 6:
            parts = [self.text(), *block, blank(), self.text()]
        elif form == 7:
            parts = [blank(), *block, blank(), self.text()]
        else:
            parts = [r.choice([BEGIN, END, self.text(), blank()]) for _ in range(r.randint(1, 6))]
        return "".join(parts)

    def content(self, role):
        if role == "user" and self.chance(12):
            return "<tool_response>" + self.text() + "</tool_response>"
        if self.chance(2 if role == "assistant" else 15):
            return self.with_thinking()
        return self.text()

    def roles(self):
        r = self.random
        roles = ["system"] if self.chance(4) else []
        if self.chance(2):  # well-behaved
            for _ in range(r.randint(1, 3)):
                roles += ["user", "assistant"]
        else:
            roles += r.choices(["user", "assistant", "system", "tool"], [6, 6, 1, 2], k=r.randint(1, 7))
            roles.append(r.choice(["user", "assistant"]))
        if roles[-1] == "assistant" and self.chance(3):
            roles.append("user")
        if "user" not in roles:
            roles.insert(1 if roles[0] == "system" else 0, "user")
        return roles

    def conversation(self):
        return [{"role": role, "content": self.content(role)} for role in self.roles()]

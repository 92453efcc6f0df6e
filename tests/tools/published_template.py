# SPDX-License-Identifier: Apache-2.0
"""The published Qwen3 chat template as transformers renders it, and the ids of what it renders.

Neither the template nor the vocabulary is part of this repository; scripts/fetch_test_data.sh fetches both. Needs
Jinja2, and PublishedMarkup tokenizers as well.
"""
import json
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("QWEN3GUARD_TEST_DATA") or ROOT / "build/test_data") / "qwen3_tokenizer"
TOKENIZER, TOKENIZER_CONFIG = DATA / "tokenizer.json", DATA / "tokenizer_config.json"
FIRST_STAND_IN = 0xF0000  # private use, plane 15: no text of a test has these


def compiled_template(text):
    """With the settings of transformers' apply_chat_template()."""
    from jinja2.exceptions import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message):
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    environment.globals["raise_exception"] = raise_exception
    return environment.from_string(text)


def chat_template(tokenizer_config=TOKENIZER_CONFIG):
    """The compiled template of a tokenizer_config.json."""
    return compiled_template(json.loads(Path(tokenizer_config).read_text("utf-8"))["chat_template"])


def render(template, messages):
    """As the published scripts call it: thinking off; a prompt opens the answer's turn."""
    return template.render(messages=messages, enable_thinking=False,
                           add_generation_prompt=messages[-1]["role"] != "assistant")


class PublishedMarkup:
    """Conversations as the published template and tokenizer have them."""

    def __init__(self):
        from tokenizers import Tokenizer

        self.template = chat_template()
        self.recognized = Tokenizer.from_file(str(TOKENIZER))
        self.as_text = Tokenizer.from_file(str(TOKENIZER))
        self.as_text.encode_special_tokens = True
        added = json.loads(TOKENIZER.read_text("utf-8"))["added_tokens"]
        control = [token["content"] for token in added if token["special"]]
        self.control = re.compile("|".join(map(re.escape, control)))
        self.stand_in = {text: chr(FIRST_STAND_IN + i) for i, text in enumerate(control)}
        self.of_stand_in = {stand_in: text for text, stand_in in self.stand_in.items()}

    def text(self, messages):
        return render(self.template, messages)

    def ids(self, messages):
        """Ids of the rendered conversation. Control tokens in a message are text: the message cannot forge markup.
        (They pass the template as characters that mean nothing to it or the vocabulary.)"""
        if not any(self.control.search(message["content"]) for message in messages):
            return self.recognized.encode(self.text(messages), add_special_tokens=False).ids
        hidden = [message | {"content": self.control.sub(lambda m: self.stand_in[m[0]], message["content"])}
                  for message in messages]
        found, end, text = [], 0, self.text(hidden)
        for match in [*self.control.finditer(text), None]:
            part = text[end:match.start() if match else len(text)]
            part = "".join(self.of_stand_in.get(c, c) for c in part)
            found += self.as_text.encode(part, add_special_tokens=False).ids
            if match:
                found.append(self.recognized.token_to_id(match[0]))
                end = match.end()
        return found

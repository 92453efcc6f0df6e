"""From conversations to token ids, exactly as the runtime renders them.

Control tokens never come from content: each stretch of text between two control tokens is encoded on its own,
with the tokenizer told to take special tokens in it as plain text.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

Messages = list[dict]
PROMPTS = Path(__file__).with_name("prompts")
BEGIN = "<BEGIN CONVERSATION>\n\n"


def load_tokenizer(path: str | Path) -> Tokenizer:
    """tokenizer.json as a Tokenizer that leaves special tokens in content alone."""
    tok = Tokenizer.from_file(str(path))
    tok.encode_special_tokens = True
    return tok


def prompt_template(role: str, folder: str | Path = PROMPTS) -> str:
    """The fixed instruction prompt for a last message of this role."""
    return (Path(folder) / f"gen_prompt_{role}.txt").read_bytes().decode("utf-8")


def conversation_text(messages: Messages) -> str:
    """What replaces {CONVERSATION} in the instruction prompt."""
    out = ""
    for i, m in enumerate(messages):
        role, text = m["role"], m["content"]
        if i == 0:
            out += f"USER: {text}" if role in ("user", "system") else ""
        elif role == "user":
            out += ("\n\n" if messages[i - 1]["role"] == "system" else "\n\nUSER: ") + text
        elif role == "assistant":
            out += f"\n\nASSISTANT: {text}"
    return out


def verdict_text(severity: str, categories: list[str], refusal: bool | None) -> str:
    """The lines that the generative model has to write."""
    text = f"Safety: {severity}\nCategories: {', '.join(categories) or 'None'}"
    if refusal is not None:
        text += f"\nRefusal: {'Yes' if refusal else 'No'}"
    return text


class Renderer:
    """Token ids of both models' input forms."""

    def __init__(self, tok: Tokenizer, prompt_folder: str | Path = PROMPTS) -> None:
        self.tok = tok
        self.start, self.end = tok.token_to_id("<|im_start|>"), tok.token_to_id("<|im_end|>")
        self.head: dict[str, list[int]] = {}
        self.tail: dict[str, list[int]] = {}
        for role in ("user", "assistant"):
            text = prompt_template(role, prompt_folder)
            before, after = text.split("{CONVERSATION}")
            body, reply = after.split("<|im_end|>")
            # Both cuts fall where the pre-tokeniser always cuts: after ">\n\n" and before "<END".
            self.head[role] = [self.start] + self.text(before.removeprefix("<|im_start|>"))
            tail = self.text(body.removeprefix("\n\n")) + [self.end]
            self.tail[role] = tail + self.text("\n") + [self.start] + self.text(reply.removeprefix("\n<|im_start|>"))

    def text(self, text: str) -> list[int]:
        """Ids of plain text."""
        return self.tok.encode(text, add_special_tokens=False).ids

    def gen_middle(self, messages: Messages) -> list[int]:
        """Ids of the conversation and the blank line behind it."""
        return self.text(conversation_text(messages) + "\n\n")

    def gen(self, messages: Messages) -> list[int]:
        """Ids of the whole instruction prompt."""
        role = messages[-1]["role"]
        return self.head[role] + self.gen_middle(messages) + self.tail[role]

    def stream(self, messages: Messages, close: bool = True) -> tuple[list[int], list[int], list[tuple[int, int]]]:
        """Ids, the position of each `<|im_end|>` that closes a user turn, and each response's [begin, end) of tokens."""
        ids: list[int] = []
        queries: list[int] = []
        responses: list[tuple[int, int]] = []
        newline = self.text("\n")
        for n, m in enumerate(messages):
            if m["role"] == "assistant":
                ids += [self.start] + self.text("assistant\n<think>\n\n</think>\n\n")
                begin = len(ids)
                ids += self.text(m["content"])
                responses.append((begin, len(ids)))
            else:
                ids += [self.start] + self.text(f"{m['role']}\n{m['content']}")
            if n + 1 < len(messages) or close:
                ids.append(self.end)
                if m["role"] == "user":
                    queries.append(len(ids) - 1)
                ids += newline
        return ids, queries, responses

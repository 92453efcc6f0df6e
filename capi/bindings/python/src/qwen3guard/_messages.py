# SPDX-License-Identifier: Apache-2.0
"""Conversations as chat interfaces have them, and what the published Qwen3 chat template makes of their messages. The rules are
those of the program's JSON (docs/command_line.md, "Messages")."""

from __future__ import annotations

import json
from typing import Any, List, Mapping, NoReturn, Optional, Sequence, Tuple, Union

from . import _raw
from ._enums import Role
from ._library import InvalidArgumentError, Text, array, bad_argument, encoded, put, whole
from ._values import Message

Content = Union[Text, Sequence[Union[Text, Mapping[str, Any]]]]
Messages = Sequence[Union[Message, Tuple[Union[Role, str], Content], Mapping[str, Any]]]
"""A conversation: Message, (role, content), or a dictionary of the chat completions interface."""

# Fields of messages, parts and calls that are no text of the conversation.
_IGNORED = frozenset(("id", "name", "tool_call_id", "status", "created_at", "timestamp", "model", "metadata", "cache_control"))
_PART = '{"type": "text", "text": "..."}'
_CALL = '{"type": "function", "function": {"name": "...", "arguments": "..."}}'
_MAX_DEPTH = 64


def messages_to_c(messages: Messages) -> Tuple[Any, List[bytes]]:
    """An array, and what must live as long. Raises InvalidArgumentError (what a dictionary says cannot be judged), TypeError
    (what is no message)."""
    if isinstance(messages, (Mapping, str, bytes)):
        raise TypeError(f"messages must be a sequence of messages, not {type(messages).__name__}")
    out = array(_raw.q3g_message, len(messages))
    texts: List[bytes] = []
    for i, message in enumerate(messages):
        role, data = _read_message(message, f"messages[{i}]")
        texts.append(data)
        put(out[i], role=role)
        out[i].text, out[i].text_bytes = data, len(data)
    return out, texts


def _read_message(message: Any, where: str) -> Tuple[int, bytes]:
    if isinstance(message, Mapping):
        return _read_dictionary(message, where)
    if not isinstance(message, (tuple, list)) or len(message) != 2 or not isinstance(message[0], (int, str)):
        raise TypeError(f"{where}: expected a Message, (role, text) or a dictionary, not {message!r:.80}")
    role, content = message
    number = _role(role, where) if isinstance(role, str) else whole("role", role)
    if not isinstance(content, (list, tuple)):
        return number, encoded(content)
    text = _read_content(content, f"{where}.content")
    if text is None:
        _fail(f"{where}.content", "nothing to judge; expected a string or text parts")
    return number, text


def _read_dictionary(message: Mapping[Any, Any], where: str) -> Tuple[int, bytes]:
    name = message.get("role")
    if not isinstance(name, (str, Role)):
        _fail(where, 'no "role"; expected {"role": "user", "content": "..."}')
    role = name if isinstance(name, Role) else _role(name, where)
    is_assistant = role is Role.ASSISTANT
    content: Optional[bytes] = None
    reasoning, refusal = b"", b""
    calls: List[bytes] = []
    for key, value in message.items():
        place = f"{where}.{key!s:.80}"
        if key == "role" or (key == "type" and value == "message"):
            continue
        if key == "content":
            content = _read_content(value, place)
        elif is_assistant and key == "reasoning_content":
            reasoning = b"" if value is None else _read_text(value, place)
        elif is_assistant and key == "refusal":
            refusal = b"" if value is None else _read_text(value, place)
        elif is_assistant and key == "tool_calls":
            calls = _read_calls(value, place)
        else:
            _pass_over(key, value, where)
    # A tool may answer with nothing; of anybody else that is a mistake, and "" says that it is meant.
    may_be_empty = role is Role.TOOL and "content" in message
    if content is None and not (reasoning or refusal or calls or may_be_empty):
        _fail(f"{where}.content", ("nothing to judge" if "content" in message else "missing") +
              "; expected a string or an array of text parts" + (", or tool_calls or a refusal" if is_assistant else ""))
    return role, _assistant_text(content or b"", reasoning, refusal, calls)


def _assistant_text(said: bytes, reasoning: bytes, refusal: bytes, calls: Sequence[bytes]) -> bytes:
    """All that a message says, as the published template writes it."""
    if refusal:
        said += (b"\n" if said else b"") + refusal
    out = said
    if reasoning:
        out = b"<think>\n" + reasoning.strip(b"\n") + b"\n</think>\n\n" + said.lstrip(b"\n")
    for i, call in enumerate(calls):
        out += (b"\n" if i > 0 or said else b"") + call
    return out


def _role(name: str, where: str) -> Role:
    try:
        return Role(name)  # type: ignore[arg-type]  # Role._missing_() takes it
    except InvalidArgumentError:
        known = ", ".join(role.name.lower() for role in Role)
        _fail(where, f"the role {name!r:.80}; expected one of {known}, developer")


def _read_content(content: Any, where: str) -> Optional[bytes]:
    """A text, or parts, each on a line of its own; nothing for None and []."""
    if content is None:
        return None
    if not isinstance(content, (list, tuple)):
        return _read_text(content, where, "a string, None or a list of text parts")
    parts = [_read_part(part, f"{where}[{i}]") for i, part in enumerate(content)]
    return b"\n".join(parts) if parts else None


def _read_part(part: Any, where: str) -> bytes:
    if not isinstance(part, Mapping):
        return _read_text(part, where, _PART)
    kind = part.get("type")
    if not isinstance(kind, str):
        _fail(where, f'no "type"; expected {_PART}')
    if kind not in ("text", "input_text", "output_text", "refusal"):
        _fail(where, f"a part of the type {_quoted(kind)}, which cannot be judged; expected {_PART}")
    name = "refusal" if kind == "refusal" else "text"
    for key, value in part.items():
        if key not in (name, "type"):
            _pass_over(key, value, where)
    if name not in part:
        _fail(where, f'no "{name}"; expected {_PART}')
    return _read_text(part[name], f"{where}.{name}")


def _read_calls(calls: Any, where: str) -> List[bytes]:
    if calls is None:
        return []
    if not isinstance(calls, (list, tuple)):
        _fail(where, f"{_kind(calls)}; expected a list")
    return [_read_call(call, f"{where}[{i}]") for i, call in enumerate(calls)]


def _read_call(call: Any, where: str) -> bytes:
    """A function in "function" beside an id and a type, or by itself."""
    if not isinstance(call, Mapping):
        _fail(where, f"{_kind(call)}; expected {_CALL}")
    function = call.get("function")
    if function is None:
        return _read_function(call, where)
    for key, value in call.items():
        if key != "function":
            _pass_over_call(key, value, where)
    if not isinstance(function, Mapping):
        _fail(f"{where}.function", f"{_kind(function)}; expected {_CALL}")
    return _read_function(function, f"{where}.function")


def _read_function(function: Mapping[Any, Any], where: str) -> bytes:
    for key, value in function.items():
        if key not in ("name", "arguments"):
            _pass_over_call(key, value, where)
    if "name" not in function or "arguments" not in function:
        _fail(where, f"no name or no arguments; expected {_CALL}")
    name, arguments, place = function["name"], function["arguments"], f"{where}.arguments"
    if not isinstance(arguments, (str, bytes, bytearray, memoryview)):
        try:
            arguments = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            _fail(place, f"cannot be written as JSON: {error!s:.80}")
    return (b'<tool_call>\n{"name": "' + _read_text(name, f"{where}.name") + b'", "arguments": ' + _read_text(arguments, place) +
            b"}\n</tool_call>")


def _pass_over_call(key: Any, value: Any, where: str) -> None:
    if key != "type" or value != "function":
        _pass_over(key, value, where)


def _pass_over(key: Any, value: Any, where: str) -> None:
    """What is not read must not hold text."""
    if key not in _IGNORED and _may_hold_text(value):
        _fail(where, f"the field {_quoted(key)} is not known, and its text would not be judged")


def _may_hold_text(value: Any, depth: int = 0) -> bool:
    if value is None or isinstance(value, (bool, int, float)):
        return False
    if isinstance(value, (str, bytes, bytearray)):
        return len(value) > 0
    if depth == _MAX_DEPTH:
        return True
    if isinstance(value, Mapping):
        return any(_may_hold_text(item, depth + 1) for item in value.values())
    # What an object of another type says nobody knows.
    return not isinstance(value, (list, tuple)) or any(_may_hold_text(item, depth + 1) for item in value)


def _read_text(value: Any, where: str, expected: str = "a string") -> bytes:
    """What is ill-formed stays so: the library knows what is to be done with it."""
    if not isinstance(value, (str, bytes, bytearray, memoryview)):
        _fail(where, f"{_kind(value)}; expected {expected}")
    return encoded(value)


def _kind(value: Any) -> str:
    return "None" if value is None else type(value).__name__


def _quoted(name: Any) -> str:
    return f'"{ascii(name)[1:-1]:.80}"' if isinstance(name, str) else f"{name!r:.80}"


def _fail(where: str, what: str) -> NoReturn:
    raise bad_argument(f"{where}: {what}")

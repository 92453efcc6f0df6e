# SPDX-License-Identifier: Apache-2.0
"""From a row to the messages that are judged."""

from __future__ import annotations

from typing import Any, Mapping

from .problems import RowError
from .strict_json import dump, is_utf8

_FORMS = '{"messages": [{"role": "user", "content": "..."}]} or {"prompt": "...", "response": "..."}'


def read_id(row: Any, is_utf8_line: bool = True) -> str:
    """The row's "id" as JSON text in ASCII; "null" where there is none. is_utf8_line: lone surrogates in it were written as escapes,
    and come back as such. Raises RowError."""
    value = row.get("id") if isinstance(row, Mapping) else None
    if not is_utf8_line and not is_utf8(dump(value)):
        raise RowError("invalid_utf8", "id: ill-formed UTF-8")
    return dump(value, is_ascii=True)


def read_messages(row: Any) -> list[Any]:
    """The conversation, as qwen3guard.Guard takes it, which reads the messages themselves. "messages" comes before "prompt", and
    other members of the row are not read, as by the program. Raises RowError."""
    if not isinstance(row, Mapping):
        raise RowError("invalid_argument", f"not an object; expected {_FORMS}")
    messages = row.get("messages")
    if messages is not None:
        if not isinstance(messages, list):
            raise RowError("invalid_argument", f'"messages" is no array; expected {_FORMS}')
        return [_read_message(message, f"messages[{i}]") for i, message in enumerate(messages)]
    prompt, response = row.get("prompt"), row.get("response")
    if prompt is None:
        raise RowError("invalid_argument", f'no "messages" and no "prompt"; expected {_FORMS}')
    out = [("user", _text(prompt, "prompt"))]
    if response is not None:
        out.append(("assistant", _text(response, "response")))
    return out


def _text(value: Any, name: str) -> Any:
    if not isinstance(value, (str, bytes)):
        raise RowError("invalid_argument", f'"{name}" is no string; expected {_FORMS}')
    return value


def _read_message(message: Any, where: str) -> Any:
    """A dictionary and nothing else that the binding would take, with the arguments of tools as text: only here their numbers are
    known as they were written."""
    if not isinstance(message, Mapping):
        raise RowError("invalid_argument", f'{where}: not an object; expected {{"role": "user", "content": "..."}}')
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    return {**message, "tool_calls": [_read_call(call) for call in calls]}


def _read_call(call: Any) -> Any:
    if not isinstance(call, Mapping):
        return call
    function = call.get("function")
    if isinstance(function, Mapping):
        return {**call, "function": _read_call(function)}
    if "arguments" in call and not isinstance(call["arguments"], (str, bytes)):
        return {**call, "arguments": dump(call["arguments"])}
    return call

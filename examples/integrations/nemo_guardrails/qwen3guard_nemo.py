# SPDX-License-Identifier: Apache-2.0
"""Streams of NeMo Guardrails, held back. Its own rails judge a stream in chunks, and a passage that goes over the edge of one is
shown as far as the edge; here a text leaves when what comes behind it has been judged, too."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import Any, AsyncGenerator, AsyncIterator, Dict, List, Optional

import qwen3guard
from nemoguardrails import LLMRails
from qwen3guard import HoldBackState


async def stream_held_back(rails: LLMRails, messages: List[Dict[str, Any]], guard: qwen3guard.Guard,
                           policy: Optional[qwen3guard.Policy] = None, buffer_tokens: int = 40, **options: Any) -> AsyncIterator[str]:
    """rails.stream_async(messages=messages, **options) as far as it may be shown. Where something is blocked, or its rails or model
    have failed, the last piece is an error in JSON, as its own rails write it. The prompt is for the input rails. Raises for what
    cannot be judged."""
    async def texts() -> AsyncGenerator[str, None]:
        async for piece in rails.stream_async(messages=messages, **options):
            if (code := _error_code(piece)) is not None:
                raise _Failed(code)
            yield piece

    with qwen3guard.Cancel() as cancel, qwen3guard.Stream(guard, policy, cancel=cancel) as session:
        await cancel.arun(session.restore, [each for each in messages if each["role"] != "context"])
        session.begin_turn("assistant")
        with qwen3guard.HoldBack(session, buffer_tokens=buffer_tokens) as hold:
            code = ""
            try:
                async with aclosing(texts()) as source:
                    async for text in hold.ashow(source):
                        yield text
            except _Failed as failure:  # what is held back by now stays
                code = str(failure)
            if code or hold.last.state == HoldBackState.BLOCKED:
                yield json.dumps({"error": {"message": "The answer ends here.", "type": "guardrails_violation", "param": "qwen3guard",
                                            "code": code or "content_blocked"}})


class _Failed(Exception):
    """The rails' stream has ended in an error."""


def _error_code(piece: str) -> Optional[str]:
    """Of the piece that its rails end a stream with."""
    try:
        return str(json.loads(piece)["error"]["code"]) if piece.startswith('{"error"') else None
    except (ValueError, TypeError, KeyError):
        return None  # it is text, then

# SPDX-License-Identifier: Apache-2.0
"""Rails of NeMo Guardrails that ask a guard in the process. What cannot be judged is blocked."""

from __future__ import annotations

import functools
import logging
from typing import Any, Dict, List, Optional, Tuple

import qwen3guard
from nemoguardrails.actions import action
from nemoguardrails.actions.rail_outcome import RailOutcome
from qwen3guard import Action

_log = logging.getLogger(__name__)


@functools.lru_cache(maxsize=None)
def _guard(model: str, policy: Optional[str]) -> Tuple[qwen3guard.Guard, Optional[qwen3guard.Policy]]:
    guard = qwen3guard.Guard.embedded(model) if model in qwen3guard.embedded_models() else qwen3guard.Guard.load(model)
    if policy is None:
        return guard, None
    return guard, qwen3guard.Policy.preset(policy) if policy in qwen3guard.Policy.presets() else qwen3guard.Policy.load(policy)


async def _judge(config: Any, messages: List[Dict[str, Any]]) -> RailOutcome:
    try:
        settings = config.custom_data["qwen3guard"]
        with qwen3guard.Cancel() as cancel:
            guard, policy = await cancel.arun(_guard, settings["model"], settings.get("policy"))
            verdict = await guard.aclassify(messages, qwen3guard.ClassifyOptions(policy=policy))
    except Exception as error:  # such as an image, a text that does not fit, or a model that is not there
        _log.warning("blocked, as it was not judged: %s", error)
        return RailOutcome.block(reason="not judged", metadata={"error": str(error)})
    found = {"severity": str(verdict.severity), "action": str(verdict.action), "rule": str(verdict.ruling.rule),
             "categories": [str(category) for category in verdict.categories]}
    if verdict.action in (Action.ALLOW, Action.FLAG):
        return RailOutcome.allow(metadata=found)
    return RailOutcome.block(reason=", ".join(found["categories"]) or found["rule"], metadata=found)


def _before(events: Optional[List[Dict[str, Any]]]) -> List[Dict[str, Any]]:
    """The conversation up to the last message of the user; of a stream, where no events come, nothing."""
    said = [("user", event["final_transcript"]) if event["type"] == "UtteranceUserActionFinished" else ("assistant", event["script"])
            for event in events or () if event["type"] in ("UtteranceUserActionFinished", "StartUtteranceBotAction")]
    last = max((i for i, (role, _) in enumerate(said) if role == "user"), default=0)
    return [{"role": role, "content": text} for role, text in said[:last]]


def _withdraw(outcome: RailOutcome, events: Optional[List[Dict[str, Any]]]) -> RailOutcome:
    """Takes thoughts and calls out of what the reply is made of: a rail that blocks keeps only the answer's text from it."""
    for event in events or () if outcome.is_blocked else ():
        if event["type"] == "BotThinking":
            event["content"] = ""
        elif event["type"] == "BotToolCalls":
            event["tool_calls"] = []
    return outcome


@action(is_system_action=True, name="qwen3guard_check_input")
async def check_input(config: Any, context: Dict[str, Any], events: Optional[List[Dict[str, Any]]] = None,
                       **_: Any) -> RailOutcome:
    """Judges what the user has said, with the conversation before it."""
    return await _judge(config, [*_before(events), {"role": "user", "content": context.get("user_message")}])


@action(is_system_action=True, name="qwen3guard_check_output")
async def check_output(config: Any, context: Dict[str, Any], events: Optional[List[Dict[str, Any]]] = None,
                       **_: Any) -> RailOutcome:
    """Judges an answer and what the model has thought, or the part of a stream that is about to be shown."""
    answer = {"role": "assistant", "content": context.get("bot_message"), "reasoning_content": context.get("bot_thinking")}
    if not answer["content"] and not answer["reasoning_content"]:
        return RailOutcome.allow()  # nothing is said
    asked = {"role": "user", "content": context.get("user_message") or ""}
    return _withdraw(await _judge(config, [*_before(events), asked, answer]), events)


@action(is_system_action=True, name="qwen3guard_check_tool_calls")
async def check_tool_calls(config: Any, context: Dict[str, Any], events: Optional[List[Dict[str, Any]]] = None,
                       **_: Any) -> RailOutcome:
    """Judges the calls that the model wants to make."""
    answer = {"role": "assistant", "tool_calls": context.get("tool_calls")}
    asked = {"role": "user", "content": context.get("user_message") or ""}
    return _withdraw(await _judge(config, [*_before(events), asked, answer]), events)

# SPDX-License-Identifier: Apache-2.0
"""any-guardrail's interface over this runtime: verdicts on a CPU, without torch and transformers.

    guardrail = Qwen3GuardRuntime("./Qwen3Guard-Gen-0.6B")
    guardrail.validate("How do I kill a Python process?").valid
"""

from __future__ import annotations

import os
from typing import Any, ClassVar, List, Optional, Union

import qwen3guard
from any_guardrail.base import Guardrail
from any_guardrail.taxonomy import BackendType, GuardrailCategory, GuardrailMetadata, GuardrailStage, OutputShape
from any_guardrail.types import CategoryResult, GuardrailOutput, GuardrailUsage
from qwen3guard import Action, Role, Severity

Text = Union[str, List[Any]]


class Qwen3GuardRuntime(Guardrail):
    """Qwen3Guard in the process: severity, categories, and a policy's ruling on prompts and responses.

    model: a loaded qwen3guard.Guard, a folder or packed file, or the name of a model in the library. policy: None: the default
    one, which blocks what is Unsafe or Controversial. `valid` is what the policy lets pass, flagged texts too; `action` is its word.
    What cannot be judged raises, and is never valid. Any thread."""

    # Those that every machine has; a folder has no name that a list could tell.
    SUPPORTED_MODELS: ClassVar[List[str]] = qwen3guard.embedded_models()
    METADATA: ClassVar[GuardrailMetadata] = GuardrailMetadata(
        description="Qwen3Guard in the process: severity, categories, and a policy's ruling on prompts and responses.",
        display_name="Qwen3Guard (C++ runtime)", vendor="Qwen", default_license="apache-2.0",
        categories=frozenset({GuardrailCategory.CONTENT_SAFETY, GuardrailCategory.TOXICITY, GuardrailCategory.PII,
                              GuardrailCategory.PROMPT_INJECTION}),
        primary_category=GuardrailCategory.CONTENT_SAFETY, stages=frozenset({GuardrailStage.INPUT, GuardrailStage.OUTPUT}),
        output_shapes=frozenset({OutputShape.CATEGORICAL, OutputShape.SCORE}), backend=BackendType.LIBRARY_WRAPPED,
        optional_validate_kwargs=frozenset({"output_text"}), multilingual=True, supports_batch=True)

    def __init__(self, model: Union[qwen3guard.Guard, str] = "nano-gen", policy: Optional[qwen3guard.Policy] = None) -> None:
        self.model_id = model if isinstance(model, str) else None
        self._options = qwen3guard.ClassifyOptions(policy=policy)
        if not isinstance(model, str):
            self._guard = model
        elif model in qwen3guard.embedded_models():
            self._guard = qwen3guard.Guard.embedded(model)
        elif not os.path.exists(model):
            raise FileNotFoundError(f"{model}: no folder or packed file, which nothing is downloaded to, and no model in the library "
                                    f"({', '.join(self.SUPPORTED_MODELS)})")
        else:
            self._guard = qwen3guard.Guard.load(model)

    def validate(self, input_text: Text, output_text: Optional[str] = None) -> Any:
        """Judges a prompt, a whole conversation (a list of messages), or with output_text the answer to it. A list of texts is
        judged together; its results are in the same order. Raises qwen3guard.Qwen3GuardError for what cannot be judged, TypeError."""
        if isinstance(input_text, list) and all(isinstance(each, str) for each in input_text):
            return self._validate_batch(input_text, output_text)
        messages = [{"role": "user", "content": input_text}] if isinstance(input_text, str) else list(input_text)
        if output_text is not None:
            messages.append({"role": "assistant", "content": output_text})
        return self._output(self._guard.classify(messages, self._options))

    def _validate_batch(self, texts: List[str], output_text: Optional[str]) -> List[GuardrailOutput]:
        if output_text is not None:
            raise TypeError("one output_text for several inputs; expected one input")
        found = self._guard.classify_batch([[("user", text)] for text in texts], self._options)
        for each in found:
            if isinstance(each, qwen3guard.Qwen3GuardError):
                raise each
        return [self._output(each) for each in found if isinstance(each, qwen3guard.Verdict)]

    def _output(self, verdict: qwen3guard.Verdict) -> GuardrailOutput:
        is_judged = verdict.severity != Severity.NOT_JUDGED
        categories = [CategoryResult(name=str(category), triggered=True, score=score)
                      for category, score in verdict.categories.items()]
        if verdict.refusal is not None:
            categories.append(CategoryResult(name="refusal", triggered=verdict.refusal, score=verdict.refusal_probability))
        return GuardrailOutput(
            valid=verdict.action in (Action.ALLOW, Action.FLAG), action=str(verdict.action), categories=categories,
            score=verdict.probabilities.unsafe + verdict.probabilities.controversial if is_judged else None,
            usage=GuardrailUsage(model_id=self.model_id, latency_ms=verdict.latency_ms, prompt_tokens=verdict.prompt_tokens,
                                 completion_tokens=verdict.generated_tokens),
            extra={"severity": str(verdict.severity), "rule": str(verdict.ruling.rule), "policy": verdict.ruling.policy_name,
                   "role": "assistant" if verdict.role == Role.ASSISTANT else "user"}, raw=verdict)

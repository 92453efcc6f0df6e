# SPDX-License-Identifier: Apache-2.0
"""any-guardrail's interface."""
import concurrent.futures

import qwen3guard
from adapter_test_case import AdapterTest, adapter
from adapter_texts import BAD, GOOD, IMAGE, SAFE, UNSAFE
from any_guardrail.base import Guardrail, GuardrailName
from any_guardrail.registry import GUARDRAIL_METADATA
from any_guardrail.types import GuardrailOutput

adapter("any_guardrail")
from qwen3guard_any_guardrail import Qwen3GuardRuntime  # noqa: E402

OF_ACCOUNT = ("any-guardrail",)


class AnyGuardrailTest(AdapterTest):
    """As its own guardrails are called."""

    def test_prompts_and_responses(self) -> None:
        for guard in self.guards:
            guardrail = Qwen3GuardRuntime(guard)
            self.assertIsInstance(guardrail, Guardrail)
            safe, unsafe = guardrail.validate(SAFE), guardrail.validate(UNSAFE)
            self.assertEqual((safe.valid, safe.action, safe.extra["severity"], safe.categories), (True, "allow", "Safe", []))
            self.assertEqual((unsafe.valid, unsafe.action, unsafe.extra["severity"]), (False, "block", "Unsafe"))
            self.assertGreater(unsafe.score, 0.5)
            self.assertLess(safe.score, 0.5)
            self.assertTrue(unsafe.categories[0].triggered)
            self.assertEqual([guardrail.validate(SAFE, text).valid for text in (GOOD, BAD)], [True, False])
            conversation = [{"role": "user", "content": SAFE}, {"role": "assistant", "content": "By kill."}]
            self.assertTrue(guardrail.validate([*conversation, {"role": "user", "content": "Thank you!"}]).valid)
            self.assertFalse(guardrail.validate([*conversation, {"role": "user", "content": BAD}]).valid)

    def test_its_output_is_the_librarys(self) -> None:
        found = Qwen3GuardRuntime("nano-gen").validate(SAFE, "No, I can't help with that.")
        self.assertEqual([(each.name, each.triggered) for each in found.categories], [("refusal", True)])
        self.assertEqual((found.usage.model_id, found.extra["role"], found.extra["policy"]), ("nano-gen", "assistant", "default"))
        self.assertGreater(found.usage.prompt_tokens, 0)
        again = GuardrailOutput.model_validate_json(found.model_dump_json(exclude={"raw"}))
        self.assertEqual(again.extra, found.extra)

    def test_batches_are_what_single_calls_are(self) -> None:
        guardrail = Qwen3GuardRuntime(self.gen)
        texts = [SAFE, UNSAFE, "", GOOD, BAD]
        self.assertEqual([each.valid for each in guardrail.validate(texts)], [guardrail.validate(text).valid for text in texts])
        self.assertEqual(guardrail.validate([]), [])
        with self.assertRaises(TypeError):
            guardrail.validate(texts, "one answer")

    def test_a_policy_decides(self) -> None:
        flags = qwen3guard.Policy.parse({"schema": 1, "name": "n", "version": "1", "prompt": {"categories": {"Violent": "flag"}}})
        found = Qwen3GuardRuntime(self.gen, flags).validate(UNSAFE)
        self.assertEqual((found.valid, found.action, found.extra["severity"]), (True, "flag", "Unsafe"))

    def test_what_cannot_be_judged_raises(self) -> None:
        guardrail = Qwen3GuardRuntime(self.gen)
        for messages in ([{"role": "user", "content": IMAGE}], [{"role": "user", "content": "a", "hidden": "b"}], [SAFE, {"role": "user"}]):
            with self.assertRaises((qwen3guard.InvalidArgumentError, TypeError)):
                guardrail.validate(messages)
        with self.assertRaises(qwen3guard.InvalidUtf8Error):
            guardrail.validate([SAFE, "\ud800"])
        with self.assertRaises(qwen3guard.ContextFullError):
            Qwen3GuardRuntime(self.small_guard()).validate("word " * 200)
        with self.assertRaises(qwen3guard.Qwen3GuardError):
            Qwen3GuardRuntime(self.closed_guard()).validate(SAFE)

    def test_models(self) -> None:
        self.assertGreater(len(Qwen3GuardRuntime.SUPPORTED_MODELS), 1)
        for name in Qwen3GuardRuntime.SUPPORTED_MODELS:
            self.assertFalse(Qwen3GuardRuntime(name).validate(UNSAFE).valid)
        for name in ("./no-such-folder", "Qwen/Qwen3Guard-Gen-0.6B", ""):
            with self.assertRaisesRegex(FileNotFoundError, "nano-gen"):
                Qwen3GuardRuntime(name)

    def test_threads(self) -> None:
        guardrail = Qwen3GuardRuntime(self.gen)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            found = list(pool.map(guardrail.validate, [SAFE, UNSAFE] * 20))
        self.assertEqual([each.valid for each in found], [True, False] * 20)

    def test_its_metadata_says_what_the_others_say(self) -> None:
        ours, theirs = Qwen3GuardRuntime.METADATA, GUARDRAIL_METADATA[GuardrailName.QWEN3_GUARD]
        self.assertEqual(ours.stages, theirs.stages)
        self.assertEqual(ours.primary_category, theirs.primary_category)
        self.assertEqual(ours.description, (Qwen3GuardRuntime.__doc__ or "").splitlines()[0])

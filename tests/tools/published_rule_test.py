# SPDX-License-Identifier: Apache-2.0
"""Verdicts on answers against the published evaluation's rule, over a NumPy oracle's logits: equal severity, equal token.

The rule (eval/eval_stream.py of the repository QwenLM/Qwen3Guard, told here in our words): of the rendered conversation,
everything behind the first "</think>", "\\n\\n" is judged, the closing <|im_end|> and line break too; with --thinking,
everything behind the first answer's "<think>" and line break. The first two tokens in a row whose most probable label is
Unsafe make it Unsafe at the second; else the first two Controversial ones in a row, Controversial; else it is Safe.

What it needs and is not there is skipped. Q3G_TEMPLATE_SEED and Q3G_RULE_COUNT repeat and extend a run.
"""
import collections
import os
import sys
import tempfile
import unittest

import conversation_ids
import published_template
import random_conversations

if conversation_ids.HAVE_PACKAGES:
    import numpy as np
    import stream_oracle

COUNT = int(os.environ.get("Q3G_RULE_COUNT", "1000"))
SEED = int(os.environ.get("Q3G_TEMPLATE_SEED", "20"))
N_CHECKPOINTS = 4
LABELS = ["Safe", "Unsafe", "Controversial"]
# Logits of float32 and float64 differ by less; closer ones may be taken in either order.
TIE = 1e-4
PIECES = [0, 1, 3]
SEVERITY = {"not judged": 0, "Safe": 1, "Controversial": 2, "Unsafe": 3}


def is_canonical(answer):
    """Whether the template leaves an answer with a think block as it is."""
    if "</think>" not in answer:
        return True
    thought, said = answer.split("</think>")
    thought = thought.removeprefix("<think>")
    return answer == f"<think>\n{thought.strip(chr(10))}\n</think>\n\n{said.lstrip(chr(10))}"


class PublishedRule:
    def __init__(self, markup, oracle):
        self.oracle = oracle
        self.think_end, self.break_after = markup.recognized.encode("</think>\n\n").ids
        self.opening = markup.recognized.encode("<|im_start|>assistant").ids

    def first_judged(self, ids, with_thinking):
        """Index of the first token that the rule looks at."""
        pairs = list(zip(ids, ids[1:]))
        if with_thinking:
            # Behind the role come its line break, <think>, and what breaks the line there.
            return pairs.index(tuple(self.opening)) + 5
        return pairs.index((self.think_end, self.break_after)) + 2

    def decide(self, ids, with_thinking):
        """(severity, index of the token that decides or None); None when it hangs on a tie."""
        first = self.first_judged(ids, with_thinking)
        logits = self.oracle.risk_logits(ids)[first:]
        ranked = np.sort(logits, axis=-1)
        if np.min(ranked[:, -1] - ranked[:, -2]) < TIE:
            return None
        labels = logits.argmax(axis=-1)
        for label in (1, 2):
            runs = np.flatnonzero((labels[1:] == label) & (labels[:-1] == label))
            if len(runs):
                return LABELS[label], first + 1 + int(runs[0])
        return LABELS[0], None


class Answered(random_conversations.Conversations):
    """Conversations with one answer, at the end, which does not begin with a blank; no think tags but those it begins with,
    and no user's text that looks like a tool's."""

    def solid_text(self):
        text = self.text().lstrip()
        if self.chance(4):
            text += " " + " ".join(self.text() for _ in range(10))
        return text or "x"

    def thought(self):
        """A whole think block; the template gives any line breaks around its text their form."""
        r = self.random
        breaks = ["\n", "\n\n"] if self.chance(2) else ["", "\n", "\n\n\n"]
        return "<think>" + r.choice(breaks) + self.solid_text().strip() + r.choice(breaks) + "</think>" + r.choice(breaks)

    def conversation(self, has_thinking):
        messages = [{"role": "system", "content": self.text()}] if self.chance(4) else []
        messages += [{"role": "user", "content": self.text()} for _ in range(self.random.choice([1, 1, 1, 2, 3]))]
        answer = (self.thought() if has_thinking else "") + self.solid_text()
        return [*messages, {"role": "assistant", "content": answer}]


@unittest.skipIf(conversation_ids.missing(), conversation_ids.missing())
class PublishedRuleTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.markup = published_template.PublishedMarkup()
        cls.folder = tempfile.TemporaryDirectory()
        cls.checkpoints = [f"{cls.folder.name}/{i}" for i in range(N_CHECKPOINTS)]
        for i, checkpoint in enumerate(cls.checkpoints):
            stream_oracle.make_checkpoint(checkpoint, published_template.TOKENIZER, SEED + i)
        cls.rules = [PublishedRule(cls.markup, stream_oracle.StreamOracle(folder)) for folder in cls.checkpoints]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def check(self, name, thinking, with_thinking, has_thinking, count):
        source = Answered(SEED)
        expected, bad, n_ties = collections.Counter(), collections.defaultdict(list), 0
        for checkpoint, rule in zip(self.checkpoints, self.rules):
            rows, decisions = [], []
            while len(rows) < count // N_CHECKPOINTS:
                messages = source.conversation(has_thinking(source))
                decision = rule.decide(self.markup.ids(messages), with_thinking)
                if decision is None:
                    n_ties += 1
                    continue
                decisions.append(decision)
                rows.append({"messages": messages, "piece_bytes": PIECES[len(rows) % len(PIECES)], "thinking": thinking})
            for row, decision, found in zip(rows, decisions, conversation_ids.run(checkpoint, rows)):
                expected[decision[0]] += 1
                for way in ("classified", "lived"):
                    ours = found[way]
                    position = None if ours["severity"] == "Safe" else ours.get("position")
                    is_equal = "error" not in ours and (ours["severity"], position) == decision
                    # Lived, an answer is judged as it is written, too, where that is not yet the template's form: what
                    # was found then stands.
                    if not is_equal and way == "lived" and not is_canonical(row["messages"][-1]["content"]):
                        is_equal = "error" not in ours and SEVERITY[ours["severity"]] >= SEVERITY[decision[0]]
                    if not is_equal:
                        bad[way].append((row, decision, ours))
        print(f"published rule, {name}: {count} conversations, seed {SEED}, {n_ties} ties passed over, {dict(expected)}; "
              f"different: {({way: len(cases) for way, cases in bad.items()} or 0)}", file=sys.stderr)
        self.assertGreater(min(expected[label] for label in LABELS), count // 50, "no lively labels")
        for way, cases in bad.items():
            with self.subTest(way=way):
                self.assertEqual(len(cases), 0, cases[:1])

    def test_answers_that_do_not_think(self):
        self.check("no thinking", "none", False, lambda source: False, COUNT)

    def test_thinking_is_skipped(self):
        self.check("thinking skipped", "skip", False, lambda source: not source.chance(4), COUNT)

    def test_thinking_is_judged(self):
        self.check("thinking judged", "judge", True, lambda source: not source.chance(4), COUNT)


if __name__ == "__main__":
    unittest.main()

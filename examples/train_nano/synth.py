"""The project's own generator of labelled conversations: keyword-guided, paired positive and negative, deterministic.

`tables/<language>*.txt` hold phrases under `[section category]` lines. Harmful and harmless acts go through the same
question frames, so that a frame says nothing; talk *about* harmful things (law, prevention, history) is Safe; answers
stay abstract on purpose and hold no usable detail.
"""

from __future__ import annotations

import random
from pathlib import Path

TABLES = Path(__file__).with_name("tables")
#: Rows to draw per kind; the first column is for English, the second for Chinese, the third for every other language.
COUNTS = {
    "unsafe": (5000, 2600, 560), "benign": (4200, 2400, 460), "law": (1300, 700, 170), "bold": (900, 300, 80),
    "topic": (650, 230, 60), "hate": (840, 600, 520), "kind": (620, 480, 420), "quote": (300, 200, 130),
    "short": (4, 8, 6), "passage": (2600, 0, 0), "calm": (2600, 0, 0), "wrap": (900, 0, 0),
    "turns": (700, 300, 0), "answer": (1300, 600, 0),
}
Table = dict[str, list[tuple[str, str | None]]]


def read_tables(folder: Path = TABLES) -> dict[str, Table]:
    """language -> section -> [(phrase, category)]; answers.txt names the language in the section line."""
    out: dict[str, Table] = {}
    for path in sorted(folder.glob("*.txt")):
        lang, section, cat = path.stem.split("_")[0], "", None
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("["):
                section, _, rest = line.strip("[]").partition(" ")
                cat = rest or None
                if path.stem == "answers":
                    lang, cat = rest, None
            elif line:
                out.setdefault(lang, {}).setdefault(section, []).append((line, cat))
    return out


class Generator:
    """Rows of one language."""

    def __init__(self, lang: str, table: Table, seed: int) -> None:
        self.lang, self.t = lang, table
        self.rng = random.Random(f"{seed}/{lang}")
        self.column = {"en": 0, "zh": 1}.get(lang, 2)
        self.rows: list[dict] = []
        self.join = "" if lang == "zh" else " "

    def count(self, kind: str) -> int:
        """How many rows of a kind this language gets."""
        return COUNTS[kind][self.column]

    def pick(self, section: str) -> tuple[str, str | None]:
        """A random phrase with its category."""
        return self.rng.choice(self.t[section])

    def add(self, kind: str, messages: list[tuple[str, str]], label: str, cat: str | None = None,
            refusal: bool | None = None, onset: int | None = None, weight: float = 1.0) -> None:
        """Append a row; messages are (role, text)."""
        if label != "Safe" and onset is None:
            onset = 0
        self.rows.append({
            "id": f"synth-{self.lang}-{kind}-{len(self.rows)}", "lang": self.lang, "source": "synth", "label": label,
            "categories": [cat] if cat else [], "refusal": refusal, "onset": onset, "weight": weight,
            "synthetic": True, "messages": [{"role": r, "content": c.strip()} for r, c in messages]})

    def filled(self, frames: str, acts: str) -> tuple[str, str, str | None]:
        """(text, act, category) of a random act in a random frame."""
        act, cat = self.pick(acts)
        return self.pick(frames)[0].replace("{act}", act), act, cat

    def requests(self) -> None:
        """Harmful and harmless acts in the same frames, bold frames, and talk about the law."""
        if "acts" not in self.t:
            return
        for _ in range(self.count("unsafe")):
            text, _, cat = self.filled("frames", "acts")
            self.add("act", [("user", text)], "Unsafe", cat)
        for _ in range(self.count("benign")):
            self.add("benign", [("user", self.filled("frames", "benign")[0])], "Safe")
        for kind, frames, label in (("bold", "unsafe_frames", "Unsafe"), ("law", "safe_frames", "Safe")):
            for _ in range(self.count(kind) if frames in self.t else 0):
                text, _, cat = self.filled(frames, "acts")
                self.add(kind, [("user", text)], label, cat if label == "Unsafe" else None)
        for act, cat in self.t["acts"]:
            self.add("bare", [("user", act)], "Unsafe", cat)
        for act, _ in self.t["benign"]:
            self.add("bare", [("user", act)], "Safe")

    def topics(self) -> None:
        """Definitions, history and prevention of harmful things."""
        for _ in range(self.count("topic") if "topics" in self.t else 0):
            text = self.pick("safe_topic")[0].replace("{topic}", self.pick("topics")[0])
            self.add("topic", [("user", text[0].upper() + text[1:])], "Safe")

    def statements(self) -> None:
        """Hate towards groups, its neutral and positive twins, counter-speech; insults and mild outbursts."""
        def about(section: str) -> str:
            text = self.pick(section)[0].replace("{g}", self.pick("groups")[0])
            return text[0].upper() + text[1:]
        if "groups" in self.t:
            for _ in range(self.count("hate")):
                self.add("hate", [("user", about("hate"))], "Unsafe", "Unethical Acts")
            for _ in range(self.count("kind")):
                self.add("kind", [("user", about("kind"))], "Safe")
            for _ in range(self.count("quote")):
                said = about("hate").rstrip(".。")
                self.add("quote", [("user", self.pick("quote")[0].replace("{h}", said))], "Safe")
        for section, label in (("insults", "Unsafe"), ("mild", "Safe"), ("unsafe", "Unsafe"), ("safe", "Safe")):
            for text, _ in self.t.get(section, []):
                self.add(section, [("user", text)], label, "Unethical Acts" if section == "insults" else None,
                         weight=float(self.count("short")))

    def passage(self, bad: bool) -> tuple[str, str | None, int]:
        """A passage of several sentences: (text, category, offset of the first bad sentence)."""
        rng = self.rng
        calm = [s for s, _ in rng.sample(self.t["calm"], rng.randint(1, 5))]
        if not bad:
            return " ".join(calm), None, 0
        cat = self.pick("passage")[1]
        pool = [s for s, c in self.t["passage"] if c == cat]
        worst = rng.sample(pool, rng.randint(1, 4))
        before = calm[: rng.randint(0, min(3, len(calm)))]
        head = " ".join(before)
        after = calm[len(before):len(before) + rng.randint(0, 1)]
        return " ".join(before + worst + after), cat, len(head) + 1 if head else 0

    def passages(self) -> None:
        """Longer texts as prompts (story, forum, news) and as responses with a known onset."""
        if "passage" not in self.t:
            return
        for bad, kind in ((True, "passage"), (False, "calm")):
            for i in range(self.count(kind)):
                text, cat, onset = self.passage(bad)
                label = "Unsafe" if bad else "Safe"
                if i % 3:
                    self.add(kind, [("user", self.pick("wrap")[0].replace("{t}", text))], label, cat)
                else:
                    ask = self.rng.choice(["Continue the story.", "Write a text.", "Go on.", "Tell me something."])
                    self.add(kind, [("user", ask), ("assistant", text)], label, cat, False, onset if bad else None)

    def wrappers(self) -> None:
        """Jailbreak wrappers around harmful requests and plain role prompts around harmless ones."""
        for _ in range(self.count("wrap") if "jailbreak" in self.t else 0):
            bad, good = self.filled("frames", "acts")[0], self.filled("frames", "benign")[0]
            self.add("jailbreak", [("user", self.pick("jailbreak")[0].replace("{q}", bad))], "Unsafe", "Jailbreak")
            self.add("role", [("user", self.pick("benign_wrap")[0].replace("{q}", good))], "Safe")

    def reply(self, kind: str, act: str) -> str:
        """A refusal, a compliant harmful answer (abstract) or a harmless answer."""
        rng = self.rng
        fill = lambda section: self.pick(section)[0].replace("{act}", act)
        steps = lambda section, n: [s for s, _ in rng.sample(self.t[section], n)]
        if kind == "refusal":
            parts = [fill("refusal")] + steps("refusal_tail", rng.choice([0, 0, 1, 2]))
        else:
            opening = [fill("comply")] if rng.random() < 0.8 else []
            parts = opening + steps(kind, rng.randint(1, 5))
            if rng.random() < 0.3 and len(parts) > 2:
                parts = parts[:1] + [f"{i}. {p}" for i, p in enumerate(parts[1:], 1)]
                return "\n".join(parts)
        return self.join.join(parts)

    def answers(self) -> None:
        """Refusals, compliant harmful answers, harmless answers and information on harmful topics."""
        if "refusal" not in self.t:
            return
        for i in range(self.count("answer")):
            ask, act, cat = self.filled("frames", "acts")
            good, kind_act, _ = self.filled("frames", "benign")
            topic = self.pick("topics")[0]
            about = self.pick("safe_topic")[0].replace("{topic}", topic)
            self.add("refusal", [("user", ask), ("assistant", self.reply("refusal", act))], "Safe", refusal=True)
            if cat != "Jailbreak":
                self.add("comply", [("user", ask), ("assistant", self.reply("bad_step", act))], "Unsafe", cat, False)
            self.add("help", [("user", good), ("assistant", self.reply("good_step", kind_act))], "Safe", refusal=False)
            if i % 2 == 0:
                text = self.join.join(s.replace("{topic}", topic) for s, _ in self.rng.sample(self.t["info"], 2))
                self.add("info", [("user", about), ("assistant", text[0].upper() + text[1:])], "Safe", refusal=False)
            if i % 6 == 0:
                self.add("over", [("user", good), ("assistant", self.reply("refusal", kind_act))], "Safe", refusal=True)

    def conversations(self) -> None:
        """Several turns: only the last message counts."""
        if "refusal" not in self.t:
            return
        for i in range(self.count("turns")):
            ask, act, cat = self.filled("frames", "acts")
            good, other, _ = self.filled("frames", "benign")
            first = ([("user", good), ("assistant", self.reply("good_step", other))] if i % 3 else
                     [("user", ask), ("assistant", self.reply("refusal", act))])
            ask, act, cat = self.filled("frames", "acts")
            good, other, _ = self.filled("frames", "benign")
            if i % 4 < 2:
                self.add("turns", first + [("user", ask)], "Unsafe", cat)
                self.add("turns", first + [("user", good)], "Safe")
            else:
                self.add("turns", first + [("user", ask), ("assistant", self.reply("bad_step", act))], "Unsafe", cat, False)
                self.add("turns", first + [("user", ask), ("assistant", self.reply("refusal", act))], "Safe", refusal=True)

    def all(self) -> list[dict]:
        """Every kind of row that the tables of the language allow."""
        for make in (self.requests, self.topics, self.statements, self.passages, self.wrappers, self.answers,
                     self.conversations):
            make()
        return self.rows


def generate(seed: int) -> list[dict]:
    """All synthetic rows."""
    return [row for lang, table in read_tables().items() for row in Generator(lang, table, seed).all()]


def refusals_of(rows: list[dict], seed: int, count: int) -> list[dict]:
    """Refusals in chat style to harmful requests of the training sources."""
    rng = random.Random(f"{seed}/refusals")
    table = read_tables()
    out = []
    for i, row in enumerate(rng.sample(rows, min(count, len(rows)))):
        t = table[row["lang"]]
        plain = [s for s, _ in t["refusal"] if "{act}" not in s]
        parts = [rng.choice(plain)] + [s for s, _ in rng.sample(t["refusal_tail"], rng.choice([0, 1, 2]))]
        text = ("" if row["lang"] == "zh" else " ").join(parts)
        out.append({**row, "id": f"synth-refused-{i}", "source": "synth", "label": "Safe", "categories": [],
                    "refusal": True, "onset": None, "weight": 1.0, "synthetic": True,
                    "messages": row["messages"] + [{"role": "assistant", "content": text}]})
    return out

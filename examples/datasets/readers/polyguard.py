# SPDX-License-Identifier: Apache-2.0
"""PolyGuardPrompts (Kumar et al. 2025, arXiv:2504.04377): WildGuardTest in 17 languages, in the same columns, with a
language and an id that the translations of a row share."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark import Benchmark, Converted
from source import SourceRow

from .wildguard import labelled_rows

#: As the owner names them; the report's columns are by code.
LANGUAGES = {"arabic": "ar", "chinese": "zh", "czech": "cs", "dutch": "nl", "english": "en", "french": "fr", "german": "de", "hindi": "hi",
             "thai": "th", "italian": "it", "japanese": "ja", "korean": "ko", "polish": "pl", "portuguese": "pt", "russian": "ru",
             "spanish": "es", "swedish": "sv"}


def convert(rows: Iterable[SourceRow]) -> Converted:
    for row in rows:
        lang = row.choice("language", {**LANGUAGES, **{code: code for code in LANGUAGES.values()}})
        id = f"{lang}-{row.values['id']}" if row.has("id") else f"{lang}-{row.number - 1:05}"
        yield from labelled_rows(row, "polyguard", id, lang)


BENCHMARK = Benchmark("polyguard", ("polyguard_prompts", "polyguard_responses"),
                      "test-*.parquet: id, language, and the columns of WildGuardTest",
                      "Hugging Face ToxicityPrompts/PolyGuardPrompts", "CC BY 4.0", convert)

# SPDX-License-Identifier: Apache-2.0
"""Azure AI Content Safety's client on qwen3guard: what changes is the endpoint and the key.

    export CONTENT_SAFETY_ENDPOINT=http://127.0.0.1:8080 CONTENT_SAFETY_KEY=...
    python3 moderate.py "a text" ...

With a certificate of your own (https), CONTENT_SAFETY_CA is the file to trust. Exit code 1: a text is not to be shown.
"""
from __future__ import annotations

import os
import sys

from azure.ai.contentsafety import ContentSafetyClient
from azure.ai.contentsafety.models import AnalyzeTextOptions
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import AzureError

BLOCK_FROM = 4  # what the policy blocks; 2 is also what it flags


def is_allowed(client: ContentSafetyClient, text: str) -> bool:
    """Whether a text may be shown. What was not judged may not."""
    try:
        result = client.analyze_text(AnalyzeTextOptions(text=text))
    except AzureError as error:
        print(f"not judged: {error}", file=sys.stderr)
        return False
    severities = [one.severity for one in result.categories_analysis]
    return not result.blocklists_match and len(severities) == 4 and all(
        severity is not None and severity < BLOCK_FROM for severity in severities)


def main() -> int:
    client = ContentSafetyClient(os.environ["CONTENT_SAFETY_ENDPOINT"], AzureKeyCredential(os.environ["CONTENT_SAFETY_KEY"]),
                                 connection_verify=os.environ.get("CONTENT_SAFETY_CA", True))
    are_allowed = []
    for text in sys.argv[1:]:
        are_allowed.append(is_allowed(client, text))
        print("allowed" if are_allowed[-1] else "blocked", text)
    return 0 if all(are_allowed) else 1


if __name__ == "__main__":
    sys.exit(main())

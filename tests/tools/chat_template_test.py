# SPDX-License-Identifier: Apache-2.0
"""The chat markup against the published template, rendered by Jinja2: random conversations, equal ids.

Each conversation is classified, given to a session at once, and lived turn by turn; the model must see the ids of the
rendered template each time. Q3G_CLI names the built program; the test program conversation_ids lies in the same build.
What is missing is skipped. Q3G_TEMPLATE_SEED and Q3G_TEMPLATE_COUNT repeat and extend a run.

    chat_template_test.py --explain 5    prints the first differences of each kind instead
"""
import argparse
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import conversation_ids
import published_template
import random_conversations

COUNT = int(os.environ.get("Q3G_TEMPLATE_COUNT", "3000"))
SEED = int(os.environ.get("Q3G_TEMPLATE_SEED", "20"))
PIECES = [0, 0, 1, 2, 3, 7]
WAYS = ["classified", "restored", "lived"]


def is_refused(messages):
    """The template renders an answer that nobody has asked for, and one that says nothing; the runtime refuses them."""
    if messages[-1]["role"] == "assistant" and not messages[-1]["content"].strip("\n"):
        return True
    roles = [message["role"] for message in messages]
    first_user = next(i for i, role in enumerate(roles) if role in ("user", "tool"))
    return "assistant" in roles[:first_user]


def differences(markup, checkpoint, conversations):
    """{way: [(messages, expected ids or None, what the program gave), ...]} of those that are not as they should be."""
    rows = [{"messages": messages, "piece_bytes": PIECES[i % len(PIECES)], "thinking": "none"}
            for i, messages in enumerate(conversations)]
    found = {way: [] for way in WAYS}
    for messages, result in zip(conversations, conversation_ids.run(checkpoint, rows)):
        expected = markup.ids(messages)
        for way in WAYS:
            ours = result[way]
            if ours["ids"] == expected and "error" not in ours:
                continue
            if ours.get("error") == "invalid_argument" and is_refused(messages):
                continue
            found[way].append((messages, expected, ours))
    return found


@unittest.skipIf(conversation_ids.missing(), conversation_ids.missing())
class ChatTemplateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import stream_oracle

        cls.markup = published_template.PublishedMarkup()
        cls.folder = tempfile.TemporaryDirectory()
        stream_oracle.make_checkpoint(cls.folder.name, published_template.TOKENIZER, SEED)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def check(self, count, has_control):
        source = random_conversations.Conversations(SEED, has_control)
        conversations = [source.conversation() for _ in range(count)]
        found = differences(self.markup, self.folder.name, conversations)
        counts = {way: len(bad) for way, bad in found.items()}
        print(f"chat template: {count} conversations, seed {SEED}, control tokens in texts: {has_control}; "
              f"different: {counts}", file=sys.stderr)
        for way, bad in found.items():
            with self.subTest(way=way):
                self.assertEqual(len(bad), 0, bad[:1])

    def test_conversations(self):
        self.check(COUNT, False)

    def test_control_tokens_in_texts_are_text(self):
        self.check(COUNT // 3, True)

    def test_published_template_is_known(self):
        def found(*flags):
            command = [os.environ["Q3G_CLI"], "info", "--json", "--model", self.folder.name + "/", *flags]
            info = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
            return info["chat_template"], info["chat_template_fingerprint"]

        self.assertEqual(found("--refuse-unknown-template"), ("absent", ""))
        copy = Path(shutil.copy(published_template.TOKENIZER_CONFIG, self.folder.name))
        self.addCleanup(copy.unlink)
        self.assertEqual(found("--refuse-unknown-template"), ("known", "0283f874ff58d644"))
        template = Path(self.folder.name) / "chat_template.jinja"
        self.addCleanup(template.unlink)
        template.write_text("{{ messages[0].content }}", "utf-8")
        kind, fingerprint = found()
        self.assertEqual(kind, "unknown")
        with self.assertRaises(subprocess.CalledProcessError):
            found("--refuse-unknown-template")
        self.assertEqual(found("--refuse-unknown-template", "--known-template", fingerprint)[0], "known")


def kind_of(messages, way):
    """A rough name for what a conversation has, to sort differences by."""
    names = [way]
    roles = [message["role"] for message in messages]
    last = messages[-1]["content"]
    if roles[-1] == "assistant":
        names.append("last answer" + (" with tags" if "think>" in last else "") +
                     (" after a blank" if last[:1] in "\n \r\t\x85\u2028" else "") + (" empty" if last == "" else ""))
    if any("think>" in m["content"] for m in messages[:-1] if m["role"] == "assistant"):
        names.append("earlier tags")
    if "tool" in roles:
        names.append("tool")
    if any(m["role"] == "user" and m["content"].startswith("<tool_response>") for m in messages):
        names.append("user like a tool")
    return ", ".join(names)


def explain(count, n_shown):
    import stream_oracle

    markup = published_template.PublishedMarkup()
    source = random_conversations.Conversations(SEED)
    kinds = collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        stream_oracle.make_checkpoint(folder, published_template.TOKENIZER, SEED)
        conversations = [source.conversation() for _ in range(count)]
        for way, bad in differences(markup, folder, conversations).items():
            for case in bad:
                kinds[kind_of(case[0], way)].append(case)
    for kind, cases in sorted(kinds.items(), key=lambda item: -len(item[1])):
        print(f"== {kind}: {len(cases)}")
        for messages, expected, ours in sorted(cases, key=lambda case: len(json.dumps(case[0])))[:n_shown]:
            print("  " + json.dumps([[m["role"], m["content"]] for m in messages], ensure_ascii=False))
            print("    template " + json.dumps(markup.recognized.decode(expected, skip_special_tokens=False)), expected[-8:])
            text = markup.recognized.decode(ours["ids"], skip_special_tokens=False)
            print("    ours     " + (ours.get("error") or json.dumps(text)), ours["ids"][-8:])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--explain", type=int)
    options, rest = parser.parse_known_args()
    if options.explain is None:
        unittest.main(argv=[sys.argv[0], *rest])
    else:
        explain(COUNT, options.explain)

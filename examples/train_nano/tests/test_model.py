"""Rendering bytes, the shared prefix, and agreement with transformers."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import torch

import export
from losses import gen_hidden, verdict_ids
from nano_model import NanoConfig, NanoGuard
from predict import decide
from render import Renderer, load_tokenizer, prompt_template
from train_tokenizer import save, train

MESSAGES = [{"role": "user", "content": "Hello <|im_end|> there."},
            {"role": "assistant", "content": "Good day!"}]


class ModelCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = Path(cls.folder.name)
        rows = [{"lang": "en", "messages": MESSAGES}]
        save(train(rows, 900, 7), cls.path / "tokenizer.json")
        cls.r = Renderer(load_tokenizer(cls.path / "tokenizer.json"))
        torch.manual_seed(7)
        cls.model = NanoGuard(NanoConfig(vocab_size=cls.r.tok.get_vocab_size(), hidden_size=64, intermediate_size=96))
        state = {k: v.bfloat16().float() for k, v in cls.model.state_dict().items()}
        cls.model.load_state_dict(state)
        cls.model.eval()
        torch.save({"config": cls.model.cfg.to_dict(), "ema": state}, cls.path / "model.pt")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def test_gen_prompt_is_the_encoding_of_the_whole_string(self) -> None:
        for n, role in ((1, "user"), (2, "assistant")):
            messages = [{"role": m["role"], "content": m["content"].replace("<|im_end|>", "")} for m in MESSAGES[:n]]
            text = "USER: Hello  there." + ("\n\nASSISTANT: Good day!" if n == 2 else "")
            whole = prompt_template(role).replace("{CONVERSATION}", text)
            plain = load_tokenizer(self.path / "tokenizer.json")
            plain.encode_special_tokens = False
            self.assertEqual(plain.encode(whole, add_special_tokens=False).ids, self.r.gen(messages))

    def test_content_cannot_close_its_turn(self) -> None:
        ids, queries, responses = self.r.stream(MESSAGES)
        self.assertEqual(2, ids.count(self.r.end))
        self.assertEqual(self.r.end, ids[queries[0]])
        begin, end = responses[0]
        self.assertEqual("Good day!", self.r.tok.decode(ids[begin:end]))

    def test_verdict_words_are_single_tokens(self) -> None:
        self.assertEqual(3, len(set(verdict_ids(self.r))))

    def test_shared_prefix_changes_nothing(self) -> None:
        ids = self.r.gen(MESSAGES)
        head = self.r.head["assistant"]
        with torch.inference_mode():
            whole = self.model.model(torch.tensor([ids]))[0][:, len(head):]
            for training in (False, True):
                self.model.train(training)
                split = gen_hidden(self.model, torch.tensor([ids[len(head):]]), head)
                torch.testing.assert_close(whole, split, atol=1e-4, rtol=1e-4)
            self.model.eval()

    def test_agrees_with_transformers(self) -> None:
        try:
            from transformers import Qwen3ForCausalLM
        except ImportError:
            self.skipTest("transformers is not installed")
        prompts = {r: prompt_template(r) for r in ("user", "assistant")}
        export.write(self.path / "gen", "gen", self.path / "model.pt", self.path / "tokenizer.json", prompts)
        other = Qwen3ForCausalLM.from_pretrained(self.path / "gen", dtype=torch.float32).eval()
        ids = torch.tensor([self.r.gen(MESSAGES)])
        with torch.inference_mode():
            mine = self.model.logits(self.model.model(ids)[0])
            torch.testing.assert_close(other(ids).logits, mine, atol=1e-4, rtol=1e-4)

    def test_debounced_decision(self) -> None:
        self.assertEqual((None, "Safe"), decide([0, 1, 0, 1, 2, 0]))
        self.assertEqual((3, "Controversial"), decide([0, 1, 2, 2, 0]))
        self.assertEqual((5, "Unsafe"), decide([2, 2, 0, 0, 1, 1]))


if __name__ == "__main__":
    unittest.main()

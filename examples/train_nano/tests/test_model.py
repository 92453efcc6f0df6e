"""Rendering bytes, the shared prefix, and agreement with transformers."""

from __future__ import annotations

import random
import tempfile
import unittest
import unittest.mock
from pathlib import Path

import torch

import embeddings
import export
import losses
import stages
from dataset import collate, gen_example, stream_example, target_of
from grouping import grouped
from losses import gen_hidden, gen_step, stream_step, verdict_ids
from nano_model import NanoConfig, NanoGuard, rope_tables, rotate
from optimiser import Muon, orthogonal
from predict import decide
from render import Renderer, load_tokenizer, prompt_template
from train import Corpus, learning_rate
from vocabulary import save, train

MESSAGES = [{"role": "user", "content": "Hello <|im_end|> there."},
            {"role": "assistant", "content": "Good day!"}]


class ModelCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = Path(cls.folder.name)
        rows = [{"lang": "en", "source": "demo", "messages": MESSAGES}]
        save(train(rows, {}, 900, 7), cls.path / "tokenizer.json")
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

    def test_verdict_words_begin_differently(self) -> None:
        self.assertEqual(3, len(set(verdict_ids(self.r))))

    def test_first_heads_look_back(self) -> None:
        model = NanoGuard(NanoConfig(vocab_size=300))
        with torch.no_grad():
            model.model.embed_tokens.weight.normal_(0, embeddings.SCALE)
            model.model.embed_tokens.weight[:, 0] = embeddings.SCALE
            embeddings.look_back(model)
            layer = model.model.layers[0]
            x = layer.input_layernorm(model.model.embed_tokens(torch.randint(0, 300, (1, 24))))
            att, cos_sin = layer.self_attn, rope_tables(model.cfg, 0, 24, torch.float32)
            q = rotate(att.q_norm(att.q_proj(x).view(24, 4, 64)).transpose(0, 1), *cos_sin)
            k = rotate(att.k_norm(att.k_proj(x).view(24, 2, 64)).transpose(0, 1), *cos_sin)
            share = torch.stack([(q[h, 20] @ k[h // 2, :21].T / 8).softmax(-1) for h in range(3)])
        self.assertEqual([19, 18], share[:2].argmax(-1).tolist())
        self.assertGreater(float(share[:2].amax(-1).min()), 0.5)
        self.assertLess(float(share[2].max()), 3 / 21)

    def test_muon_makes_steps_orthogonal(self) -> None:
        torch.manual_seed(7)
        for shape in ((64, 96), (96, 64)):
            s = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
            self.assertGreater(float(s.min()), 0.3)
            self.assertLess(float(s.max()), 1.4)

    def test_muon_steps_matrices_of_one_shape_together(self) -> None:
        torch.manual_seed(7)
        start, grads = [torch.randn(8, 12) for _ in range(3)], [torch.randn(8, 12) for _ in range(3)]
        def stepped(matrices: list[torch.Tensor], gradients: list[torch.Tensor]) -> list[torch.Tensor]:
            params = [torch.nn.Parameter(m.clone()) for m in matrices]
            opt = Muon(params, 0.02)
            for _ in range(2):
                for p, g in zip(params, gradients):
                    p.grad = g.clone()
                opt.step()
            return [p.detach() for p in params]
        together = stepped(start, grads)
        for i in range(3):
            torch.testing.assert_close(together[i], stepped(start[i:i + 1], grads[i:i + 1])[0], atol=2e-3, rtol=0)
            self.assertGreater(float((together[i] - start[i]).abs().max()), 0.005)

    def test_a_batch_has_what_its_examples_have(self) -> None:
        target = target_of({"label": "Unsafe", "source": "hand", "categories": ["Violent"], "messages": MESSAGES, "refusal": False}, None)
        make = {"stream": stream_example, "gen": gen_example}
        for form in make:
            ex = [make[form]({"source": "hand", "onset": 5}, target, [-1, 3], self.r, MESSAGES[:n], limit) for n, limit in ((2, 160), (1, 160), (2, 6))]
            found = collate(ex, form, self.r.end)
            for i, e in enumerate(ex):
                self.assertEqual(e.ids, found.ids[i, : len(e.ids)].tolist())
                heads = found.query if e.role == "user" else found.response
                at = {int(p): float(w) for (row, p), w in zip(heads.at, heads.weight) if row == i}
                self.assertEqual(set(e.risk) | set(e.safe), set(at))
                for p, w in (e.risk | e.safe).items():
                    self.assertAlmostEqual(w, at[p], places=6)
            self.assertTrue(all(len(x) == len(found.response.at) for x in vars(found.response).values()))

    def test_a_batch_in_which_nothing_is_judged_costs_nothing(self) -> None:
        target = target_of({"label": "Unsafe", "source": "diasafety", "categories": [], "messages": MESSAGES, "refusal": None}, None)
        cut = stream_example({"source": "diasafety", "onset": 0}, target, [-1, -1], self.r, MESSAGES, 6)
        self.assertFalse(cut.risk or cut.safe)  # Feed leaves such an example out
        loss, parts = stream_step(self.model, collate([cut], "stream", self.r.end).tensors(torch.device("cpu")), self.r, None, 1.0)
        self.assertEqual(0.0, float(loss))

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
        stages.save(self.path / "model.pt", self.path / "tokenizer.json", self.path / "stage")
        export.write(self.path / "gen", "gen", self.path / "stage", prompts)
        other = Qwen3ForCausalLM.from_pretrained(self.path / "gen", dtype=torch.float32).eval()
        ids = torch.tensor([self.r.gen(MESSAGES)])
        with torch.inference_mode():
            mine = self.model.logits(self.model.model(ids)[0])
            torch.testing.assert_close(other(ids).logits, mine, atol=1e-4, rtol=1e-4)

    def test_the_mean_of_two_seeds(self) -> None:
        config, paths = {"vocab_size": 3}, [self.path / f"seed{s}.pt" for s in (1, 2)]
        for path, value in zip(paths, (1.0, 4.0)):
            torch.save({"config": config, "ema": {"w": torch.full((2, 2), value)}}, path)
        stages.mean(paths, self.path / "mean.pt")
        found = torch.load(self.path / "mean.pt", weights_only=True)
        self.assertEqual(config, found["config"])
        self.assertTrue(torch.equal(torch.full((2, 2), 2.5), found["ema"]["w"]))
        torch.save({"config": {"vocab_size": 4}, "ema": {}}, paths[1])
        with self.assertRaisesRegex(ValueError, "seed2.pt has another shape than .*seed1.pt"):
            stages.mean(paths, self.path / "none.pt")
        self.assertFalse((self.path / "none.pt").exists())

    def test_losses_see_the_prior_that_the_model_is_used_without(self) -> None:
        row = {"id": "a", "lang": "en", "source": "hand", "label": "Safe", "categories": [], "refusal": None, "weight": 1.0,
               "messages": [{"role": "user", "content": "Hello"}]}
        batch = collate([gen_example(row, target_of(row, None), [-1], self.r, row["messages"], 256)], "gen", self.r.end).tensors(torch.device("cpu"))
        handicap = {key: (0.0, 5.0, 5.0) for key in losses.PRIOR}
        with torch.no_grad():
            seen = []
            for prior in (dict.fromkeys(losses.PRIOR, (0.0, 0.0, 0.0)), handicap):
                with unittest.mock.patch.object(losses, "PRIOR", prior):
                    seen.append({k: float(v) for k, v in gen_step(self.model, batch, self.r, None, 1.0)[1].items()})
            hidden = gen_hidden(self.model, batch.ids, self.r.head["user"])
            logits = self.model.logits(hidden[0, batch.verdict - 1]).float()[0, verdict_ids(self.r)]
        for loss, prior in zip(seen, (torch.zeros(3), torch.tensor([0.0, 5.0, 5.0])), strict=True):
            wanted = torch.nn.functional.cross_entropy((logits + prior)[None], batch.risk)
            self.assertAlmostEqual(loss["verdict"], float(wanted), places=4)
        for part in ("words", "aux"):  # the word in the text and the heads' verdicts, too
            self.assertGreater(seen[1][part], seen[0][part])

    def test_a_steady_rate_does_not_fall(self) -> None:
        for done, falling, steady in ((0.0, 0.02, 0.02), (0.025, 0.5, 0.5), (0.5, 1.0, 1.0), (0.8, 0.51, 1.0), (1.0, 0.02, 1.0)):
            self.assertAlmostEqual(learning_rate(done, 0.05), falling)
            self.assertAlmostEqual(learning_rate(done, 0.05, steady=True), steady)

    def test_an_everyday_prompt_beside_a_prompt(self) -> None:
        corpus = Corpus.__new__(Corpus)
        corpus.calm = {"en": ["Good morning"]}
        row = {"id": "a", "lang": "en", "label": "Unsafe", "messages": [{"role": "user", "content": "Bad one"}]}
        texts = {corpus.joined(row, random.Random(seed))["messages"][0]["content"] for seed in range(60)}
        self.assertEqual({sep.join(pair) for sep in (" ", "\n", "\n\n")
                          for pair in (("Good morning", "Bad one"), ("Bad one", "Good morning"))}, texts)
        self.assertEqual("Bad one", row["messages"][0]["content"])

    def test_groups_keep_within_the_tokens(self) -> None:
        lengths = [3, 90, 1, 40, 40, 7, 300, 0]
        found = grouped(lengths, 100)
        self.assertEqual(list(range(len(lengths))), sorted(i for g in found for i in g))
        for g in found:
            self.assertTrue(len(g) == 1 or len(g) * max(lengths[i] for i in g) <= 100, g)
        self.assertEqual([], grouped([], 100))

    def test_debounced_decision(self) -> None:
        self.assertEqual((None, "Safe"), decide([0, 1, 0, 1, 2, 0]))
        self.assertEqual((3, "Controversial"), decide([0, 1, 2, 2, 0]))
        self.assertEqual((5, "Unsafe"), decide([2, 2, 0, 0, 1, 1]))


if __name__ == "__main__":
    unittest.main()

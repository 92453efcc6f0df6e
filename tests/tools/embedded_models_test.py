# SPDX-License-Identifier: Apache-2.0
"""src/embedded and examples/train_nano/embed.py: the packed file that two embedded models share is what packing their
published folders gives. Needs the program (Q3G_CLI)."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLI = os.environ.get("Q3G_CLI", "")
EMBEDDED = ROOT / "src/embedded"
TINY = ROOT / "tests/golden/tiny"
sys.path.insert(0, str(ROOT / "examples/train_nano"))
import embed  # noqa: E402
import safetensors_file  # noqa: E402


def table():
    """models.txt: the files of each model."""
    lines = (EMBEDDED / "models.txt").read_text(encoding="utf-8").splitlines()
    return {name: files.split() for name, files in (line.split(": ") for line in lines if line and not line.startswith("#"))}


def model_tensors(path):
    """A packed file's tensors, without files and padding."""
    return {name: value for name, value in safetensors_file.read_tensors(path).items() if not name.startswith(("file:", "padding:"))}


@unittest.skipUnless(os.path.exists(CLI), "Q3G_CLI does not name the built program")
class EmbeddedModelsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def embed(self, gen, stream):
        done = subprocess.run([sys.executable, "-B", ROOT / "examples/train_nano/embed.py", "--gen", gen, "--stream", stream, "--out",
                               self.folder / "out", "--program", CLI], capture_output=True, text=True, timeout=300)
        return done.returncode, done.stderr

    def check(self, gen, stream, packed):
        """`packed` is what packing the Stream folder gives, byte for byte, and has all tensors of the packed Gen folder."""
        for name, folder in (("gen", gen), ("stream", stream)):
            embed.pack(folder, self.folder / f"{name}.q3g", CLI)
        self.assertEqual(packed.read_bytes(), (self.folder / "stream.q3g").read_bytes())
        backbone, both = model_tensors(self.folder / "gen.q3g"), model_tensors(packed)
        self.assertEqual({name: both.get(name) for name in backbone}, backbone)
        self.assertEqual(len(both) - len(backbone), 8)  # the heads

    def test_the_embedded_file(self):
        files = table()
        self.assertEqual(list(files), ["nano-gen", "nano-stream"])
        self.assertLess(sum((EMBEDDED / name).stat().st_size for name in {file for of_model in files.values() for file in of_model}), 16_000_000)
        self.assertEqual(files, {"nano-gen": ["nano-gen/config.json", embed.TOKENIZER, embed.SHARED], "nano-stream": [embed.TOKENIZER, embed.SHARED]})
        # Packed so already, the tensors of each form are copied.
        both, found = model_tensors(EMBEDDED / embed.SHARED), {}
        for name in files:
            subprocess.run([CLI, "quantize", "--model", name, "--out", self.folder / name], check=True, stdout=subprocess.DEVNULL)
            found[name] = model_tensors(self.folder / name)
        self.assertEqual(found["nano-stream"], both)
        self.assertEqual({name: both.get(name) for name in found["nano-gen"]}, found["nano-gen"])
        try:
            import nano_folders
        except ModuleNotFoundError as error:
            self.skipTest(f"{error.name} is not installed: packing the kept stage was not tried")
        folders = self.folder / "folders"
        nano_folders.write(folders)
        self.check(folders / "nano-gen", folders / "nano-stream", EMBEDDED / embed.SHARED)
        for name in ("nano-gen/config.json", embed.TOKENIZER):
            self.assertEqual((EMBEDDED / name).read_bytes(), (folders / "nano-gen" / pathlib.Path(name).name).read_bytes())

    def test_embedding_two_folders(self):
        self.assertEqual(self.embed(TINY / "gen", TINY / "stream"), (0, ""))
        self.check(TINY / "gen", TINY / "stream", self.folder / "out" / embed.SHARED)
        self.assertEqual((self.folder / "out/nano-gen/config.json").read_bytes(), (TINY / "gen/config.json").read_bytes())
        self.assertEqual((self.folder / "out" / embed.TOKENIZER).read_bytes(), (TINY / "gen/tokenizer.json").read_bytes())
        self.assertFalse([name for name in safetensors_file.read_tensors(self.folder / "out" / embed.SHARED) if "tokenizer" in name])

    def test_folders_that_share_nothing(self):
        gen = self.folder / "gen"
        shutil.copytree(TINY / "gen", gen)
        weights = bytearray((gen / "model.safetensors").read_bytes())
        weights[-1] ^= 1
        (gen / "model.safetensors").write_bytes(weights)
        code, stderr = self.embed(gen, TINY / "stream")
        self.assertNotEqual(code, 0)
        self.assertRegex(stderr, "tensor .* differs")
        config = json.loads((gen / "config.json").read_text())
        (gen / "config.json").write_text(json.dumps(config | {"rope_theta": 7.0}))
        self.assertIn("rope_theta", self.embed(gen, TINY / "stream")[1])
        self.assertIn("embeddings are not tied", self.untied(gen, config))
        self.assertFalse((self.folder / "out").exists())

    def untied(self, gen, config):
        stream = self.folder / "stream"
        shutil.copytree(TINY / "stream", stream)
        for folder, of_folder in ((gen, config), (stream, json.loads((stream / "config.json").read_text()))):
            (folder / "config.json").write_text(json.dumps(of_folder | {"tie_word_embeddings": False}))
        return self.embed(gen, stream)[1]


if __name__ == "__main__":
    unittest.main()

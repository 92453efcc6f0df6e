# SPDX-License-Identifier: Apache-2.0
"""`qwen3guard quantize` and `verify`, and packed files in place of folders. Q3G_CLI names the program."""

import json
import os
import signal
import struct
import subprocess
import tempfile
import unittest

from cli_test import CLI, CliTest, lines, run

TINY = os.path.join(os.path.dirname(__file__), "../golden/tiny/gen")


class PackedCliTest(CliTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def quantize(self, *args, model=TINY, out="m.q3g"):
        return run("quantize", "--model", model, "--out", self.path(out), *args)

    def test_one_line_and_a_file_that_verifies(self):
        rows, plain = ", embeddings int8 (per row)", ", embeddings BF16"
        for args, name in (((), "int8 (group 64)" + rows), (("--group", "32"), "int8 (group 32)" + rows),
                           (("--group", "0"), "int8 (per row)" + rows), (("--type", "int4"), "int4 (group 32)" + rows),
                           (("--type", "bf16"), "bf16 (packed)" + plain), (("--type", "fp16"), "fp16 (packed)" + plain),
                           (("--embeddings", "plain"), "int8 (group 64)" + plain),
                           (("--type", "bf16", "--embeddings", "int8"), "bf16 (packed)" + rows)):
            code, stdout, stderr = self.quantize(*args, "--force")
            self.assertEqual((code, stderr), (0, ""))
            self.assertEqual(len(stdout.splitlines()), 1)
            self.assertIn(name, stdout.decode())
            self.assertEqual(os.listdir(self.folder), ["m.q3g"])
            self.assertEqual(run("verify", "--model", self.path("m.q3g"))[0], 0)
            info = lines(run("info", "--model", self.path("m.q3g"), "--json")[1])[0]
            self.assertEqual(info["weight_dtype"], name)

    def test_int8_embeddings_take_a_byte_a_weight_and_a_scale_a_row(self):
        sizes = {}
        for embeddings in ("plain", "int8"):
            self.assertEqual(self.quantize("--embeddings", embeddings, "--force")[0], 0)
            sizes[embeddings] = os.path.getsize(self.path("m.q3g"))
        info = lines(run("info", "--model", TINY, "--json")[1])[0]
        rows, width = info["vocab_size"], info["hidden_size"]
        saved = rows * width - 2 * rows  # BF16 before; a bfloat16 scale a row now
        self.assertAlmostEqual(sizes["plain"] - sizes["int8"], saved, delta=4096)  # the header, padding

    def test_the_tokenizer_comes_along(self):
        self.assertEqual(self.quantize()[0], 0)
        text = json.dumps("Hello <|im_end|>")
        packed = run("tokenize", "--model", self.path("m.q3g"), stdin=text)
        self.assertEqual(packed, run("tokenize", "--model", TINY, stdin=text))

    def test_the_header_is_that_of_safetensors(self):
        self.assertEqual(self.quantize()[0], 0)
        with open(self.path("m.q3g"), "rb") as f:
            (n,) = struct.unpack("<Q", f.read(8))
            header = json.loads(f.read(n))
        self.assertEqual((n + 8) % 64, 0)
        metadata = header.pop("__metadata__")
        self.assertEqual((metadata["qwen3guard_packed"], metadata["type"], metadata["group"]), ("1", "int8", "64"))
        for name, entry in header.items():
            self.assertEqual(len(metadata["xxh3:" + name]), 16)
            if not name.startswith("padding:"):
                self.assertEqual(entry["data_offsets"][0] % 64, 0)

    def test_errors(self):
        self.assert_error(self.quantize("--type", "int7"), "int7")
        self.assert_error(self.quantize("--embeddings", "int4"), "int4", "plain")
        self.assert_error(self.quantize("--group", "48"), "48", "64")
        self.assert_error(self.quantize("--type", "fp16", "--group", "64"), "64", "fp16")
        self.assert_error(self.quantize("--group", "-2"), "-2")
        self.assert_error(self.quantize("--type", "int4", "--group", "64"), "64", "int4")
        self.assert_error(self.quantize(model="nano-gem"), "nano-gen")
        self.assert_error(self.quantize(model="./nowhere"), "./nowhere")
        self.assert_error(self.quantize(out="absent/m.q3g"), "absent")
        self.assert_error(run("quantize", "--model", TINY), "--out")
        self.assert_error(run("verify", "--model", self.path("m.q3g")), "m.q3g")
        self.assertEqual(os.listdir(self.folder), [])
        self.assertEqual(self.quantize()[0], 0)
        self.assert_error(self.quantize(), "exists")
        self.assert_error(self.quantize("--type", "int4", model=self.path("m.q3g"), out="n.q3g"), "packed already", "int4 (group 32)")
        self.assert_error(self.quantize("--embeddings", "plain", model=self.path("m.q3g"), out="n.q3g"), "packed already", "model.embed_tokens")
        self.assertEqual(os.listdir(self.folder), ["m.q3g"])

    def test_a_packed_file_is_copied(self):
        for args in ((), ("--type", "int4", "--embeddings", "plain"), ("--type", "fp16")):
            self.assertEqual(self.quantize(*args, "--force")[0], 0)
            self.assertEqual(self.quantize(*args, "--force", model=self.path("m.q3g"), out="n.q3g")[0], 0)
            with open(self.path("m.q3g"), "rb") as one, open(self.path("n.q3g"), "rb") as other:
                self.assertEqual(one.read(), other.read())

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full here")
    def test_a_device_is_no_output(self):
        self.assert_error(run("quantize", "--model", TINY, "--out", "/dev/full", "--force"), "/dev/full")
        self.assertTrue(os.path.exists("/dev/full"))

    def test_damage_is_found(self):
        self.assertEqual(self.quantize()[0], 0)
        with open(self.path("m.q3g"), "rb") as f:
            sound = f.read()
        (n,) = struct.unpack("<Q", sound[:8])
        header = json.loads(sound[8:8 + n])
        name, table = "model.layers.0.mlp.up_proj.weight.packed", "model.embed_tokens.weight.packed"
        for tensor, loads in ((name, True), (table, True), ("model.norm.weight", False), ("file:config.json", False)):
            broken = bytearray(sound)
            broken[8 + n + header[tensor]["data_offsets"][0]] ^= 1
            with open(self.path("broken.q3g"), "wb") as f:
                f.write(broken)
            self.assert_error(run("verify", "--model", self.path("broken.q3g")), tensor, "checksum")
            info = run("info", "--model", self.path("broken.q3g"))
            self.assertEqual(info[0], 0 if loads else 2)
            for command in (("info",), ("classify", "--prompt", "x"), ("bench", "--quick"), ("logits", "--ids", "1")):
                self.assert_error(run(command[0], "--model", self.path("broken.q3g"), "--verify", *command[1:]), tensor,
                                  "checksum")
        self.assertEqual(run("info", "--model", self.path("m.q3g"), "--verify")[0], 0)
        for size in (0, 7, 8, 4096, len(sound) - 1):
            with open(self.path("broken.q3g"), "wb") as f:
                f.write(sound[:size])
            self.assert_error(run("info", "--model", self.path("broken.q3g")), "broken.q3g")

    @unittest.skipUnless(os.name == "posix", "POSIX signals")
    def test_ctrl_c_leaves_nothing(self):
        # The signal may come at any time: before the file, within it, or after it is complete.
        for delay in (0.0, 0.02, 0.05, 0.1):
            command = [CLI, "quantize", "--model", TINY, "--type", "int4", "--out", self.path("m.q3g"), "--force"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                pass
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=300)
            self.assertIn(os.listdir(self.folder), ([], ["m.q3g"]))
            if os.path.exists(self.path("m.q3g")):
                self.assertEqual(run("verify", "--model", self.path("m.q3g"))[0], 0)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""The static program in a root folder that holds nothing else, in a network where this file is the only name server.

static_test.py runs it as root by `unshare --net`. Q3G_CLI names the program. Standard library only.
"""
import http.server
import shutil
import socket
import socketserver
import ssl
import struct
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from cli_test import CLI
from one_answer import OneAnswer
from serve_program import Reply, ServeTest, Server
from systemd_trial import raise_loopback

USER = "65532:65532"
NAME = "chat.example"
ANSWER = "It tastes good."


class NameServer(socketserver.BaseRequestHandler):
    """Knows one name: 127.0.0.1, and no address of version 6. Of others it says that they are not."""

    def handle(self) -> None:
        query, sock = self.request
        end = query.index(b"\0", 12) + 5
        question, kind = query[12:end], struct.unpack(">H", query[end - 4:end - 2])[0]
        is_known = question[:-5].lower() == b"".join(bytes([len(part)]) + part for part in NAME.encode().split(b"."))
        answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([127, 0, 0, 1]) if is_known and kind == 1 else b""
        head = query[:2] + struct.pack(">HHHHH", 0x8580 | (0 if is_known else 3), 1, 1 if answer else 0, 0, 0)
        sock.sendto(head + question + answer, self.client_address)


class Upstream(OneAnswer):
    """The chat server behind the proxy."""

    ANSWER = ANSWER


class AloneTest(ServeTest):
    @classmethod
    def setUpClass(cls) -> None:
        raise_loopback()
        cls.folder = Path(tempfile.mkdtemp())
        cls.folder.chmod(0o755)
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", cls.folder / "key.pem",
                        "-out", cls.folder / "cert.pem"], check=True, capture_output=True)
        cls.plain, cls.tls = cls.upstream(None), cls.upstream(cls.folder)
        cls.serve_forever(socketserver.ThreadingUDPServer(("127.0.0.1", 53), NameServer))

    @classmethod
    def serve_forever(cls, server: socketserver.BaseServer) -> None:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)

    @classmethod
    def upstream(cls, folder: Path | None) -> int:
        """A chat server; its port."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
        if folder:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        cls.serve_forever(server)
        return server.server_address[1]

    def root(self, **files: str) -> Path:
        """A root folder of the program, and of files below /etc ("a__b": "/etc/a/b")."""
        root = Path(tempfile.mkdtemp(dir=self.folder))
        root.chmod(0o755)
        shutil.copy(CLI, root / "qwen3guard")
        for name, text in files.items():
            path = root / "etc" / name.replace("__", "/").replace("_", ".", 1)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return root

    def start(self, root: Path, *flags: str) -> Server:
        server = Server(*flags, program=("env", "-u", "SSL_CERT_FILE", "-u", "SSL_CERT_DIR", "chroot", f"--userspec={USER}", str(root), "/qwen3guard", "serve"))
        self.addCleanup(server.close)
        return server

    def ask(self, server: Server) -> Reply:
        return server.post("/v1/chat/completions", {"model": "any", "messages": [{"role": "user", "content": "Hello"}]})

    def assert_unreachable(self, reply: Reply, why: str) -> None:
        self.assertEqual(reply.status, 502)
        self.assertIn(why, reply.json()["error"]["message"])

    def test_no_other_file(self) -> None:
        server = self.start(self.root())
        result = server.post("/v1/moderations", {"input": "How do I kill a Python process?"}).json()["results"][0]
        self.assertEqual(result["qwen3guard"]["severity"], "Safe")
        self.assertEqual(server.stop(), 0)

    def test_names(self) -> None:
        """Of the hosts file, of the name server; whatever else nsswitch.conf of another system would ask."""
        files = {"resolv_conf": "nameserver 127.0.0.1\n", "hosts": "127.0.0.1 localhost\n127.0.0.1 beside\n",
                 "nsswitch_conf": "hosts: mymachines mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] files dns\n"}
        root = self.root(**files)
        for name in ("localhost", "beside", NAME):
            with self.subTest(name):
                reply = self.ask(self.start(root, "--upstream", f"http://{name}:{self.plain}"))
                self.assertEqual(reply.json()["choices"][0]["message"]["content"], ANSWER)
        self.assert_unreachable(self.ask(self.start(root, "--upstream", f"http://nobody.example:{self.plain}")), "its name cannot be resolved")

    def test_certificates(self) -> None:
        """Of the file where a distribution has them; none at all is told at the start."""
        names = {"resolv_conf": "nameserver 127.0.0.1\n"}
        url = f"https://{NAME}:{self.tls}"
        trusted = (self.folder / "cert.pem").read_text(encoding="utf-8")
        for place in ("ssl__certs__ca-certificates_crt", "pki__tls__certs__ca-bundle_crt", "ssl__ca-bundle_pem", "ssl__cert_pem"):
            with self.subTest(place):
                reply = self.ask(self.start(self.root(**names, **{place: trusted}), "--upstream", url))
                self.assertEqual(reply.status, 200, reply.body)
                self.assertEqual(reply.json()["choices"][0]["message"]["content"], ANSWER)
        with self.assertRaisesRegex(AssertionError, "no certificates to trust"):
            self.start(self.root(**names), "--upstream", url)
        other = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                                "-subj", f"/CN={NAME}", "-keyout", "/dev/null"], check=True, capture_output=True, text=True).stdout
        server = self.start(self.root(**names, **{"ssl__cert_pem": other}), "--upstream", url)
        self.assert_unreachable(self.ask(server), "certificate verify failed")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""The Helm chart: its linter is content, Kubernetes' own types take what it makes, and the program takes the flags in it.

Q3G_CLI names the static program. Without Go, which builds the linter, the tests skip. Standard library only.
"""
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

from cli_test import CLI
from serve_program import HAS_SERVE, Server, run

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "examples/deployment/helm/qwen3guard"
VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
KUBERNETES = "1.30.0"
ALICE = "alice-key-0123456789abcdef"


class HelmTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        done = subprocess.run([ROOT / "scripts/make_helm.sh"], capture_output=True, text=True, check=False)
        if done.returncode:
            print("skipped: helm cannot be built here: no Go, an old one, or no network")
            raise unittest.SkipTest(done.stderr)
        cls.programs = Path(done.stdout.strip().splitlines()[-1])
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)

    def helm(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        places = {f"HELM_{name}_HOME": str(self.folder) for name in ("CACHE", "CONFIG", "DATA")}
        return subprocess.run([self.programs / "helm", *arguments], capture_output=True, text=True, check=False, env={**os.environ, **places})

    def objects(self, *flags: str) -> dict[str, Any]:
        """What the chart makes with these flags, by kind. Each is decoded strictly."""
        made = self.helm("template", "trial", str(CHART), "--namespace", "safety", "--kube-version", KUBERNETES, *flags)
        self.assertEqual(made.returncode, 0, made.stderr)
        decoded = subprocess.run([self.programs / "decode", "ServiceMonitor"], input=made.stdout, capture_output=True, text=True, check=False)
        self.assertEqual(decoded.returncode, 0, decoded.stderr)
        return {found["kind"]: found for found in map(json.loads, decoded.stdout.splitlines())}

    def of(self, name: str) -> dict[str, Any]:
        return self.objects("--values", str(CHART / f"ci/{name}-values.yaml"))

    def test_the_linter_is_content(self) -> None:
        self.assertEqual(len(VALUES), 2)
        for values in VALUES:
            with self.subTest(values.name):
                done = self.helm("lint", "--strict", "--kube-version", KUBERNETES, "--values", str(values), str(CHART))
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertNotRegex(done.stdout + done.stderr, "WARNING|ERROR|warning")

    def test_what_it_makes(self) -> None:
        self.assertEqual(sorted(self.of("trial")), ["Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service"])
        made = self.of("full")
        self.assertEqual(sorted(made), ["ConfigMap", "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget", "Secret",
                                        "Service", "ServiceMonitor"])
        self.assertNotIn("replicas", made["Deployment"]["spec"])  # the autoscaler's
        self.assertEqual(made["NetworkPolicy"]["spec"]["egress"][1]["ports"], [{"port": 8443, "protocol": "TCP"}])
        labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
        for kind, path in (("Service", ("spec", "selector")), ("Deployment", ("spec", "selector", "matchLabels")),
                           ("NetworkPolicy", ("spec", "podSelector", "matchLabels")), ("PodDisruptionBudget", ("spec", "selector", "matchLabels"))):
            selector = made[kind]
            for step in path:
                selector = selector[step]
            self.assertLessEqual(selector.items(), labels, kind)

    def test_pods_are_safe_and_end_in_time(self) -> None:
        for name in ("trial", "full"):
            pod = self.of(name)["Deployment"]["spec"]["template"]["spec"]
            container = pod["containers"][0]
            self.assertEqual(container["securityContext"], {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                            "capabilities": {"drop": ["ALL"]}})
            self.assertTrue(pod["securityContext"]["runAsNonRoot"])
            self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            self.assertIs(pod["automountServiceAccountToken"], False)
            stop = next(int(flag.split("=")[1]) for flag in container["args"] if flag.startswith("--stop-timeout-s="))
            self.assertGreater(pod["terminationGracePeriodSeconds"], container["lifecycle"]["preStop"]["sleep"]["seconds"] + stop)
            mounts = {mount["name"] for mount in container["volumeMounts"] or []}
            self.assertEqual(mounts, {volume["name"] for volume in pod["volumes"] or []})

    @unittest.skipUnless(HAS_SERVE, "there is no static program")
    def test_the_program_takes_the_flags(self) -> None:
        """Those of the image and of the Deployment, with files where volumes would be; and the probes find what they ask for."""
        image = (ROOT / "examples/deployment/container/Containerfile").read_text(encoding="utf-8")
        self.assertIn('ENTRYPOINT ["/qwen3guard", "serve", "--host", "0.0.0.0", "--port", "8080"]', image)
        for name in ("trial", "full"):
            with self.subTest(name):
                made = self.of(name)
                container = made["Deployment"]["spec"]["template"]["spec"]["containers"][0]
                flags = [flag.replace("/etc/qwen3guard", str(self.folder)).replace("/models", str(self.folder)) for flag in container["args"]]
                self.make_files(made)
                self.assertEqual(container["ports"], [{"containerPort": 8080, "name": "http"}])
                with Server("--host", "0.0.0.0", "--port", "0", *flags, where=()) as server:
                    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                        self.assertEqual(server.get(container[probe]["httpGet"]["path"]).status, 200, probe)
                    headers = {"host": "trial-qwen3guard.safety"} | ({"authorization": f"Bearer {ALICE}"} if "Secret" in made else {})
                    self.assertEqual(server.post("/v1/moderations", {"input": "Hello"}, headers).status, 200)
                    metrics = server.get("/metrics", headers).body.decode()
                    self.assertEqual(server.stop(), 0)
                for scaler in (made[kind] for kind in made if kind == "HorizontalPodAutoscaler"):
                    metric = scaler["spec"]["metrics"][0]["pods"]["metric"]["name"]
                    self.assertRegex(metrics, rf"(?m)^{metric}\{{model=")
                    self.assertIn(f"seriesQuery: '{metric}{{", (CHART / "adapter-rule.yaml").read_text(encoding="utf-8"))

    def make_files(self, made: dict[str, Any]) -> None:
        """What the volumes of the pod would hold."""
        for name in ("keys", "policy", "upstream-key", "upstream-ca"):
            (self.folder / name).mkdir(exist_ok=True)
        if "Secret" in made:
            (self.folder / "keys/keys").write_text(made["Secret"]["stringData"]["keys"], encoding="utf-8")
            (self.folder / "policy/policy.json").write_text(made["ConfigMap"]["data"]["policy.json"], encoding="utf-8")
            (self.folder / "upstream-key/key").write_text("sk-upstream", encoding="utf-8")
            bundle = Path("/etc/ssl/certs/ca-certificates.crt")
            (self.folder / "upstream-ca/ca.pem").write_bytes(bundle.read_bytes())
            for model, file in (("gen", "guard.q3g"), ("stream", "stream.q3g")):
                code, _, said = run("quantize", "--model", str(ROOT / f"tests/golden/tiny/{model}"), "--type", "int8", "--out", str(self.folder / file))
                self.assertEqual(code, 0, said)

    def test_what_is_refused(self) -> None:
        for flags, why in (([], "say who may ask"),
                           (["--set", "keys.allowWithout=true,keys.existingSecret=one"], "say who may ask"),
                           (["--set", "keys.create.alice=short"], "keys"),
                           (["--set", "keys.allowWithout=true", "--set-json", 'models=[{"name":"a","path":"b.q3g"}]'], "modelVolume"),
                           (["--set", "keys.allowWithout=true,replica=3"], "replica"),
                           (["--set", "keys.existingSecret=one,serviceMonitor.enabled=true"], "/metrics wants a key"),
                           (["--set", "keys.allowWithout=true,upstream.url=chat.example"], "upstream")):
            with self.subTest(flags):
                done = self.helm("template", "trial", str(CHART), "--kube-version", KUBERNETES, *flags)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(why, done.stderr)

    def test_upstream_ports(self) -> None:
        for url, port in (("http://chat", 80), ("https://chat/base", 443), ("http://chat:9000/v1", 9000), ("http://[::1]:81", 81)):
            made = self.objects("--set", f"keys.allowWithout=true,upstream.url={url}")
            self.assertEqual(made["NetworkPolicy"]["spec"]["egress"][1]["ports"], [{"port": port, "protocol": "TCP"}], url)

    def test_versions_agree(self) -> None:
        version = subprocess.run([CLI, "--version"], capture_output=True, text=True, check=False).stdout.split()[-1] if os.path.exists(CLI) else ""
        if version:
            self.assertIn(f'appVersion: "{version}"\n', (CHART / "Chart.yaml").read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()

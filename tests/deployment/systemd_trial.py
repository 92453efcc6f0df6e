# SPDX-License-Identifier: Apache-2.0
"""What an operator does with the unit, inside of the systemd of systemd_root.sh: starts, asks, reloads, stops.

Writes what was found to /out/facts.json, for systemd_test.py. Standard library only.
"""
import fcntl
import json
import os
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

UNIT = "qwen3guard.service"
URL = "http://127.0.0.1:8080"
KEY = "trial-key-0123456789abcdef"
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
PATIENCE_S = 30.0


def raise_loopback() -> None:
    """As `ip link set lo up`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        name, flags = struct.unpack_from("16sh", fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack("16sh", b"lo", 0)))
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh", name, flags | IFF_UP))


def systemctl(*arguments: str) -> str:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, timeout=2 * PATIENCE_S, check=False)
    return done.stdout + done.stderr


def ask(path: str, body: object = None) -> str:
    request = urllib.request.Request(URL + path, None if body is None else json.dumps(body).encode(), {"authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
        return reply.read().decode()


def eventually(path: str, part: str) -> str:
    """What the path says, as soon as the part is in it."""
    end, said = time.monotonic() + PATIENCE_S, ""
    while part not in said and time.monotonic() < end:
        time.sleep(0.05)
        try:
            said = ask(path)
        except (OSError, urllib.error.URLError) as error:
            said = str(error)
    return said


def trial() -> dict[str, object]:
    raise_loopback()
    facts: dict[str, object] = {"start": systemctl("start", UNIT), "ready": eventually("/ready", "ready")}
    facts["verdict"] = ask("/v1/moderations", {"input": "I will find you and kill you."})
    pid = systemctl("show", "-p", "MainPID", "--value", UNIT).strip()
    facts["status"] = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    facts["reload"] = systemctl("reload", UNIT)
    facts["metrics"] = eventually("/metrics", 'what="policies"')
    log = Path("/var/log/qwen3guard/audit.jsonl")
    facts["audit"], facts["audit_mode"] = log.read_text(encoding="utf-8"), oct(log.stat().st_mode & 0o777)
    facts["keys_mode"] = oct(os.stat("/etc/qwen3guard/keys").st_mode & 0o777)
    facts["stop"] = systemctl("stop", UNIT)
    facts["result"] = systemctl("show", "-p", "Result", "-p", "ExecMainStatus", UNIT)
    return facts


if __name__ == "__main__":
    found = Path("/out/facts.part")
    try:
        found.write_text(json.dumps(trial()), encoding="utf-8")
    except Exception as error:  # pylint: disable=broad-except  # whatever it is, who waits outside is told
        found.write_text(json.dumps({"error": repr(error), "status": systemctl("status", "--no-pager", UNIT)}), encoding="utf-8")
    found.rename("/out/facts.json")

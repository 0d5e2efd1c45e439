"""The side of compare.py: a peer's worker as a process that may hang or die, and `attnrt`."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from shapes import Shape, write_shape

HERE = Path(__file__).resolve().parent
NO_BACKEND = 3  # attnrt's exit code


class PeerFailed(RuntimeError):
    """What a peer said when it could not go on, or that it said nothing."""


class Peer:
    """A worker of its own, started anew for the next request where it has died or was given up."""

    def __init__(self, module: str, python: str, folder: Path, device: str, seconds: float):
        self.module, self.device = module, device
        self.command = [python, str(HERE / "worker.py"), module, device]
        path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=os.pathsep.join(path))
        self.process: subprocess.Popen | None = None
        hello = self._start(seconds)
        self.name, self.versions, self.variants = hello["name"], hello["versions"], hello["variants"]

    def ask(self, request: dict, seconds: float) -> dict:
        """PeerFailed: there is no answer; the next request goes to a new worker."""
        if self.process is None:
            self._start(seconds)
        with suppress(OSError):  # it has ended, which _read tells
            print(json.dumps(request), file=self.process.stdin, flush=True)
        return self._read(seconds)

    def close(self) -> None:
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # with the compilers that it may have started
        self.process.wait()
        self.process = None

    def _start(self, seconds: float) -> dict:
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=self.environment, start_new_session=True)  # fmt: skip
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=forward, args=(self.process.stdout, self.lines), daemon=True).start()
        hello = self._read(seconds)
        if "failed" in hello:
            self.close()
            raise PeerFailed(hello["failed"])
        return hello

    def _read(self, seconds: float) -> dict:
        try:
            line = self.lines.get(timeout=max(seconds, 0))
        except queue.Empty:
            self.close()
            raise PeerFailed(f"no answer within {seconds:.0f} s") from None
        if not line:
            code = self.process.wait()
            self.process = None
            raise PeerFailed(f"its process ended with {code}; what it said stands on standard error")
        return json.loads(line)


def forward(stream, lines: queue.Queue) -> None:
    """Every line, and an empty text at the end."""
    for line in stream:
        lines.put(line)
    lines.put("")


class Attnrt:
    """The command, on one device; ours is every backend of `backends`."""

    def __init__(self, program: Path, plugins: Path | None, device: str):
        self.program, self.device = program, device
        self.common = ["--plugins", str(plugins)] if plugins else []

    @lru_cache(maxsize=None)
    def serves(self, backend: str, format: str, op: str, query_tokens: int, head_dim: int, q_heads: int, kv_heads: int,
               block: int | None) -> str:  # fmt: skip
        """Empty, or why not."""
        q = format if format == "f16" else "bf16"
        command = ["select", "--device", self.device, "--backend", backend, "--kv", format, "--q", q, "--op", op,
                   "--query-tokens", query_tokens, "--head-dim", head_dim, "--q-heads", q_heads, "--kv-heads", kv_heads]  # fmt: skip
        done = self.run([*command, *(("--block", block) if block else ())], 60)
        return "" if done.returncode == 0 else "no kernel for it" if done.returncode == NO_BACKEND else last_line(done.stderr)

    def why_not(self, backend: str, format: str, shape: Shape) -> str:
        op = "decode" if shape.decodes else "prefill"
        return self.serves(backend, format, op, shape.q_len if shape.decodes else 1, shape.head_dim, shape.q_heads,
                           shape.kv_heads, shape.block)  # fmt: skip

    def bench(self, shape: Shape, backend: str, formats: list[str], kv_mib: int, effort: list, seconds: float) -> dict:
        """What --report-json says. PeerFailed: attnrt's own words."""
        with tempfile.TemporaryDirectory() as folder:
            shapes, report = Path(folder) / "shape.csv", Path(folder) / "report.json"
            write_shape(shape, shapes)
            command = ["bench", "--device", self.device, "--shapes", shapes, "--backend", backend, "--kv-mib", kv_mib]
            command += [word for format in formats for word in ("--format", format)]
            done = self.run([*command, *effort, "--report-json", report], seconds)
            if done.returncode != 0:
                raise PeerFailed(last_line(done.stderr) or f"attnrt bench ended with {done.returncode}")
            return json.loads(report.read_text())

    def run(self, words: list, seconds: float) -> subprocess.CompletedProcess:
        command = [str(self.program), *self.common, *(str(word) for word in words)]
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            raise PeerFailed(f"no answer within {seconds:.0f} s") from None


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

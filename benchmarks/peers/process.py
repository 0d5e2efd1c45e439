"""The side of compare.py: workers as processes, and `attnrt bench`."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from shapes import Shape, write_shape

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
PYTHON = CACHE / "attnrt/peers/bin/python"
# Would bind threads or change their number or how they wait, for some peers and not for others.
THREADING = ("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_NUM", "LD_PRELOAD")
NO_BACKEND = 3  # attnrt's exit code


def environment(threads: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(THREADING)}
    return dict(kept, OMP_NUM_THREADS=str(threads))


class Peer:
    """A worker.py of its own; RuntimeError where it can't start or ends."""

    def __init__(self, name: str, threads: int):
        self.module = name
        self.process = subprocess.Popen(
            [str(PYTHON), str(HERE / "worker.py"), name, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(threads),
        )  # fmt: skip
        hello = self._read()
        self.name, self.versions, self.variants = hello["name"], hello["versions"], hello["variants"]

    def open(self, **request) -> dict:
        return self._ask({"open": request})

    def measure(self, **request) -> list[float]:
        return self._ask({"measure": request})["ms"]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()

    def _ask(self, request: dict) -> dict:
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return self._read()

    def _read(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.module}: the worker ended with {self.process.wait()}; what it said stands above")
        return json.loads(line)


def serves(attnrt: Path, shape: Shape, format: str) -> bool:
    """Whether the cpu plugin has a kernel: `attnrt bench` would end with the first format that it lacks."""
    q = format if format in ("f32", "f16") else "bf16"
    command = [str(attnrt), "select", "--device", "cpu", "--backend", "cpu", "--kv", format, "--q", q, "--json"]
    command += ["--op", "decode" if shape.decodes else "prefill", "--query-tokens", str(shape.q_len)]
    command += ["--head-dim", str(shape.head_dim), "--q-heads", str(shape.q_heads), "--kv-heads", str(shape.kv_heads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, NO_BACKEND):
        raise RuntimeError(f"attnrt select ended with {done.returncode}:\n{done.stderr.strip()}")
    return done.returncode == 0


def bench(
    attnrt: Path, shape: Shape, formats: list[str], threads: int, kv_mib: int, seconds: float, min_calls: int
) -> dict:
    """All formats of one shape: what `attnrt bench --report-json` says."""
    with tempfile.TemporaryDirectory() as folder:
        shapes, report = Path(folder) / "shape.csv", Path(folder) / "report.json"
        write_shape(shape, shapes)
        command = [str(attnrt), "bench", "--shapes", shapes, "--backend", "cpu", "--threads", threads, "--json"]
        for format in formats:
            command += ["--format", format]
        command += ["--kv-mib", kv_mib, "--min-time", seconds, "--min-iterations", min_calls, "--report-json", report]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment(threads))
        if done.returncode != 0:
            raise RuntimeError(f"attnrt bench ended with {done.returncode}:\n{done.stderr.strip()}")
        return json.loads(report.read_text())

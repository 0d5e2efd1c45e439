"""Runs the tests of benchmarks/peers, with numpy where an environment has it."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def has_numpy(python: str) -> bool:
    try:
        return subprocess.run([python, "-c", "import numpy"], capture_output=True).returncode == 0
    except OSError:
        return False


pythons = [str(CACHE / "attnrt" / venv / "bin/python") for venv in ("venv", "peers")]
python = next((path for path in pythons if has_numpy(path)), sys.executable)
path = os.pathsep.join([str(ROOT / "benchmarks/peers"), str(ROOT / "tests/record")])
environment = dict(os.environ, PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1")
command = [python, "-m", "unittest", "discover", "--verbose", "-s", str(HERE)]
sys.exit(subprocess.run(command, env=environment).returncode)

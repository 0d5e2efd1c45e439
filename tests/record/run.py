"""Runs the tests of tools/record in the environment that quickstart.sh made; without one: skipped (77)."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parents[1] / "tools"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
SKIPPED = 77


def usable(python: str) -> bool:
    try:
        done = subprocess.run([python, "-c", "import numpy, gguf, tokenizers"], capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


pythons = [str(CACHE / "attnrt/venv/bin/python"), sys.executable]
python = next((path for path in pythons if usable(path)), None)
if python is None:
    print(f"skipped: none of {', '.join(pythons)} has numpy, gguf and tokenizers; tools/quickstart.sh installs them")
    sys.exit(SKIPPED)
environment = dict(os.environ, PYTHONPATH=str(TOOLS), PYTHONDONTWRITEBYTECODE="1")
sys.exit(subprocess.run([python, "-m", "unittest", "discover", "-s", str(HERE)], env=environment).returncode)

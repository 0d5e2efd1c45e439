"""python -m record: records the models that are not recorded yet, in the user's cache folder."""

import argparse
import os
import sys
from pathlib import Path

from .models import MODELS
from .recording import check, record, record_fixture

FIXTURE_LAYERS = 2
FIXTURE_TOKENS = 77  # no multiple of any block size


def main() -> int:
    arguments = parse()
    try:
        run(arguments)
    except (RuntimeError, OSError) as error:
        print(f"record: {error}", file=sys.stderr)
        return 1
    return 0


def run(arguments: argparse.Namespace) -> None:
    if arguments.fixture:
        record_fixture(arguments.fixture, FIXTURE_LAYERS, FIXTURE_TOKENS, say)
        return
    for name in arguments.models or MODELS:
        path = arguments.output / f"{name}.safetensors"
        if arguments.check:
            check(MODELS[name], say)
        elif path.exists() and not arguments.force:
            say(f"{name}: already recorded in {path}")
        else:
            record(MODELS[name], path, say)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="record", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"{', '.join(MODELS)} (default: all)")
    parser.add_argument("--output", type=Path, default=cache_folder(), help="folder of the recordings (%(default)s)")
    parser.add_argument("--force", action="store_true", help="record again what is already there")
    parser.add_argument("--check", action="store_true", help="only check the perplexities, write nothing")
    parser.add_argument("--fixture", type=Path, metavar="FILE", help="write the tests' small recording of SmolLM2")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.models if name not in MODELS]
    if unknown:
        parser.error(f"unknown model '{unknown[0]}'; known: {', '.join(MODELS)}")
    return arguments


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "attnrt"


def say(line: str) -> None:
    print(line, flush=True)


sys.exit(main())

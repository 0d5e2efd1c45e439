"""worker.py PEER DEVICE: one peer in a process of its own. Reads requests, a line of JSON each, and answers each with one.

First, of itself: {name, versions, variants: {variant: format}}, or {failed: why it can't start}.
measure {shape, variant, walk_bytes, seconds, min_replays} -> {ms: [...], copies, error} or {refused: why}
limits {} -> {copy_gb_s, matmul_gflop_s}, of those that the peer can measure, or {refused: why}
"""

import importlib
import json
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))  # shapes


def words(failure: BaseException) -> str:
    return " ".join(f"{type(failure).__name__}: {failure}".split())[:300]


def start(name: str, device: str):
    """-> the peer's module, and what it says of itself."""
    peer = importlib.import_module(f"peer_{name}")
    versions = peer.start(device)
    return peer, {"name": peer.NAME, "versions": versions, "variants": peer.VARIANTS}


def answer(peer, device: str, request: dict) -> dict:
    try:
        if "limits" in request:
            return peer.limits(device) if hasattr(peer, "limits") else {}
        return measure(peer, device, **request["measure"])
    except Exception as failure:  # whatever a peer raises is the reason why it is left out
        return {"refused": words(failure)}


def measure(peer, device: str, shape: dict, variant: str, walk_bytes: int, seconds: float, min_replays: int) -> dict:
    from shapes import Shape

    return peer.measure(Shape(**shape), variant, device, walk_bytes, seconds, min_replays)


def main(name: str, device: str) -> int:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    try:
        peer, hello = start(name, device)
    except BaseException as failure:
        print(json.dumps({"failed": words(failure)}), file=answers)
        return 1
    print(json.dumps(hello), file=answers)
    for line in sys.stdin:
        print(json.dumps(answer(peer, device, json.loads(line))), file=answers)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))

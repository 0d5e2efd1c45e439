"""worker.py PEER: one peer in a process of its own. Reads requests, a line of JSON each, and answers each with one.

open {shape, variants, walk_bytes, huge_pages} -> {opened: {variant: {copies, error}}, refused: {variant: why}}
measure {variant, seconds, min_calls} -> {ms: [...]}
"""

import importlib
import json
import os
import sys

from case import Case, measure
from data import TOLERANCE, make_data, worst_error
from shapes import Shape


class Worker:
    def __init__(self, peer):
        self.peer = peer
        self.cases: dict[str, Case] = {}

    def answer(self, request: dict) -> dict:
        return self.open(**request["open"]) if "open" in request else self.measure(**request["measure"])

    def open(self, shape: dict, variants: list[str], walk_bytes: int, huge_pages: bool) -> dict:
        """What the last shape held goes first: the largest ones fill gigabytes."""
        self.cases.clear()
        shape = Shape(**shape)
        data = make_data(shape)
        opened, refused = {}, {}
        for variant in variants:
            try:
                case = self.peer.open_case(shape, variant, data, walk_bytes, huge_pages)
                case.step()
                error = worst_error(shape, data, case.result())
            except Exception as failure:  # whatever a peer raises is the reason why it is left out
                refused[variant] = " ".join(f"{type(failure).__name__}: {failure}".split())[:300]
                continue
            most = getattr(self.peer, "TOLERANCE", {}).get(variant) or TOLERANCE[self.peer.VARIANTS[variant]]
            if error > most:
                refused[variant] = f"wrong: error {error:.2g}, expected at most {most}"
                continue
            self.cases[variant] = case
            opened[variant] = {"copies": case.copies, "error": error}
        return {"opened": opened, "refused": refused}

    def measure(self, variant: str, seconds: float, min_calls: int) -> dict:
        return {"ms": measure(self.cases[variant], seconds, min_calls)}


def main(name: str, threads: int) -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    peer = importlib.import_module(f"peer_{name}")
    hello = {"versions": peer.start(threads), "name": peer.NAME, "variants": peer.VARIANTS}
    print(json.dumps(hello), file=answers)
    worker = Worker(peer)
    for line in sys.stdin:
        print(json.dumps(worker.answer(json.loads(line))), file=answers)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

#!/usr/bin/env python3
"""compare.py [FILE.csv]: attnrt's cpu backend and every peer of install.sh, shape by shape, side by side.

Prints a Markdown report; --json keeps everything that was measured. --report prints one from such files.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median

from process import HERE, PYTHON, Peer, bench, serves
from report import markdown, merge
from shapes import Shape, choose, read_shapes

ROOT = HERE.parents[1]
PEERS = ("vllm", "torch", "onnxruntime", "ggml")
OURS = "attnrt"
KEPT = ("machine", "threads", "kv_mib", "huge_pages_for_peers", "versions", "shapes", "limits", "figures", "left_out")
FORMATS = ("bf16", "f16", "f32", "fp8_e4m3", "fp8_e5m2", "int8_per_token_head", "fp8_per_token_head",
           "int4_per_token_head", "nvfp4_linear")  # fmt: skip


def main() -> int:
    arguments = parse()
    try:
        if arguments.report:
            results = [read_report(path) for path in arguments.report]
        else:
            results = [Comparison(arguments).run()]
        result = merge(results)
        if arguments.json:
            arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    except (RuntimeError, ValueError, OSError) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 1
    print(markdown(result), end="")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="compare.py", description=__doc__)
    parser.add_argument("csv", nargs="?", type=Path, default=ROOT / "configs/bench/shapes.csv", metavar="FILE.csv",
                        help="shapes (%(default)s)")  # fmt: skip
    parser.add_argument("--shapes", action="append", default=[], metavar="NAME",
                        help="only those with this in their name, or that match it with * and ?; may be repeated")  # fmt: skip
    parser.add_argument("--only", type=lambda text: text.split(","), default=[*PEERS, OURS], metavar="A,B",
                        help=f"of {', '.join((*PEERS, OURS))} (all)")  # fmt: skip
    parser.add_argument("--formats", type=lambda text: text.split(","), default=list(FORMATS), metavar="A,B",
                        help="attnrt's (%(default)s)")  # fmt: skip
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of each (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, metavar="N",
                        help="measure everything of a shape so often in turn (%(default)s)")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=0.15, help="of a figure and round (%(default)s)")
    parser.add_argument("--calls", type=int, default=3, metavar="N", help="… and at least so many (%(default)s)")
    parser.add_argument("--kv-mib", type=int, default=256, metavar="MIB", help="KV walked before any is met again (%(default)s)")
    parser.add_argument("--huge-pages", action="store_true", help="the peers' KV on huge pages, which they don't ask for themselves")
    parser.add_argument("--attnrt", type=Path, default=ROOT / "build/release/bin/attnrt", metavar="FILE", help="(%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep everything there")
    parser.add_argument("--report", type=Path, nargs="+", metavar="FILE", help="measure nothing: print what these hold")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.only if name not in (*PEERS, OURS)]
    if unknown:
        parser.error(f"unknown peer '{unknown[0]}'; known: {', '.join((*PEERS, OURS))}")
    return arguments


class Comparison:
    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments
        self.shapes = choose(read_shapes(arguments.csv), arguments.shapes)
        skewed = [shape.name for shape in self.shapes if len(set(shape.kv_lens)) > 1]
        if skewed:
            raise ValueError(f"expected sequences of equal lengths, found '{skewed[0]}': these peers take no others")
        self.ours = OURS in arguments.only
        if self.ours and not arguments.attnrt.is_file():
            raise RuntimeError(f"{arguments.attnrt}: expected the command attnrt, found none; build it, or name it with --attnrt")
        if not PYTHON.is_file() and set(arguments.only) != {OURS}:
            raise RuntimeError(f"{PYTHON}: expected the peers' environment, found none; benchmarks/peers/install.sh makes it")
        self.result = {
            "attnrt_peers": 1,
            "machine": cpu_name(),
            "threads": arguments.threads,
            "kv_mib": arguments.kv_mib,
            "huge_pages_for_peers": arguments.huge_pages,
            "versions": {}, "shapes": [], "limits": [], "figures": [], "left_out": [],
        }  # fmt: skip

    def run(self) -> dict:
        peers = [Peer(name, self.arguments.threads) for name in PEERS if name in self.arguments.only]
        for peer in peers:
            self.result["versions"][peer.name] = peer.versions
        for number, shape in enumerate(self.shapes, 1):
            start = time.monotonic()
            self.measure(peers, shape)
            say(f"{number}/{len(self.shapes)} {shape.name}: {time.monotonic() - start:.1f} s")
        for peer in peers:
            peer.close()
        return self.result

    def measure(self, peers: list[Peer], shape: Shape) -> None:
        arguments, samples = self.arguments, {}
        self.result["shapes"].append(shape.to_json())
        opened = {peer: self.open(peer, shape) for peer in peers}
        formats = self.served(shape) if self.ours else []
        reports = []
        for _ in range(arguments.rounds):
            for peer, variants in opened.items():
                for variant in variants:
                    times = peer.measure(variant=variant, seconds=arguments.seconds, min_calls=arguments.calls)
                    samples.setdefault((peer, variant), []).append(times)
            if formats:
                reports.append(bench(arguments.attnrt, shape, formats, arguments.threads, arguments.kv_mib,
                                     arguments.seconds, arguments.calls))  # fmt: skip
        for (peer, variant), rounds in samples.items():
            self.add_peer(peer, variant, shape, rounds, opened[peer][variant])
        for format in formats:
            self.add_ours(format, shape, [f for r in reports for f in r["figures"] if f["format"] == format])
        self.result["limits"] += [{"shape": shape.name, **limit} for r in reports for limit in r["limits"]]

    def open(self, peer: Peer, shape: Shape) -> dict:
        answer = peer.open(shape=shape.to_json(), variants=list(peer.variants), walk_bytes=self.arguments.kv_mib << 20,
                           huge_pages=self.arguments.huge_pages)  # fmt: skip
        for variant, why in answer["refused"].items():
            self.result["left_out"].append({"peer": peer.name, "variant": variant, "shape": shape.name, "why": why})
        return answer["opened"]

    def served(self, shape: Shape) -> list[str]:
        formats = [format for format in self.arguments.formats if serves(self.arguments.attnrt, shape, format)]
        for format in sorted(set(self.arguments.formats) - set(formats)):
            why = "the cpu plugin has no kernel for it"
            self.result["left_out"].append({"peer": OURS, "variant": format, "shape": shape.name, "why": why})
        return formats

    def add_peer(self, peer: Peer, variant: str, shape: Shape, rounds: list[list[float]], facts: dict) -> None:
        format = peer.variants[variant]
        self.add(shape, peer.name, variant, format, rounds, shape.kv_bytes(format), error=facts["error"], copies=facts["copies"])

    def add_ours(self, format: str, shape: Shape, figures: list[dict]) -> None:
        rounds = [[figure["median_ms"]] for figure in figures]
        shares = [figure["share_of_limit"] for figure in figures]
        first = figures[0]
        self.add(shape, OURS, format, format, rounds, first["kv_bytes"], calls=sum(f["iterations"] for f in figures),
                 limit=first["limit"], share_of_limit=median(shares), kernel=first["kernel"], isa=first["description"],
                 block_size=first["block_size"])  # fmt: skip

    def add(self, shape: Shape, peer: str, variant: str, format: str, rounds: list, kv_bytes: float, **facts) -> None:
        """The median of the rounds' medians: a disturbed round must not count for more by its many calls."""
        ms = median(median(times) for times in rounds)
        figure = {
            "shape": shape.name, "peer": peer, "variant": variant, "format": format, "ms": ms,
            "min_ms": min(min(times) for times in rounds), "rounds_ms": [median(times) for times in rounds],
            "calls": sum(len(times) for times in rounds), "kv_gb_s": kv_bytes / ms / 1e6, "gflop_s": shape.flop / ms / 1e6,
        }  # fmt: skip
        self.result["figures"].append(figure | facts)


def read_report(path: Path) -> dict:
    """What --json kept; ValueError where the file holds something else."""
    try:
        result = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path}: expected what --json keeps, found no JSON: {error}") from error
    if not isinstance(result, dict) or result.get("attnrt_peers") != 1:
        raise ValueError(f"{path}: expected what --json keeps, with 'attnrt_peers' 1, found other JSON")
    missing = [key for key in KEPT if key not in result]
    if missing:
        raise ValueError(f"{path}: expected what --json keeps, found no '{missing[0]}'")
    return result


def cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

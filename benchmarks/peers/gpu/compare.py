#!/usr/bin/env python3
"""compare.py [FILE.csv]: attnrt's backends for a GPU and every peer that this machine has, shape by shape, side by side.

Prints a Markdown report; --json keeps everything that was measured. A peer that is missing, refuses, gives wrong numbers, hangs or
dies is named with its words, and so is what there was no time for: none of it stops the run.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))  # shapes, report; behind this folder, which has modules of the same names

from process import Attnrt, Peer, PeerFailed, say  # noqa: E402
from shapes import Shape, choose, read_shapes  # noqa: E402
from table import markdown  # noqa: E402

ROOT = HERE.parents[2]
OURS = "attnrt"
BACKENDS = ("cuda", "flashinfer", "cudnn")
FORMATS = ("bf16", "fp8_e4m3", "f16", "fp8_e5m2", "int8_per_token_head", "fp8_per_token_head", "int4_per_token_head",
           "nvfp4_linear")  # fmt: skip
STARTING = 60  # seconds that a worker may take until it says who it is
COMPILING = 3600  # and for an answer where it may compile first
# Of install.sh, where it has been run.
INSTALLED = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "attnrt" / "gpu-peers" / "bin" / "python"


def main() -> int:
    arguments = parse()
    try:
        comparison = Comparison(arguments)
        result = comparison.prepare() if arguments.prepare else comparison.run()
    except (ValueError, OSError, PeerFailed) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    print(markdown(result), end="")
    return 0


def parse() -> argparse.Namespace:
    def words(text: str) -> list[str]:
        return [word for word in text.split(",") if word]

    parser = argparse.ArgumentParser(prog="compare.py", description=__doc__)
    parser.add_argument("csv", nargs="?", type=Path, default=ROOT / "configs/bench/gpu.csv", metavar="FILE.csv",
                        help="shapes, the most important ones first (%(default)s)")  # fmt: skip
    parser.add_argument("--device", default="cuda:0", metavar="DEVICE", help="attnrt's (%(default)s)")
    parser.add_argument("--peers-device", metavar="DEVICE", help="the peers', as PyTorch names it (that of --device)")
    parser.add_argument("--shapes", action="append", default=[], metavar="NAME",
                        help="only those with this in their name, or that match it with * and ?; may be repeated")  # fmt: skip
    parser.add_argument("--peers", type=Path, default=HERE, metavar="FOLDER", help="of their modules, peer_NAME.py (%(default)s)")
    parser.add_argument("--only", type=words, metavar="A,B", help=f"of the peers and {OURS} (all)")
    python = str(INSTALLED) if INSTALLED.is_file() else sys.executable
    parser.add_argument("--python", default=python, help="that has the peers' packages (%(default)s)")
    parser.add_argument("--backends", type=words, default=list(BACKENDS), metavar="A,B", help="attnrt's plugins (%(default)s)")
    parser.add_argument("--formats", type=words, default=list(FORMATS), metavar="A,B", help="attnrt's (%(default)s)")
    parser.add_argument("--seconds", type=float, default=300, metavar="N", help="for everything together (%(default)s)")
    parser.add_argument("--figure-seconds", type=float, default=0.03, metavar="N", help="of a figure, at least (%(default)s)")
    parser.add_argument("--replays", type=int, default=9, metavar="N", help="… and at least so many (%(default)s)")
    parser.add_argument("--patience", type=float, default=30, metavar="N", help="seconds for a peer's answer (%(default)s)")
    parser.add_argument("--kv-mib", type=int, default=256, metavar="MIB", help="KV walked before any is met again (%(default)s)")
    parser.add_argument("--attnrt", type=Path, default=ROOT / "build/release/bin/attnrt", metavar="FILE", help="(%(default)s)")
    parser.add_argument("--plugins", type=Path, metavar="FOLDER", help="of attnrt's plugins (its own)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep everything there")
    parser.add_argument("--prepare", action="store_true", help="measure nothing: have peers compile what they compile at first use")
    arguments = parser.parse_args()
    known = [*(path.stem.removeprefix("peer_") for path in sorted(arguments.peers.glob("peer_*.py"))), OURS]
    arguments.only = arguments.only if arguments.only is not None else known
    unknown = [name for name in arguments.only if name not in known]
    if unknown:
        parser.error(f"unknown peer '{unknown[0]}'; known: {', '.join(known)}")
    return arguments


class Comparison:
    def __init__(self, arguments: argparse.Namespace):
        self.a = arguments
        self.end = time.monotonic() + arguments.seconds
        self.shapes = choose(read_shapes(arguments.csv), arguments.shapes)
        self.peers_device = arguments.peers_device or arguments.device
        if OURS in arguments.only and not arguments.attnrt.is_file():
            raise ValueError(f"{arguments.attnrt}: expected the command attnrt, found none; build it, or name it with --attnrt")
        self.attnrt = Attnrt(arguments.attnrt, arguments.plugins, arguments.device)
        self.result = {
            "attnrt_gpu_peers": 1, "device": arguments.device, "kv_mib": arguments.kv_mib, "seconds": arguments.seconds,
            "versions": {}, "limits": {}, "shapes": [shape.to_json() for shape in self.shapes], "figures": [], "left_out": [],
        }  # fmt: skip

    @property
    def left(self) -> float:
        return self.end - time.monotonic()

    def run(self) -> dict:
        peers = self.start_peers()
        for number, shape in enumerate(self.shapes, 1):
            start = time.monotonic()
            for peer in peers:
                self.measure_peer(peer, shape)
            if OURS in self.a.only:
                self.measure_ours(shape)
            say(f"{number}/{len(self.shapes)} {shape.name}: {time.monotonic() - start:.1f} s")
        for peer in peers:
            peer.close()
        self.add_shares()
        return self.result

    def add_shares(self) -> None:
        """Of the copy's speed in decode, of the matrices' product in prefill; None where that was not measured."""
        decodes = {shape.name: shape.decodes for shape in self.shapes}
        for figure in self.result["figures"]:
            rate, name = ("kv_gb_s", "copy_gb_s") if decodes[figure["shape"]] else ("gflop_s", "matmul_gflop_s")
            limit = self.result["limits"].get(name)
            figure["limit"], figure["share_of_limit"] = name, figure[rate] / limit if limit else None

    def prepare(self) -> dict:
        """Every peer on one shape of each kind, as long as that may take; what refuses is named."""
        self.end = float("inf")
        self.a.patience = COMPILING
        kinds = {(shape.phase, shape.block): shape for shape in reversed(self.shapes)}
        peers = self.start_peers()
        for shape in kinds.values():
            for peer in peers:
                self.measure_peer(peer, shape)
        for peer in peers:
            peer.close()
        self.result["figures"] = []
        return self.result

    def start_peers(self) -> list[Peer]:
        peers = []
        for module in (name for name in self.a.only if name != OURS):
            try:
                peer = Peer(module, self.a.python, self.a.peers, self.peers_device, min(self.left, STARTING))
            except PeerFailed as failure:
                self.leave_out(module, "", "", str(failure))
                say(f"{module}: {failure}")
                continue
            self.result["versions"][peer.name] = peer.versions
            peers.append(peer)
            limits = self.ask(peer, {"limits": {}})
            if "refused" in limits:
                self.leave_out(peer.name, "limits", "", limits["refused"])
            else:
                self.take_limits(limits)
        return peers

    def ask(self, peer: Peer, request: dict) -> dict:
        try:
            return peer.ask(request, min(self.left, self.a.patience))
        except PeerFailed as failure:
            return {"refused": str(failure)}

    def take_limits(self, measured: dict) -> None:
        """The best of what any of them has read in this run."""
        for name, value in measured.items():
            self.result["limits"][name] = max(value, self.result["limits"].get(name, 0))

    def measure_peer(self, peer: Peer, shape: Shape) -> None:
        for variant, format in peer.variants.items():
            if self.left <= 0:
                self.leave_out(peer.name, variant, shape.name, "not run: no time was left")
                continue
            request = {"shape": shape.to_json(), "variant": variant, "walk_bytes": self.a.kv_mib << 20,
                       "seconds": self.a.figure_seconds, "min_replays": self.a.replays}  # fmt: skip
            answer = self.ask(peer, {"measure": request})
            if "refused" in answer:
                self.leave_out(peer.name, variant, shape.name, answer["refused"])
                continue
            times = answer["ms"]
            self.add(shape, peer.name, variant, format, median(times), min(times), shape.kv_bytes(format), replays=len(times),
                     copies=answer["copies"], error=answer["error"])  # fmt: skip

    def measure_ours(self, shape: Shape) -> None:
        for backend in self.a.backends:
            formats = []
            for format in self.a.formats:
                why = self.attnrt.why_not(backend, format, shape)
                if why:
                    self.leave_out(OURS, f"{backend} {format}", shape.name, why)
                else:
                    formats.append(format)
            self.bench(shape, backend, formats)

    def bench(self, shape: Shape, backend: str, formats: list[str]) -> None:
        """All in one process; where that fails, each in one of its own, so that one that fails takes no other with it."""
        if not formats:
            return
        effort = ["--min-time", self.a.figure_seconds, "--min-iterations", self.a.replays]
        try:
            if self.left <= 0:
                raise PeerFailed("not run: no time was left")
            report = self.attnrt.bench(shape, backend, formats, self.a.kv_mib, effort, self.left)
        except PeerFailed as failure:
            if len(formats) == 1 or self.left <= 0:
                for format in formats:
                    self.leave_out(OURS, f"{backend} {format}", shape.name, str(failure))
                return
            for format in formats:
                self.bench(shape, backend, [format])
            return
        self.take_limits({"copy_gb_s": report["limits"][0]["read"][-1]["gb_s"]})
        for f in report["figures"]:
            self.result["versions"][f"{OURS} {backend}"] = f["description"]
            self.add(shape, OURS, f"{backend} {f['format']}", f["format"], f["median_ms"], f["min_ms"], f["kv_bytes"],
                     replays=f["iterations"], kernel=f["kernel"], block_size=f["block_size"])  # fmt: skip

    def add(self, shape: Shape, peer: str, variant: str, format: str, ms: float, min_ms: float, kv_bytes: float, **facts) -> None:
        figure = {"shape": shape.name, "peer": peer, "variant": variant, "format": format, "ms": ms, "min_ms": min_ms,
                  "kv_gb_s": kv_bytes / ms / 1e6, "gflop_s": shape.flop / ms / 1e6}  # fmt: skip
        self.result["figures"].append(figure | facts)

    def leave_out(self, peer: str, variant: str, shape: str, why: str) -> None:
        self.result["left_out"].append({"peer": peer, "variant": variant, "shape": shape, "why": why})


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Looks for shapes where the cpu plugin's vector kernels lose against its portable ones.

usage: benchmarks/sweep.py [--build DIR] [--formats F,F…] [--isas I,I…] [--quick]

Odd head sizes, blocks of 1, tiny batches, short and long contexts, few and many query rows: each through
`attnrt bench` with option `isa` of the cpu plugin, one thread. Prints, in Markdown, for each format and
instruction set how many shapes it was measured on, its geometric mean and its worst ratio to portable; ends with 1 where
one is below 0.95, so slower by more than such short measurements vary.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORMATS = (
    "f32 f16 bf16 fp8_e4m3 fp8_e5m2 fp8_e4m3fnuz int8_per_token_head fp8_per_token_head "
    "int4_per_token_head nvfp4_linear nvfp4_swizzled fp8_ds_mla_v32 fp8_ds_mla_v4 fp8_ds_mla_v41"
).split()
ISAS = "avx512_amx avx512_bf16 avx512 avx2 neon".split()
LEAST = 0.95


def head_dims(fmt: str) -> list[int | list[int]]:
    if fmt == "fp8_ds_mla_v32":
        return [[576, 512]]
    if fmt.startswith("fp8_ds_mla"):
        return [512]
    if fmt.startswith("int4"):
        return [32, 128, 512]
    if fmt.startswith("nvfp4"):
        return [64, 128, 192]
    return [40, 72, 128, 200]


def blocks(fmt: str) -> list[int]:
    return [4, 16] if fmt == "nvfp4_swizzled" else [1, 7, 16]


def shapes(fmt: str, quick: bool) -> list[dict]:
    """Every case with every head size, and every block size with one of them."""
    cases = [
        ("decode", 1, 1, 1), ("decode", 1, 1, 17), ("decode", 3, 1, 300), ("decode", 1, 1, 2000),
        ("speculative", 1, 3, 130), ("prefill", 1, 2, 2), ("prefill", 1, 33, 33), ("chunk", 2, 9, 200),
    ]  # fmt: skip
    found = []
    for i, (phase, batch, q_len, kv_len) in enumerate(cases):
        for j, dim in enumerate(head_dims(fmt)):
            if quick and (i + j) % 3:
                continue
            group, kv_heads = ((1, 1), (4, 2), (12, 2))[(i + j) % 3]
            if fmt.startswith("fp8_ds_mla"):
                kv_heads = 1
            heads = (group * kv_heads, kv_heads)
            found.append(
                {
                    "name": f"{phase} {batch}x{q_len} of {kv_len}, {heads[0]}/{heads[1]} heads of {dim}",
                    "phase": phase, "batch": batch, "q_len": q_len, "kv_len": kv_len,
                    "q_heads": heads[0], "kv_heads": heads[1], "head_dim": dim,
                    "block": blocks(fmt)[(i + j) % len(blocks(fmt))],
                }  # fmt: skip
            )
    return found


def measure(build: Path, fmt: str, isa: str, cases: list[dict]) -> dict[str, float] | None:
    """Least milliseconds by shape; None where this CPU lacks the instructions."""
    sweep = {
        "device": "cpu",
        "plugins": {"prefer": ["cpu"], "options": {"cpu": {"isa": isa}}},
        "bench": {
            "shapes": cases, "formats": [fmt], "backends": ["cpu"], "threads": [1],
            "min_iterations": 5, "min_seconds": 0.01, "kv_mib": 1,
        },  # fmt: skip
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(sweep, file)  # which is YAML
        file.flush()
        run = subprocess.run(
            [build / "bin/attnrt", "--plugins", build / "plugins", "bench", file.name, "--json"],
            capture_output=True, text=True,
        )  # fmt: skip
    if run.returncode != 0:
        if f"for isa '{isa}'" in run.stderr or f"isa is '{isa}'" in run.stderr:
            return None
        raise RuntimeError(f"{fmt}, {isa}: exit {run.returncode}: {run.stderr.strip()[-600:]}")
    return {figure["name"]: figure["min_ms"] for figure in json.loads(run.stdout)}


def ratios(build: Path, fmt: str, isa: str, cases: list[dict]) -> dict[str, float] | None:
    """Portable's time over the set's, by shape; both measured before and after the other."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(2):
        for name in ("portable", isa):
            found = measure(build, fmt, name, cases)
            if found is None:
                return None
            kept = best.setdefault(name, found)
            best[name] = {shape: min(ms, kept[shape]) for shape, ms in found.items()}
    return {shape: best["portable"][shape] / ms for shape, ms in best[isa].items()}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--build", type=Path, default=ROOT / "build/release")
    options.add_argument("--formats", default=",".join(FORMATS))
    options.add_argument("--isas", default=",".join(ISAS))
    options.add_argument("--quick", action="store_true", help="a third of the shapes")
    chosen = options.parse_args()
    slower = []
    print("| format | isa | shapes | mean | worst | where |\n|---|---|---|---|---|---|")
    for fmt in chosen.formats.split(","):
        cases = shapes(fmt, chosen.quick)
        for isa in chosen.isas.split(","):
            found = ratios(chosen.build, fmt, isa, cases)
            if found is None:
                continue
            worst = min(found, key=lambda shape: found[shape])
            mean = math.exp(sum(math.log(x) for x in found.values()) / len(found))
            print(f"| {fmt} | {isa} | {len(found)} | {mean:.1f} | {found[worst]:.2f} | {worst} |", flush=True)
            slower += [(fmt, isa, shape, x) for shape, x in found.items() if x < LEAST]
    for fmt, isa, shape, x in slower:
        print(f"slower than portable: {fmt}, {isa}, {shape}: {x:.2f}", file=sys.stderr)
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())

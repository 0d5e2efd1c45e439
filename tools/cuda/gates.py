#!/usr/bin/env python3
"""Static gates: what the compiler made of every CUDA kernel, for every device, without a GPU.

usage: tools/cuda/gates.py PLUGIN.so NVCC_VERSION [--table CSV] [--write]

Reads the device code of a plugin, or of an object file (cuobjdump, of tools/cuda/install.sh), and prints what breaks a rule:
- no stack, no local memory: no LDL, STL;
- kernels that multiply have tensor core instructions (HMMA), ldmatrix (LDSM) and asynchronous copies of 16 bytes
  (LDGSTS.…128) on every device;
- registers and static shared memory are no more than the table says (tests/gates/PLUGIN.csv), every kernel is in it, and
  what it counts of the above and of bulk copies (UBLKCP) is still there.
--write makes the table anew. Registers depend on the compiler: the table's first line names its version, and with another
only the rules count. Ends with 0 if all is well, 1 if not, 77 where cuobjdump is not installed.
"""

import argparse
import csv
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
MULTIPLYING = ("HMMA", "LDSM", "LDGSTS")
COUNTED = (*MULTIPLYING, "UBLKCP")
LOCAL = ("LDL", "STL")
FIELDS = ("kernel", "device", "registers", "shared", "instructions", *COUNTED)
SKIPPED = 77


@dataclass
class Kernel:
    name: str
    device: str
    registers: int = 0
    stack: int = 0
    shared: int = 0
    instructions: Counter = field(default_factory=Counter)
    wide_copies: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.device

    def row(self) -> dict[str, str | int]:
        counted = {i: self.instructions[i] for i in COUNTED}
        total = sum(self.instructions.values())
        return dict(kernel=self.name, device=self.device, registers=self.registers, shared=self.shared,
                    instructions=total, **counted)  # fmt: skip

    def broken_rules(self) -> list[str]:
        broken = []
        if self.stack:
            broken.append(f"a stack of {self.stack} bytes")
        broken += [f"{self.instructions[i]} {i}: values in local memory" for i in LOCAL if self.instructions[i]]
        if self.name.startswith("attend"):
            broken += [f"no {i}" for i in MULTIPLYING if not self.instructions[i]]
            if not self.wide_copies:
                broken.append("no asynchronous copy of 16 bytes")
        return broken


def tool(name: str) -> Path | None:
    found = sorted(CACHE.glob(f"attnrt/cuda/lib/python*/site-packages/nvidia/cu*/bin/{name}"))
    return found[-1] if found else None


def dump(option: str, plugin: Path) -> list[str]:
    cuobjdump = tool("cuobjdump")
    path = f"{cuobjdump.parent}:{os.environ['PATH']}"  # where it finds nvdisasm
    run = subprocess.run([cuobjdump, option, plugin], capture_output=True, text=True, env={**os.environ, "PATH": path})
    if run.returncode != 0:
        raise RuntimeError(f"cuobjdump {option} {plugin}: {run.stderr.strip()[-500:]}")
    return run.stdout.splitlines()


def short_name(mangled: str) -> str:
    """A kernel's name with its arguments as a reader would give them: 'attend bf16 Bf16 128 by columns'."""
    found = re.search(r"6FormatE(\d+)ELi(\d+)ELb([01])EEENS0_\d+(F16|Bf16)E", mangled)
    formats = ("f16", "bf16", "e4m3", "e4m3_rows", "e5m2", "int8", "nvfp4", "int4", "ds_mla_v32")
    if found:
        fmt, columns, rows, half = found.groups()
        return f"attend {formats[int(fmt)]} {half} {columns} by {'rows' if rows == '1' else 'columns'}"
    found = re.search(r"6appendILNS0_6FormatE(\d+)E", mangled)
    if found:
        return f"append {formats[int(found[1])]}"
    found = re.search(r"6finishI\d+_*(\w+?)EE", mangled)
    if found:
        return f"finish {found[1]}"
    # A plain function in namespaces: _ZN, then each name behind its length.
    names = re.findall(r"\d+([a-z][a-z_]*)", mangled)
    return names[-1].replace("_", " ") if names else mangled


def read_kernels(plugin: Path) -> list[Kernel]:
    kernels: dict[tuple[str, str], Kernel] = {}
    device = ""
    kernel = None
    for line in dump("-res-usage", plugin):
        if found := re.search(r"arch = (\w+)", line):
            device = found[1]
        elif found := re.search(r"Function (\w+):", line):
            kernel = Kernel(short_name(found[1]), device)
            if kernel.key in kernels:
                raise RuntimeError(f"{found[1]}: another kernel is called '{kernel.name}' too: teach short_name the difference")
            kernels[kernel.key] = kernel
        elif kernel and (found := re.search(r"REG:(\d+) STACK:(\d+) SHARED:(\d+)", line)):
            kernel.registers, kernel.stack, kernel.shared = map(int, found.groups())
            kernel = None
    for line in dump("-sass", plugin):
        if found := re.search(r"arch = (\w+)", line):
            device = found[1]
        elif found := re.search(r"Function : (\w+)", line):
            key = short_name(found[1]), device
            if key not in kernels:
                raise RuntimeError(f"{found[1]}, {device}: cuobjdump -sass lists it, -res-usage does not")
            kernel = kernels[key]
        elif found := re.match(r"\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?\w+ )?([A-Z0-9]+)((?:\.\w+)*)", line):
            kernel.instructions[found[1]] += 1
            kernel.wide_copies += found[1] == "LDGSTS" and ".128" in found[2]
    return sorted(kernels.values(), key=lambda k: k.key)


def write_table(table: Path, compiler: str, kernels: list[Kernel]) -> None:
    with table.open("w", newline="") as file:
        file.write(f"# nvcc {compiler}; made by tools/cuda/gates.py --write\n")
        rows = csv.DictWriter(file, FIELDS, lineterminator="\n")
        rows.writeheader()
        rows.writerows(k.row() for k in kernels)


def beyond_table(table: Path, compiler: str, kernels: list[Kernel]) -> list[str]:
    """What is larger than the table says, or not the same kernels; nothing with another compiler."""
    if not table.exists():
        return [f"{table} is not there: make it with --write"]
    head, *lines = table.read_text().splitlines() or [""]
    made_by = head.removeprefix("# nvcc ").split(";")[0]
    if made_by != compiler:
        print(f"the table is of nvcc {made_by}, this is {compiler}: only the rules are checked")
        return []
    rows = csv.DictReader(lines)
    if tuple(rows.fieldnames or ()) != FIELDS:
        return [f"{table}: expected the columns {', '.join(FIELDS)}: make it anew with --write"]
    known = {(r["kernel"], r["device"]): r for r in rows}
    for (name, device), r in known.items():
        if not all((r[number] or "").isdigit() for number in FIELDS[2:]):
            return [f"{table}: expected numbers for {name}, {device}: make it anew with --write"]
    wrong = [f"{name}, {device}: in the table, but not built" for name, device in known.keys() - {k.key for k in kernels}]
    for k in kernels:
        if k.key not in known:
            wrong.append(f"{k.name}, {k.device}: not in {table}: run tools/cuda/gates.py --write")
            continue
        for what in ("registers", "shared"):
            allowed = int(known[k.key][what])
            if getattr(k, what) > allowed:
                wrong.append(f"{k.name}, {k.device}: {what} {getattr(k, what)}, the table allows {allowed}")
        lost = [i for i in COUNTED if int(known[k.key][i]) and not k.instructions[i]]
        wrong += [f"{k.name}, {k.device}: no {i}, of which the table counts {known[k.key][i]}" for i in lost]
    return wrong


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("plugin", type=Path)
    options.add_argument("compiler", help="version of the nvcc that built it, as 13.0.88")
    options.add_argument("--table", type=Path, help="default: tests/gates/PLUGIN.csv")
    options.add_argument("--write", action="store_true", help="make the table anew")
    chosen = options.parse_args()
    table = chosen.table or ROOT / "tests/gates" / f"{chosen.plugin.stem}.csv"
    if tool("cuobjdump") is None or tool("nvdisasm") is None:
        print("cuobjdump is not there: run tools/cuda/install.sh", file=sys.stderr)
        return SKIPPED
    kernels = read_kernels(chosen.plugin)
    if not kernels:
        print(f"{chosen.plugin} has no device code", file=sys.stderr)
        return 1
    wrong = [f"{k.name}, {k.device}: {rule}" for k in kernels for rule in k.broken_rules()]
    if chosen.write and not wrong:
        write_table(table, chosen.compiler, kernels)
    elif not chosen.write:
        wrong += beyond_table(table, chosen.compiler, kernels)
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(kernels)} kernels on {len({k.device for k in kernels})} devices, {len(wrong)} complaints")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:
        sys.exit(f"gates.py: {error}")

#!/usr/bin/env python3
"""Plants a defect of defects.json into a copy of the kernels.

usage: plant.py NAME KERNELS_DIR OUT_DIR

Copies the headers of KERNELS_DIR to OUT_DIR/kernels/cuda with the defect's text exchanged. Ends with 1 where that text
is not there exactly once: then the kernels have changed, and the defect must change with them.
"""

import json
import sys
from pathlib import Path


def main(name: str, kernels: str, out: str) -> int:
    listed = json.loads(Path(__file__).with_name("defects.json").read_text())
    defect = next(d for d in listed if d["name"] == name)
    to = Path(out) / "kernels/cuda"
    to.mkdir(parents=True, exist_ok=True)
    for source in sorted(Path(kernels).glob("*.?*h*")):
        text = source.read_text()
        if source.name == defect["file"]:
            found = text.count(defect["from"])
            if found != 1:
                print(f"{source}: {defect['from']!r} is there {found} times, expected once", file=sys.stderr)
                return 1
            text = text.replace(defect["from"], defect["to"])
        target = to / source.name
        if not target.exists() or target.read_text() != text:
            target.write_text(text)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))

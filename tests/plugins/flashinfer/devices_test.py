"""Which devices FlashInfer's kernels were compiled for: those that manifest.yaml counts on, and no others.

usage: devices_test.py PLUGIN.so

By cuobjdump, of tools/cuda/install.sh; skipped (77) where it is not installed. What registers they take is not ours to judge.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools/cuda"))
import gates  # noqa: E402

# Part of a mangled name: devices, and how many kernels each has. Of fa2 that hangs on which tiles coincide; compiled_test.cpp
# asks for each of them.
EXPECTED = {
    "BatchPrefillWithPagedKVCacheKernel": ({"sm_80", "sm_90"}, None),
    "SparseCollectiveMainloop": ({"sm_90a"}, 1),
    "xqa_decode": ({"sm_90", "sm_100", "sm_120"}, 6),
    "6finish": ({"sm_80", "sm_90"}, 2),
}


def main() -> int:
    if gates.tool("cuobjdump") is None:
        print("cuobjdump is not there: run tools/cuda/install.sh", file=sys.stderr)
        return gates.SKIPPED
    kernels = defaultdict(lambda: defaultdict(int))
    device = ""
    for line in gates.dump("-res-usage", Path(sys.argv[1])):
        if found := re.search(r"arch = (\w+)", line):
            device = found[1]
        elif found := re.search(r"Function (\w+):", line):
            kind = next((k for k in EXPECTED if k in found[1]), found[1])
            kernels[kind][device] += 1
    wrong = [f"{kind} is not a kernel of this plugin's" for kind in kernels.keys() - EXPECTED.keys()]
    for kind, (devices, count) in EXPECTED.items():
        found = dict(kernels[kind])
        if found.keys() != devices or (count and set(found.values()) != {count}):
            wrong.append(f"{kind}: {found}, expected {count or 'some'} on each of {sorted(devices)}")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

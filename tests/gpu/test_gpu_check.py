"""gpu_check.py without a GPU."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = ROOT / "tools" / "cuda" / "gpu_check.py"
PEERS = ROOT / "tests" / "gpu" / "peers"
SHAPES = "name,phase,batch,q_len,kv_len,q_heads,kv_heads,head_dim\nd,decode,1,1,20,4,2,64\n"

# Stands for conformance_test: its tests pass, fail and crash as their names say.
SUITE = """#!/usr/bin/env python3
import json, sys
given = sys.argv[1:]
if "--gtest_list_tests" in given:
    plugin = given[given.index("--plugin") + 1]
    print("Conformance_x.\\n  good_decode\\n  bad_decode\\n  crash_decode" if plugin == "cuda" else "")
    sys.exit()
name = next(g for g in given if g.startswith("--gtest_filter")).split("*.")[1]
if name == "crash_decode":
    sys.exit("conformance: the device is on fire")
test = {"name": name, "time": "0.5s", "cells": "7"}
if name == "bad_decode":
    test["failures"] = [{"failure": "cell 3 is off by 2\\nmore"}]
path = next(g for g in given if g.startswith("--gtest_output")).split("json:")[1]
json.dump({"testsuites": [{"testsuite": [test]}]}, open(path, "w"))
sys.exit(name == "bad_decode")
"""


class GpuCheck(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)

    def tearDown(self) -> None:
        self.folder.cleanup()

    def check(self, build: Path, *more: str, compare: float = 0) -> subprocess.CompletedProcess:
        command = [sys.executable, str(PROGRAM), str(build), "--output", str(self.path / "out"), *more]
        command += ["--compare-seconds", str(compare)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def check_on_the_shim(self, compare: float, options: str) -> subprocess.CompletedProcess:
        build = Path(os.environ["ATTNRT_BUILD"])
        shapes = self.path / "shapes.csv"
        shapes.write_text(SHAPES)
        plugins = str(build / "tests" / "fixtures" / "simt")
        return self.check(build, "--plugins", plugins, "--device", "simt:sm_90", "--only", "attend_f16_append", "--shapes",
                          str(shapes), "--compare-options", options, compare=compare)  # fmt: skip

    def table(self) -> str:
        (path,) = (self.path / "out").glob("*.md")
        return path.read_text()

    def report(self) -> dict:
        (path,) = (self.path / "out").glob("*.json")
        return json.loads(path.read_text())

    def fake_build(self) -> Path:
        program = self.path / "tests" / "conformance_test"
        program.parent.mkdir()
        program.write_text(SUITE)
        program.chmod(0o755)
        (self.path / "plugins").mkdir()
        for name in ("cuda", "reference"):
            (self.path / "plugins" / f"{name}.so").touch()
        return self.path

    def test_runs_the_suite_on_the_shim(self) -> None:
        build = Path(os.environ["ATTNRT_BUILD"])
        plugins = build / "tests" / "fixtures" / "simt"
        done = self.check(build, "--plugins", str(plugins), "--device", "simt:sm_90", "--only", "attend_f16_append")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIsNone(self.report()["comparison"])
        (test,) = self.report()["tests"]
        self.assertEqual((test["plugin"], test["name"], test["passed"]), ("cuda_simt", "attend_f16_append", True))
        self.assertGreater(test["cells"], 0)

    def test_writes_the_comparison_into_the_same_report(self) -> None:
        options = f"--peers {PEERS} --backends cuda_simt --formats bf16 --kv-mib 1 --figure-seconds 0 --replays 1 --only fine,missing,attnrt"
        done = self.check_on_the_shim(200, options)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        measured = self.report()["comparison"]["measured"]
        self.assertEqual([(f["shape"], f["peer"], f["variant"]) for f in measured["figures"]],
                         [("d", "Fine", "bf16 a"), ("d", "Fine", "fp8_e4m3 b"), ("d", "attnrt", "cuda_simt bf16")])  # fmt: skip
        self.assertIn("\n## attnrt and its peers on a GPU\n", self.table())
        self.assertIn("\n### Decode: µs", self.table())
        self.assertIn("- missing: ModuleNotFoundError: No module named 'attnrt_has_no_such_package'", self.table())

    def test_a_comparison_that_could_not_be_made_is_a_failure(self) -> None:
        done = self.check_on_the_shim(200, "--only tensorrt")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("unknown peer 'tensorrt'", self.report()["comparison"]["note"])
        self.assertIn("## attnrt and its peers on a GPU: **failed** compare.py: error: unknown peer", self.table())

    def test_tells_what_failed_and_what_crashed(self) -> None:
        done = self.check(self.fake_build(), "--device", "simt:sm_90")
        self.assertEqual(done.returncode, 1, done.stderr)
        notes = {t["name"]: (t["passed"], t["note"]) for t in self.report()["tests"]}
        self.assertEqual(notes["good_decode"], (True, ""))
        self.assertEqual(notes["bad_decode"], (False, "cell 3 is off by 2\nmore"))
        self.assertEqual(notes["crash_decode"], (False, "ended with 1: conformance: the device is on fire"))
        self.assertIn("| cuda | bad_decode | **failed** cell 3 is off by 2 | 7 | 0.5 |", self.table())

    def test_what_there_was_no_time_for_is_no_success(self) -> None:
        done = self.check(self.fake_build(), "--device", "simt:sm_90", "--only", "good", "--seconds", "0")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.report()["tests"][0]["note"], "not run: no time was left")

    def test_needs_a_build_and_a_plugin_for_the_device(self) -> None:
        done = self.check(self.path)
        self.assertEqual(done.returncode, 2)
        self.assertIn("build conformance_test", done.stderr)
        done = self.check(self.fake_build(), "--device", "simt:sm_90", "--only", "nothing")
        self.assertEqual(done.returncode, 2)
        self.assertIn("serves simt:sm_90", done.stderr)


if __name__ == "__main__":
    unittest.main()

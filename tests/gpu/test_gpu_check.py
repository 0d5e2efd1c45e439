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

    def check(self, build: Path, *more: str) -> subprocess.CompletedProcess:
        command = [sys.executable, str(PROGRAM), str(build), "--output", str(self.path / "out"), *more]
        return subprocess.run(command, capture_output=True, text=True, check=False)

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
        (test,) = self.report()["tests"]
        self.assertEqual((test["plugin"], test["name"], test["passed"]), ("cuda_simt", "attend_f16_append", True))
        self.assertGreater(test["cells"], 0)

    def test_tells_what_failed_and_what_crashed(self) -> None:
        done = self.check(self.fake_build(), "--device", "simt:sm_90")
        self.assertEqual(done.returncode, 1, done.stderr)
        notes = {t["name"]: (t["passed"], t["note"]) for t in self.report()["tests"]}
        self.assertEqual(notes["good_decode"], (True, ""))
        self.assertEqual(notes["bad_decode"], (False, "cell 3 is off by 2\nmore"))
        self.assertEqual(notes["crash_decode"], (False, "ended with 1: conformance: the device is on fire"))
        (table,) = (self.path / "out").glob("*.md")
        self.assertIn("| cuda | bad_decode | **failed** cell 3 is off by 2 | 7 | 0.5 |", table.read_text())

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

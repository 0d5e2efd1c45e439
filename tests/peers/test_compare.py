"""compare.py as a command, with attnrt alone."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

COMPARE = Path(__file__).resolve().parents[2] / "benchmarks/peers/compare.py"
SHAPES = "name,phase,batch,q_len,kv_len,q_heads,kv_heads,head_dim\nd,decode,2,1,64,4,2,64\np,prefill,1,32,32,4,2,64\n"


def compare(*words):
    return subprocess.run([sys.executable, COMPARE, *map(str, words)], capture_output=True, text=True)


class CompareTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.shapes = self.folder / "shapes.csv"
        self.shapes.write_text(SHAPES)

    @unittest.skipUnless(os.environ.get("ATTNRT"), "neither the command attnrt nor the cpu plugin is built")
    def test_attnrt_alone_is_measured_reported_and_kept(self):
        kept = self.folder / "kept.json"
        done = compare(self.shapes, "--only", "attnrt", "--attnrt", os.environ["ATTNRT"], "--formats", "bf16,fp8_e4m3,fp8_ds_mla_v4",
                       "--seconds", 0.01, "--calls", 1, "--rounds", 2, "--kv-mib", 1, "--threads", 1, "--json", kept)  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(kept.read_text())
        self.assertEqual([(f["shape"], f["variant"]) for f in result["figures"]],
                         [(shape, f) for shape in "dp" for f in ("bf16", "fp8_e4m3")])  # fmt: skip
        for figure in result["figures"]:
            self.assertEqual(len(figure["rounds_ms"]), 2)
            self.assertGreater(figure["ms"], 0)
        decode = result["figures"][0]
        self.assertAlmostEqual(decode["kv_gb_s"], 2 * 2 * 64 * 2 * 64 * 2 / decode["ms"] / 1e6)
        self.assertIn("| **attnrt fp8_e4m3** |", done.stdout)
        self.assertIn("- attnrt fp8_ds_mla_v4: the cpu plugin has no kernel for it (d, p)", done.stdout)
        again = compare("--report", kept)
        self.assertEqual((again.returncode, again.stdout), (0, done.stdout))

    def test_wrong_use_is_refused_with_what_was_expected(self):
        header, *_ = SHAPES.splitlines()
        (self.folder / "skewed.csv").write_text(f"{header},rest_kv_len\nlong,decode,2,1,64,4,2,64,9\n")
        (self.folder / "text.json").write_text("bench")
        (self.folder / "other.json").write_text('{"figures": []}')
        (self.folder / "part.json").write_text('{"attnrt_peers": 1}')
        cases = [
            (("--report", self.folder / "part.json"), "part.json: expected what --json keeps, found no 'machine'"),
            (("--report", self.folder / "text.json"), "text.json: expected what --json keeps, found no JSON"),
            (("--report", self.folder / "other.json"), "other.json: expected what --json keeps, with 'attnrt_peers' 1"),
            ((self.shapes, "--only", "attnrt", "--attnrt", "/nowhere/attnrt"), "/nowhere/attnrt: expected the command attnrt"),
            ((self.shapes, "--only", "tensorrt"), "unknown peer 'tensorrt'; known: vllm, torch, onnxruntime, ggml, attnrt"),
            ((self.shapes, "--shapes", "x"), "expected a name of d, p; found x"),
            ((self.folder / "none.csv",), "none.csv"),
            ((self.folder / "skewed.csv",), "expected sequences of equal lengths, found 'long'"),
        ]
        for words, expected in cases:
            with self.subTest(expected):
                done = compare(*words)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(expected, done.stderr)
                self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()

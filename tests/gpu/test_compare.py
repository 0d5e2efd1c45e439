"""benchmarks/peers/gpu/compare.py without a GPU: attnrt on the SIMT shim, beside peers that do as they are told."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COMPARE = ROOT / "benchmarks/peers/gpu/compare.py"
BUILD = Path(os.environ["ATTNRT_BUILD"])
SHAPES = """name,phase,batch,q_len,kv_len,q_heads,kv_heads,head_dim,block,rest_kv_len
d,decode,2,1,40,4,2,64,16,
skew,decode,3,1,40,4,2,64,16,9
p,prefill,1,9,9,4,2,64,16,
"""


def compare(*words) -> subprocess.CompletedProcess:
    command = [sys.executable, COMPARE, "--device", "simt:sm_80", "--peers", HERE / "peers", "--python", sys.executable,
               "--attnrt", BUILD / "bin/attnrt", "--plugins", BUILD / "tests/fixtures/simt", "--backends", "cuda_simt",
               "--formats", "bf16,fp8_e4m3", "--kv-mib", 1, "--figure-seconds", 0, "--replays", 1]  # fmt: skip
    return subprocess.run([str(word) for word in (*command, *words)], capture_output=True, text=True)


class CompareTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.shapes = Path(folder.name) / "shapes.csv"
        self.shapes.write_text(SHAPES)
        self.json = Path(folder.name) / "kept.json"

    def measured(self, *words):
        done = compare(self.shapes, "--json", self.json, *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(self.json.read_text()), done.stdout

    def test_ours_and_peers_stand_in_one_table_with_shares_of_what_was_measured(self):
        result, text = self.measured("--only", "fine,attnrt")
        figures = {(f["shape"], f["peer"], f["variant"]): f for f in result["figures"]}
        self.assertEqual({key[1:] for key in figures if key[0] == "skew"},
                         {("attnrt", "cuda_simt bf16"), ("attnrt", "cuda_simt fp8_e4m3"), ("Fine", "bf16 a"), ("Fine", "fp8_e4m3 b")})  # fmt: skip
        ours, peer = figures["skew", "attnrt", "cuda_simt bf16"], figures["skew", "Fine", "bf16 a"]
        kv_bytes = 2 * (40 + 9 + 9) * 2 * 64 * 2
        for figure in (ours, peer):
            self.assertAlmostEqual(figure["kv_gb_s"] * figure["ms"] * 1e6, kv_bytes, delta=1)
        self.assertEqual((peer["ms"], peer["min_ms"], peer["copies"]), (0.5, 0.25, (1 << 20) // kv_bytes))
        self.assertGreater(ours["ms"], 0)
        self.assertGreaterEqual(result["limits"]["copy_gb_s"], 1e6)
        self.assertEqual(result["limits"]["matmul_gflop_s"], 1e7)
        self.assertEqual(peer["share_of_limit"], peer["kv_gb_s"] / result["limits"]["copy_gb_s"])
        of_prefill = figures["p", "Fine", "bf16 a"]
        self.assertEqual(of_prefill["share_of_limit"], of_prefill["gflop_s"] / 1e7)
        self.assertIn("Fine bf16 a 500", text)  # the fastest peer of 16 bits, in µs
        self.assertIn("| **attnrt cuda_simt bf16** |", text)
        self.assertIn("- attnrt cuda_simt: the SIMT shim as sm_80", text)
        ratio = f"{peer['ms'] / ours['ms']:.2f}"
        self.assertIn(f"| Fine bf16 a 500 | {ratio} |", next(line for line in text.splitlines() if line.startswith("| skew |")))

    def test_wrong_numbers_are_left_out_with_the_shape(self):
        result, text = self.measured("--only", "fine")
        self.assertNotIn(("p", "fp8_e4m3 b"), {(f["shape"], f["variant"]) for f in result["figures"]})
        self.assertIn("- Fine fp8_e4m3 b: wrong: error 0.3, expected at most 0.01 (p)", text)

    def test_a_peer_that_is_missing_raises_dies_or_hangs_is_named_and_stops_nothing(self):
        result, text = self.measured("--only", "missing,troubled,attnrt", "--shapes", "d", "--patience", 3)
        self.assertIn("- missing: ModuleNotFoundError: No module named 'attnrt_has_no_such_package'", text)
        self.assertIn("- Troubled raises: ValueError: head_dim 64 is not for me (d)", text)
        self.assertIn("- Troubled dies: its process ended with 7; what it said stands on standard error (d)", text)
        self.assertIn("- Troubled hangs: no answer within 3 s (d)", text)
        self.assertIn("- Troubled limits: RuntimeError: nothing to measure them with", text)
        found = {(f["peer"], f["variant"]) for f in result["figures"]}
        self.assertEqual(found, {("Troubled", "well"), ("attnrt", "cuda_simt bf16"), ("attnrt", "cuda_simt fp8_e4m3")})

    def test_what_attnrt_does_not_serve_is_named_beside_what_it_does(self):
        result, text = self.measured("--only", "attnrt", "--shapes", "d", "--formats", "bf16,turboquant_k8v4")
        self.assertEqual([f["variant"] for f in result["figures"]], ["cuda_simt bf16"])
        self.assertIn("- attnrt cuda_simt turboquant_k8v4: no kernel for it (d)", text)
        result, text = self.measured("--only", "attnrt", "--shapes", "d", "--backends", "cudnn,cuda_simt")
        self.assertEqual(len(result["figures"]), 2)
        self.assertEqual([f["limit"] for f in result["figures"]], ["copy_gb_s"] * 2)
        self.assertRegex(text, r"- attnrt cudnn bf16: .*'cudnn'.* \(d\)")

    def test_a_limit_that_was_not_measured_is_named_and_nothing_is_a_share_of_it(self):
        result, text = self.measured("--only", "attnrt", "--shapes", "p", "--formats", "bf16")
        self.assertEqual([f["share_of_limit"] for f in result["figures"]], [None])
        self.assertRegex(text, r"\| p \| [0-9.]+ \(\?\) \|")
        self.assertIn("- not measured in this run, so nothing is a share of it (?): the matrices' product", text)

    def test_what_there_was_no_time_for_is_named(self):
        result, text = self.measured("--only", "attnrt", "--seconds", 0)
        self.assertEqual(result["figures"], [])
        self.assertIn("- attnrt cuda_simt bf16: not run: no time was left (d, skew, p)", text)

    def test_preparing_asks_every_peer_and_measures_nothing(self):
        result, text = self.measured("--only", "fine,missing", "--prepare")
        self.assertEqual(result["figures"], [])
        self.assertEqual(result["versions"], {"Fine": "fine 1.0 on simt:sm_80"})
        self.assertIn("- missing: ModuleNotFoundError", text)
        self.assertIn("- Fine fp8_e4m3 b: wrong: error 0.3, expected at most 0.01 (p)", text)

    def test_wrong_use_is_refused_with_what_was_expected(self):
        cases = [
            (("--attnrt", "/nowhere/attnrt"), "/nowhere/attnrt: expected the command attnrt"),
            (("--only", "tensorrt"), "unknown peer 'tensorrt'; known: fine, missing, troubled, attnrt"),
            (("--shapes", "x"), "expected a name of d, skew, p; found x"),
        ]
        for words, expected in cases:
            with self.subTest(expected):
                done = compare(self.shapes, *words)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(expected, done.stderr)
                self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()

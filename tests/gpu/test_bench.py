"""attnrt bench on a device that is not the CPU: the SIMT shim's."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

BUILD = Path(os.environ["ATTNRT_BUILD"])
SHAPES = """name,phase,batch,q_len,kv_len,q_heads,kv_heads,head_dim,rest_kv_len
d,decode,2,1,40,4,2,64,9
p,prefill,1,9,9,4,2,64,
"""
YAML = "device: simt:sm_90\nbench: {shapes: shapes.csv, formats: [bf16, int8_per_token_head], kv_mib: 1, iterations: 2}\n"
KEYS = {"name", "format", "threads", "median_ms", "min_ms", "kv_gb_s", "gflop_s", "limit", "share_of_limit"}


class BenchTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "shapes.csv").write_text(SHAPES)
        (self.folder / "bench.yaml").write_text(YAML)

    def bench(self, *words) -> subprocess.CompletedProcess:
        command = [BUILD / "bin/attnrt", "--plugins", BUILD / "tests/fixtures/simt", "bench", *words]
        return subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=self.folder)

    def test_json_is_the_list_that_it_is_on_a_cpu(self):
        done = self.bench("bench.yaml", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        figures = json.loads(done.stdout)
        self.assertEqual([(f["name"], f["format"]) for f in figures],
                         [(name, format) for name in "dp" for format in ("bf16", "int8_per_token_head")])  # fmt: skip
        for f in figures:
            self.assertEqual(set(f), KEYS)
            self.assertEqual(f["threads"], 1)
            self.assertGreater(f["median_ms"], 0)
        self.assertAlmostEqual(figures[0]["kv_gb_s"] * figures[0]["median_ms"] * 1e6, 2 * 49 * 2 * 64 * 2, delta=1)
        self.assertEqual([f["limit"] for f in figures], ["memory", "memory", None, None])
        self.assertEqual([f["share_of_limit"] is None for f in figures], [False, False, True, True])

    def test_the_device_option_replaces_the_files_and_pages_name_the_device(self):
        done = self.bench("bench.yaml", "--device", "simt:sm_80", "--html", "r.html", "--report-json", "r.json", "--format", "bf16")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("simt:sm_80", done.stdout)
        self.assertIn("cuda_simt: the SIMT shim as sm_80", done.stdout)
        report = json.loads((self.folder / "r.json").read_text())
        self.assertEqual((report["device"], report["limits"][0]["read"][0]["level"]), ("simt:sm_80", "copy"))
        self.assertGreater(report["limits"][0]["read"][0]["gb_s"], 0)
        self.assertEqual(report["figures"][0]["rest_kv_len"], 9)
        page = (self.folder / "r.html").read_text()
        self.assertIn("Roofline, simt:sm_80", page)
        self.assertNotRegex(page, r"\bnan\b|\binf\b")

    def test_threads_are_refused_where_they_were_written(self):
        done = self.bench("bench.yaml", "--threads", 2)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--threads: expected no threads with a device that is not the CPU, found 2", done.stderr)

    def test_a_backend_of_another_device_is_refused_with_its_rules(self):
        done = self.bench("bench.yaml", "--backend", "reference")
        self.assertEqual(done.returncode, 3)
        self.assertIn("d, bf16 on reference: expected a backend", done.stderr)


if __name__ == "__main__":
    unittest.main()

import hashlib
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np

import naive
import tiny
from record import llama, safetensors
from record.models import Model, open_weights
from record.recording import TOKENS, record

FIXTURE = Path(__file__).resolve().parents[1] / "data" / "smollm2-135m-2layers.safetensors"


class FixtureTest(unittest.TestCase):
    def test_its_attention_is_right_by_the_definition(self):
        tensors, metadata = safetensors.read(FIXTURE)
        self.assertEqual(metadata["model"], "smollm2-135m")
        self.assertEqual(metadata["attnrt_recording"], "1")
        tokens = int(metadata["tokens"])
        self.assertEqual(len(tensors), 2 * 5)
        for layer in range(2):
            q, k, v, expected, lse = (tensors[f"layers.{layer}.{part}"] for part in ("q", "k", "v", "out", "lse"))
            self.assertEqual((q.shape, k.shape, v.shape), ((tokens, 9, 64), (tokens, 3, 64), (tokens, 3, 64)))
            # Some rows are enough here: the definition in plain Python is slow.
            cut = 40
            out, sums = naive.attend(q[:cut], k[:cut], v[:cut], 64**-0.5)
            np.testing.assert_allclose(expected[:cut], out, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(lse[:cut], sums, rtol=1e-4, atol=1e-5)


class RefusalTest(unittest.TestCase):
    def model(self, package):
        return Model("m", "m", package, "0" * 64, lambda weights: None, [], lambda weights, ids: None, {"GPL-3": 1.0})

    def test_a_missing_package_says_how_to_get_it(self):
        with self.assertRaisesRegex(RuntimeError, "not installed.*requirements-models.txt"):
            with open_weights(self.model("no_such_package_of_weights")):
                pass

    def test_other_bytes_than_expected_are_refused_and_nothing_is_written(self):
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / "fake_weights"
            package.mkdir()
            (package / "__init__.py").write_text("raise SystemError('never run')")
            (package / "x.gguf").write_bytes(b"GGUF")
            sys.path.insert(0, folder)
            self.addCleanup(sys.path.remove, folder)
            out = Path(folder) / "m.safetensors"
            with self.assertRaisesRegex(RuntimeError, "expected SHA-256 0000.*found"):
                record(self.model("fake_weights"), out, lambda line: None)
            self.assertFalse(out.exists())

    def test_a_wrong_perplexity_is_refused_and_nothing_is_written(self):
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / "tiny_weights"
            package.mkdir()
            tiny.write(package / "x.gguf", "llama")
            sys.path.insert(0, folder)
            self.addCleanup(sys.path.remove, folder)
            ids = [i % tiny.VOCABULARY for i in range(TOKENS)]
            model = self.model("tiny_weights")._replace(
                sha256=hashlib.sha256((package / "x.gguf").read_bytes()).hexdigest(),
                tokenizer=lambda weights: SimpleNamespace(encode=lambda text: SimpleNamespace(ids=ids)),
                forward=llama.forward,
            )
            out = Path(folder) / "m.safetensors"
            with mock.patch("record.recording.read_text", return_value=""):
                with self.assertRaisesRegex(RuntimeError, "m: the perplexity of GPL-3 is .*, expected 1.0 to 1%"):
                    record(model, out, lambda line: None)
            self.assertFalse(out.exists())

    def test_the_recording_is_long_enough_for_a_window_of_512(self):
        self.assertGreaterEqual(TOKENS, 1024)


if __name__ == "__main__":
    unittest.main()

import math
import tempfile
import unittest
from pathlib import Path

import numpy as np

import naive
import tiny
from record import gemma3, llama
from record.perplexity import is_as_expected, perplexity
from record.weights import Weights

IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5]


class ForwardTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.weights = {}
        for name in ("llama", "gemma3"):
            path = Path(folder.name) / name
            tiny.write(path, name)
            self.weights[name] = Weights(path)

    def each(self, ids=IDS):
        for module in (llama, gemma3):
            name = module.__name__.rpartition(".")[2]
            with self.subTest(model=name):
                yield name, module.forward(self.weights[name], ids)

    def test_what_is_recorded_has_the_shapes_that_the_file_promises(self):
        for _, forward in self.each():
            self.assertEqual(len(forward.layers), tiny.LAYERS)
            for layer in forward.layers:
                self.assertEqual(layer.q.shape, (len(IDS), tiny.Q_HEADS, tiny.HEAD_DIM))
                self.assertEqual(layer.k.shape, (len(IDS), tiny.KV_HEADS, tiny.HEAD_DIM))
                self.assertEqual(layer.v.shape, (len(IDS), tiny.KV_HEADS, tiny.HEAD_DIM))
                self.assertEqual(layer.out.shape, (len(IDS), tiny.Q_HEADS, tiny.HEAD_DIM))
                self.assertEqual(layer.lse.shape, (len(IDS), tiny.Q_HEADS))

    def test_gemma_slides_in_all_layers_but_every_sixth(self):
        for name, forward in self.each():
            for index, layer in enumerate(forward.layers):
                slides = name == "gemma3" and index != 5
                out, lse = naive.attend(
                    layer.q, layer.k, layer.v, tiny.HEAD_DIM**-0.5, tiny.WINDOW if slides else None
                )
                np.testing.assert_allclose(layer.out, out, rtol=1e-4, atol=1e-5)
                np.testing.assert_allclose(layer.lse, lse, rtol=1e-4, atol=1e-5)

    def test_a_later_token_changes_nothing_before_it(self):
        whole = dict(self.each())
        for name, forward in self.each(IDS[:-1] + [7]):
            np.testing.assert_array_equal(forward.hidden[:-1], whole[name].hidden[:-1])
            self.assertTrue((forward.hidden[-1] != whole[name].hidden[-1]).any())

    def test_perplexity_agrees_with_its_definition(self):
        for name, forward in self.each():
            head = self.weights[name].tensor("token_embd.weight").astype(np.float64)
            likelihoods = []
            for row, target in zip(forward.hidden[:-1].astype(np.float64), IDS[1:]):
                logits = head @ row
                likelihoods.append(logits[target] - math.log(np.exp(logits).sum()))
            expected = math.exp(-np.mean(likelihoods))
            self.assertAlmostEqual(perplexity(self.weights[name], forward.hidden, IDS) / expected, 1, places=4)

    def test_only_one_percent_is_let_through(self):
        self.assertTrue(is_as_expected(19.28, 19.28))
        self.assertTrue(is_as_expected(19.46, 19.28))
        for wrong in (19.48, 19.08, math.nan, math.inf, 0.0):
            self.assertFalse(is_as_expected(wrong, 19.28))


if __name__ == "__main__":
    unittest.main()

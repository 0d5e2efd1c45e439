import math
import unittest

import numpy as np

from record.layers import gelu_tanh, rms_norm, rope_halves, rope_interleaved, rope_table, silu


class RopeTest(unittest.TestCase):
    tokens, dim, base = 5, 8, 100.0

    def setUp(self):
        self.x = np.random.default_rng(1).standard_normal((self.tokens, 2, self.dim)).astype(np.float32)
        self.table = rope_table(self.tokens, self.dim, self.base)

    def rotated(self, pairs):
        """Each pair as a complex number times e^(i * position * base^(-2 pair / dim))."""
        out = np.empty(self.x.shape)
        for position in range(self.tokens):
            for number, (a, b) in enumerate(pairs):
                angle = position * self.base ** (-2 * number / self.dim)
                turn = complex(math.cos(angle), math.sin(angle))
                for head in range(2):
                    z = complex(self.x[position, head, a], self.x[position, head, b]) * turn
                    out[position, head, a], out[position, head, b] = z.real, z.imag
        return out

    def test_interleaved_turns_neighbours(self):
        expected = self.rotated([(2 * i, 2 * i + 1) for i in range(self.dim // 2)])
        np.testing.assert_allclose(rope_interleaved(self.x, self.table), expected, rtol=1e-5, atol=1e-6)

    def test_halves_turn_across_the_middle(self):
        expected = self.rotated([(i, i + self.dim // 2) for i in range(self.dim // 2)])
        np.testing.assert_allclose(rope_halves(self.x, self.table), expected, rtol=1e-5, atol=1e-6)

    def test_scores_depend_on_the_distance_alone(self):
        same = np.repeat(self.x[:1], self.tokens, axis=0)
        for rope in (rope_interleaved, rope_halves):
            turned = rope(same, self.table).astype(np.float64)[:, 0]
            scores = turned @ turned.T
            for distance in range(self.tokens):
                diagonal = np.diagonal(scores, distance)
                np.testing.assert_allclose(diagonal, diagonal[0], rtol=1e-5, atol=1e-5)


class PiecesTest(unittest.TestCase):
    def test_rms_norm(self):
        weight = np.array([1.0, 2.0], dtype=np.float32)
        mean_square = (3.0**2 + 4.0**2) / 2
        expected = [3.0 / math.sqrt(mean_square + 0.5), 2 * 4.0 / math.sqrt(mean_square + 0.5)]
        np.testing.assert_allclose(rms_norm(np.array([3.0, 4.0], dtype=np.float32), weight, 0.5), expected, rtol=1e-6)

    def test_activations(self):
        for x in (-3.0, -0.5, 0.0, 0.7, 4.0):
            value = np.array([x], dtype=np.float32)
            self.assertAlmostEqual(silu(value)[0], x / (1 + math.exp(-x)), places=6)
            exact = 0.5 * x * (1 + math.erf(x / math.sqrt(2)))
            self.assertAlmostEqual(gelu_tanh(value)[0], exact, places=3)  # the approximation's own error


if __name__ == "__main__":
    unittest.main()

import unittest

import numpy as np

import naive
from record.attention import attend, visible


def random(tokens, heads, dim, seed):
    return np.random.default_rng(seed).standard_normal((tokens, heads, dim)).astype(np.float32)


class AttentionTest(unittest.TestCase):
    def check(self, tokens, q_heads, kv_heads, window):
        q, k, v = random(tokens, q_heads, 8, 1), random(tokens, kv_heads, 8, 2), random(tokens, kv_heads, 6, 3)
        result = attend(q, k, v, 0.3, window)
        out, lse = naive.attend(q, k, v, 0.3, window)
        np.testing.assert_allclose(result.out, out, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(result.lse, lse, rtol=1e-5, atol=1e-6)

    def test_grouped_heads_agree_with_the_definition(self):
        self.check(tokens=13, q_heads=6, kv_heads=2, window=None)

    def test_a_window_agrees_with_the_definition(self):
        for window in (1, 2, 5, 12, 13, 100):
            with self.subTest(window=window):
                self.check(tokens=13, q_heads=2, kv_heads=1, window=window)

    def test_a_single_token_gives_its_own_value(self):
        q, k, v = random(1, 2, 8, 1), random(1, 1, 8, 2), random(1, 1, 8, 3)
        np.testing.assert_array_equal(attend(q, k, v, 1.0).out, np.repeat(v, 2, axis=1))

    def test_large_scores_do_not_overflow(self):
        q, k, v = random(4, 1, 8, 1) * 1000, random(4, 1, 8, 2), random(4, 1, 8, 3)
        self.assertTrue(np.isfinite(attend(q, k, v, 1.0).lse).all())

    def test_a_window_counts_the_query_itself(self):
        np.testing.assert_array_equal(
            visible(4, 2), np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], dtype=bool)
        )


if __name__ == "__main__":
    unittest.main()

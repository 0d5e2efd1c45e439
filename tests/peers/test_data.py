import unittest
from types import SimpleNamespace

try:
    import numpy as np
except ImportError:
    raise unittest.SkipTest("no numpy: tools/quickstart.sh installs it")

import naive
from case import Case, arena, copies_for, measure
from data import attend, make_data, worst_error
from shapes import Shape
from worker import Worker

SHAPE = Shape("a", "chunk", 2, 3, 11, 4, 2, 8)


def right_output(shape, data):
    rows = [attend(data, b * shape.q_len + t, shape.kv_len - shape.q_len + t + 1, shape.group)
            for b in range(shape.batch) for t in range(shape.q_len)]  # fmt: skip
    return np.array(rows)


class DataTest(unittest.TestCase):
    def test_the_oracle_is_attention_by_its_definition(self):
        shape = Shape("a", "prefill", 1, 9, 9, 4, 2, 8)
        data = make_data(shape)
        expected, _ = naive.attend(data.q, data.k, data.v, data.scale)
        np.testing.assert_allclose(right_output(shape, data), expected, rtol=1e-12)

    def test_every_format_of_8_bits_and_more_stores_the_values_exactly(self):
        data = make_data(Shape("a", "decode", 1, 1, 500, 4, 2, 64))
        for values in (data.k, data.v):
            fractions, exponents = np.frexp(np.abs(values))
            # e5m2: two bits behind the leading one; e4m3: normal from 2^-6, to 448.
            np.testing.assert_array_equal(fractions * 8, np.round(fractions * 8))
            self.assertGreater(exponents.min() - 1, -7)
            self.assertLessEqual(np.abs(values).max(), 448)
        self.assertTrue((data.q.view(np.uint32) & 0xFFFF == 0).all())  # bf16

    def test_misuse_is_a_larger_error_than_rounding(self):
        data = make_data(SHAPE)
        right = right_output(SHAPE, data)
        self.assertLess(worst_error(SHAPE, data, right.astype(np.float32)), 1e-6)
        self.assertLess(worst_error(SHAPE, data, right * (1 + 2**-9)), 0.004)
        wrong = {
            "no mask": np.array([attend(data, row, 11, 2) for row in range(6)]),
            "another head": right[:, ::-1],
            "another scale": right_output(SHAPE, type(data)(data.q, data.k, data.v, 1.0)),
            "the last sequence empty": np.where(np.arange(6)[:, None, None] < 3, right, 0),
            "not a number": np.full_like(right, np.nan),
        }
        for misuse, out in wrong.items():
            with self.subTest(misuse):
                self.assertGreater(worst_error(SHAPE, data, out), 0.1)


class CaseTest(unittest.TestCase):
    def test_calls_go_round_the_copies_over_rounds_too(self):
        met = []
        case = Case(3, met.append, lambda: None)
        self.assertEqual(len(measure(case, 0, 4)), 4)
        measure(case, 0, 1)
        self.assertEqual(met, [0, 1, 2, 0, 1, 2, 0])

    def test_copies_fill_what_is_to_be_walked(self):
        self.assertEqual([copies_for(size, 256) for size in (1, 100, 128, 255, 256, 1000)], [256, 3, 2, 2, 1, 1])

    def test_memory_is_writable_zeros_with_and_without_huge_pages(self):
        for huge_pages in (False, True):
            memory = arena(1 << 21, huge_pages)
            self.assertFalse(memory.any())
            memory[:] = 1


class WorkerTest(unittest.TestCase):
    """With a peer that is right, one that is wrong, and one that refuses."""

    def open_case(self, shape, variant, data, walk_bytes, huge_pages):
        if variant == "refuses":
            raise RuntimeError("no such\n kernel")
        out = right_output(shape, data) * (1.5 if variant == "wrong" else 1)
        return Case(copies_for(shape.kv_bytes("f32"), walk_bytes), lambda copy: None, lambda: out)

    def test_only_what_is_right_is_measured_and_the_rest_says_why_not(self):
        peer = SimpleNamespace(open_case=self.open_case, VARIANTS=dict.fromkeys(("right", "wrong", "refuses"), "f32"))
        worker = Worker(peer)
        request = {"shape": SHAPE.to_json(), "variants": list(peer.VARIANTS), "walk_bytes": 1 << 20, "huge_pages": False}
        answer = worker.answer({"open": request})
        self.assertEqual(list(answer["opened"]), ["right"])
        self.assertEqual(answer["opened"]["right"]["copies"], 373)
        self.assertRegex(answer["refused"]["wrong"], "wrong: error 0.5, expected at most 0.0001")
        self.assertEqual(answer["refused"]["refuses"], "RuntimeError: no such kernel")
        times = worker.answer({"measure": {"variant": "right", "seconds": 0, "min_calls": 5}})["ms"]
        self.assertEqual(len(times), 5)


if __name__ == "__main__":
    unittest.main()

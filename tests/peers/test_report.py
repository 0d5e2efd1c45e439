import copy
import json
import unittest
from pathlib import Path

from report import markdown, merge, number

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())  # of a run, two of its shapes


def row(text, title, start):
    """The cells of a table's row, by its column."""
    lines = text[text.index(f"## {title}") :].splitlines()
    header = next(line for line in lines if line.startswith("| "))
    cells = next(line for line in lines if line.startswith(f"| {start} |"))
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in (header, cells)]
    return dict(zip(*split))


def figure(result, shape, peer, variant):
    return next(f for f in result["figures"] if (f["shape"], f["peer"], f["variant"]) == (shape, peer, variant))


class ReportTest(unittest.TestCase):
    def test_times_and_rates_stand_under_their_shape(self):
        text = markdown(RECORDED)
        vllm = row(text, "Decode: ms (KV GB/s)", "vLLM bf16")
        self.assertEqual(vllm["llama decode 8x16k"], "46.3 (11.6)")
        self.assertEqual(row(text, "Prefill: ms (GFLOP/s)", "**attnrt bf16**")["gemma prefill 512"], "1.67 (322)")

    def test_what_was_measured_on_no_shape_of_a_kind_has_no_row_there(self):
        prefill = markdown(RECORDED).split("## Prefill")[1]
        self.assertNotIn("| ggml q8_0 |", prefill)
        self.assertIn("| ORT f32 |", prefill)

    def test_attnrt_is_held_against_the_fastest_of_16_bits_and_of_fp8(self):
        found = row(markdown(RECORDED), "Decode: attnrt", "llama decode 8x16k")
        ms = {v: figure(RECORDED, "llama decode 8x16k", *v)["ms"] for v in
              (("vLLM", "f16"), ("vLLM", "fp8_e5m2"), ("attnrt", "bf16"), ("attnrt", "f16"), ("attnrt", "fp8_e4m3"))}  # fmt: skip
        self.assertEqual(found["peer of 16 bits"], "vLLM f16 45.8")
        self.assertEqual(found["bf16 ×"], f"{ms['vLLM', 'f16'] / ms['attnrt', 'bf16']:.2f}")
        self.assertEqual(found["peer of fp8"], "vLLM fp8_e5m2 23.4")
        self.assertEqual(found["e4m3 ×"], f"{ms['vLLM', 'fp8_e5m2'] / ms['attnrt', 'fp8_e4m3']:.2f}")
        self.assertEqual(found["e4m3 / own 16"], f"{ms['attnrt', 'f16'] / ms['attnrt', 'fp8_e4m3']:.2f}")

    def test_the_share_is_of_the_best_bandwidth_read_beside_the_shape(self):
        found = row(markdown(RECORDED), "Decode: attnrt", "llama decode 8x16k")
        best = max(limit["read"][-1]["gb_s"] for limit in RECORDED["limits"] if limit["shape"] == "llama decode 8x16k")
        rate = figure(RECORDED, "llama decode 8x16k", "attnrt", "bf16")["kv_gb_s"]
        self.assertEqual((found["memory GB/s"], found["bf16 share"]), (f"{best:.1f}", f"{100 * rate / best:.0f} %"))

    def test_a_prefill_is_held_against_the_fastest_of_any_format(self):
        found = row(markdown(RECORDED), "Prefill: attnrt", "gemma prefill 512")
        times = [figure(RECORDED, "gemma prefill 512", *v)["ms"] for v in (("vLLM", "f16"), ("attnrt", "bf16"))]
        self.assertEqual(found["peer of any format"], "vLLM f16 1.34")
        self.assertEqual(found["bf16 ×"], f"{times[0] / times[1]:.2f}")

    def test_what_is_left_out_says_why_once(self):
        text = markdown(RECORDED).split("## Left out")[1]
        self.assertEqual(text.count("no kernel for it"), 1)
        self.assertIn("(llama decode 8x16k, gemma prefill 512)", text)

    def test_peers_alone_make_a_report_without_ratios(self):
        alone = dict(RECORDED, limits=[], left_out=[], figures=[f for f in RECORDED["figures"] if f["peer"] != "attnrt"])
        text = markdown(alone)
        self.assertNotIn("fastest", text)
        self.assertNotIn("Left out", text)
        self.assertIn("| vLLM bf16 | 46.3 (11.6) |", text)

    def test_numbers_have_three_digits(self):
        self.assertEqual([number(x) for x in (0.0381, 1.049, 46.31, 376.2, 1356.0)], ["0.038", "1.05", "46.3", "376", "1356"])


class MergeTest(unittest.TestCase):
    def part(self, name):
        result = copy.deepcopy(RECORDED)
        for key in ("figures", "limits", "left_out"):
            result[key] = [item for item in result[key] if item["shape"] == name]
        result["shapes"] = [shape for shape in result["shapes"] if shape["name"] == name]
        return result

    def test_runs_of_other_shapes_are_one_report(self):
        parts = [self.part(shape["name"]) for shape in RECORDED["shapes"]]
        self.assertEqual(markdown(merge(parts)), markdown(RECORDED))
        self.assertEqual(len(parts[0]["shapes"]), 1)  # left as it was

    def test_what_cannot_be_compared_is_refused(self):
        first, second = (self.part(shape["name"]) for shape in RECORDED["shapes"])
        with self.assertRaisesRegex(ValueError, "'llama decode 8x16k' twice"):
            merge([first, first])
        with self.assertRaisesRegex(ValueError, "threads: expected 2 in every file, found 4"):
            merge([first, dict(second, threads=4)])


if __name__ == "__main__":
    unittest.main()

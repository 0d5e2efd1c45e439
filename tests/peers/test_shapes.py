import tempfile
import unittest
from pathlib import Path

from shapes import choose, read_shapes, write_shape

SHIPPED = Path(__file__).resolve().parents[2] / "configs/bench/shapes.csv"
HEADER = "name,phase,batch,q_len,kv_len,q_heads,kv_heads,head_dim"


class ShapesTest(unittest.TestCase):
    def read(self, text):
        with tempfile.TemporaryDirectory() as folder:
            self.path = Path(folder) / "shapes.csv"
            self.path.write_text(text)
            return read_shapes(self.path)

    def test_the_shipped_file_holds_every_shape_that_is_judged(self):
        names = {shape.name for shape in read_shapes(SHIPPED)}
        decodes = {f"llama decode {batch}x{length}" for batch in (1, 8) for length in ("512", "4k", "16k")}
        self.assertLessEqual(decodes | {"llama chunk 512 of 4k", "gemma decode 8x16k", "gemma prefill 2048"}, names)

    def test_columns_come_in_any_order_and_an_empty_block_is_no_block(self):
        text = "block,head_dim,kv_heads,q_heads,kv_len,q_len,batch,phase,name\n,64,2,8,9,1,3,decode,a b\n16,64,2,8,9,1,3,decode,c\n"
        first, second = self.read(text)
        self.assertEqual((first.name, first.batch, first.kv_len, first.group, first.block), ("a b", 3, 9, 4, None))
        self.assertEqual(second.block, 16)

    def test_what_is_written_is_read_again(self):
        for text in (f"{HEADER}\na,chunk,1,4,9,8,2,64\n", f"{HEADER},block\na,chunk,1,4,9,8,2,64,32\n",
                     f"{HEADER},rest_kv_len\na,decode,3,1,9,8,2,64,5\n"):  # fmt: skip
            (shape,) = self.read(text)
            with tempfile.TemporaryDirectory() as folder:
                write_shape(shape, Path(folder) / "one.csv")
                self.assertEqual(read_shapes(Path(folder) / "one.csv"), [shape])

    def test_mistakes_are_refused_with_file_line_and_what_was_found(self):
        cases = {
            "name,phase\na,decode\n": r"csv:1: expected a column 'batch'",
            f"{HEADER}\na,decode,1,1,9,8,2,64\nb,decoding,1,1,9,8,2,64\n": r"csv:3: expected a phase of .*'decoding'",
            f"{HEADER}\na,decode,1,1,9,8,2,576/512\n": r"csv:2: expected head_dim .*'576/512'",
            f"{HEADER}\na,decode,0,1,9,8,2,64\n": r"csv:2: expected batch .*'0'",
            f"{HEADER}\na,decode,1,1,9,8,2\n": r"csv:2: expected head_dim .*''",
            f"{HEADER}\na,decode,1,1,9,8,3,64\n": r"csv:2: expected q_heads in multiples of 3, found 8",
            f"{HEADER}\na,chunk,1,10,9,8,2,64\n": r"csv:2: expected kv_len of at least q_len, found 9 of 10",
            f"{HEADER},rest_kv_len\na,decode,2,1,9,8,2,64,10\n": r"csv:2: expected rest_kv_len from q_len to kv_len, found 10",
        }
        for text, expected in cases.items():
            with self.subTest(expected), self.assertRaisesRegex(ValueError, expected):
                self.read(text)

    def test_shapes_are_chosen_by_a_part_of_their_name_or_a_pattern(self):
        shapes = read_shapes(SHIPPED)
        self.assertEqual(choose(shapes, []), shapes)
        self.assertEqual([s.name for s in choose(shapes, ["gemma prefill 5"])], ["gemma prefill 512"])
        self.assertEqual([s.name for s in choose(shapes, ["*8x512"])], ["llama decode 8x512"])
        with self.assertRaisesRegex(ValueError, "found qwen"):
            choose(shapes, ["qwen"])

    def test_work_counts_what_a_causal_mask_shows(self):
        skewed = self.read(f"{HEADER},rest_kv_len\na,chunk,3,2,9,8,2,64,5\n")[0]
        self.assertEqual(skewed.kv_lens, [9, 5, 5])
        self.assertEqual(skewed.kv_values, 2 * (9 + 5 + 5) * 2 * 64)
        self.assertEqual(skewed.flop, 4 * 64 * 8 * (8 + 9 + 2 * (4 + 5)))
        decode, chunk = self.read(f"{HEADER}\na,decode,3,1,9,8,2,64\nb,chunk,1,3,9,8,2,64\n")
        self.assertEqual(decode.kv_values, 2 * 3 * 9 * 2 * 64)
        self.assertEqual([decode.kv_bytes(f) for f in ("f32", "bf16", "fp8_e4m3")], [27648, 13824, 6912])
        self.assertEqual(decode.flop, 4 * 64 * 8 * 3 * 9)
        self.assertEqual(chunk.flop, 4 * 64 * 8 * (7 + 8 + 9))


if __name__ == "__main__":
    unittest.main()

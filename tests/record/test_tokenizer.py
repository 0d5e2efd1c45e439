import unittest

from record import tokenizer


class FakeWeights:
    def __init__(self, **facts):
        self.facts = {f"tokenizer.ggml.{key}": value for key, value in facts.items()}

    def fact(self, key):
        return self.facts[key]


class TokenizerTest(unittest.TestCase):
    def test_sentencepiece_merges_by_score_and_keeps_runs_of_spaces(self):
        pieces = ["<unk>", "  ", "   ", "▁", "a", "b", "c", "bc", "ab", "▁a"]
        scores = [0.0, -1000.0, -1000.0, -9, -10, -11, -12, -2, -1, -3]
        kinds = [2, 4, 4, 1, 1, 1, 1, 1, 1, 1]
        built = tokenizer.sentencepiece_bpe(FakeWeights(tokens=pieces, scores=scores, token_type=kinds))
        self.assertEqual(built.encode("abc").tokens, ["ab", "c"])  # ab scores better than bc
        self.assertEqual(built.encode("   abc").tokens, ["▁▁▁", "ab", "c"])  # spaces first, then words
        self.assertEqual(built.encode("c ac").tokens, ["c", "▁a", "c"])

    def test_byte_level_splits_digits_and_knows_spaces(self):
        pieces = ["1", "2", "12", "a", "Ġ", "Ġa", "b"]
        built = tokenizer.byte_level_bpe(FakeWeights(tokens=pieces, merges=["1 2", "Ġ a"]))
        self.assertEqual(built.encode("b a12").tokens, ["b", "Ġa", "1", "2"])


if __name__ == "__main__":
    unittest.main()

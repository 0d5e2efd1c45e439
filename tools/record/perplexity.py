"""Perplexity of a text, and the check that a forward pass is right: it must come out as published."""

import math

import numpy as np

from .weights import Weights

VOCABULARY_CHUNK = 16384  # rows of the head dequantised at once: Gemma's head as a whole takes 0.7 GB
TOLERANCE = 0.01


def perplexity(weights: Weights, hidden: np.ndarray, ids: list[int]) -> float:
    """exp of the mean negative log-likelihood of each token after the first. The head is the embedding."""
    hidden, targets = hidden[:-1], np.asarray(ids[1:])
    total = np.full(len(targets), -np.inf)
    rows = weights.row_count("token_embd.weight")
    for start in range(0, rows, VOCABULARY_CHUNK):
        logits = hidden @ weights.rows("token_embd.weight", slice(start, start + VOCABULARY_CHUNK)).T
        highest = logits.max(axis=1)
        chunk = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1, dtype=np.float64))
        total = np.logaddexp(total, chunk)
    chosen = weights.rows("token_embd.weight", targets)
    target_logits = np.einsum("tw,tw->t", hidden, chosen, dtype=np.float64)
    return math.exp(np.mean(total - target_logits))


def is_as_expected(found: float, expected: float) -> bool:
    """A NaN is not."""
    return abs(found - expected) <= TOLERANCE * expected

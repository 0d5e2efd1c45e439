"""Causal attention over a whole text in float32: the expected output that backends are judged against.

Written plainly, one query head at a time with the full score matrix, and independent of attnrt.
"""

from typing import NamedTuple, Optional

import numpy as np


class Attention(NamedTuple):
    out: np.ndarray  # [tokens, q_heads, head_dim_v]
    lse: np.ndarray  # [tokens, q_heads], natural logarithm of the softmax's denominator


def visible(tokens: int, window: Optional[int]) -> np.ndarray:
    """[query, key]: a query sees itself and the keys before it, with a window only the last `window` of these."""
    distance = np.arange(tokens)[:, None] - np.arange(tokens)[None, :]
    seen = distance >= 0
    return seen if window is None else seen & (distance < window)


def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, scale: float, window: Optional[int] = None) -> Attention:
    """q [tokens, q_heads, d], k [tokens, kv_heads, d], v [tokens, kv_heads, dv]; q heads share KV heads in order."""
    tokens, q_heads, _ = q.shape
    group = q_heads // k.shape[1]
    seen = visible(tokens, window)
    out = np.empty((tokens, q_heads, v.shape[2]), dtype=np.float32)
    lse = np.empty((tokens, q_heads), dtype=np.float32)
    for head in range(q_heads):
        scores = (q[:, head] * np.float32(scale)) @ k[:, head // group].T
        scores[~seen] = -np.inf
        highest = scores.max(axis=1, keepdims=True)
        weights = np.exp(scores - highest)
        total = weights.sum(axis=1, keepdims=True)
        out[:, head] = weights @ v[:, head // group] / total
        lse[:, head] = (highest + np.log(total))[:, 0]
    return Attention(out, lse)

"""What a forward pass gives: the last hidden states and, of each layer, what its attention got and gave."""

from typing import NamedTuple, Optional

import numpy as np

from .attention import attend


class Layer(NamedTuple):
    q: np.ndarray  # [tokens, q_heads, head_dim], rotated, not scaled
    k: np.ndarray  # [tokens, kv_heads, head_dim], rotated
    v: np.ndarray  # [tokens, kv_heads, head_dim]
    out: np.ndarray  # [tokens, q_heads, head_dim], before the output projection
    lse: np.ndarray  # [tokens, q_heads]


class Forward(NamedTuple):
    hidden: np.ndarray  # [tokens, width], after the last norm
    layers: list[Layer]


def attention_layer(q: np.ndarray, k: np.ndarray, v: np.ndarray, window: Optional[int] = None) -> Layer:
    """Both models scale by 1 / sqrt(head_dim)."""
    result = attend(q, k, v, scale=q.shape[-1] ** -0.5, window=window)
    return Layer(q, k, v, result.out, result.lse)


def split_heads(x: np.ndarray, heads: int) -> np.ndarray:
    return x.reshape(x.shape[0], heads, -1)

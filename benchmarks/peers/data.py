"""Queries, keys and values that every peer gets, and what attention over them is, in double precision.

Keys and values are ±(1 + m/4)·2^e: every format from 8 bits with a float's exponent stores them exactly, so one
oracle and tight bounds serve all of those. All sequences of a batch, and all copies of it, hold the same numbers.
"""

from dataclasses import dataclass

import numpy as np

from shapes import Shape

# Largest error of one row of one head, relative to its length: what rounding explains, and misuse exceeds. A key that
# should not be seen, or is not, moves a row of n alike keys by 1/sqrt(n); a wrong head, scale or mask by about 1.
TOLERANCE = {"f32": 1e-4, "f16": 5e-3, "bf16": 0.01, "fp8_e4m3": 0.01, "fp8_e5m2": 0.01, "q8_0": 0.03, "q4_0": 0.3}


@dataclass(frozen=True)
class Data:
    q: np.ndarray  # f32 [batch · q_len, q_heads, head_dim]
    k: np.ndarray  # f32 [kv_len, kv_heads, head_dim]
    v: np.ndarray
    scale: float


def make_data(shape: Shape) -> Data:
    rng = np.random.default_rng(1)
    rows = (shape.kv_len, shape.kv_heads, shape.head_dim)
    q = _grid(rng, (shape.batch * shape.q_len, shape.q_heads, shape.head_dim), -2, 2)
    return Data(q, _grid(rng, rows, -5, 1), _grid(rng, rows, -5, 1), shape.head_dim**-0.5)


def _grid(rng: np.random.Generator, size: tuple, lowest: int, end: int) -> np.ndarray:
    """Of exponents lowest … end - 1."""
    signs = rng.integers(0, 2, size, dtype=np.int8) * np.int8(2) - np.int8(1)
    mantissas = 1 + rng.integers(0, 4, size, dtype=np.int8).astype(np.float32) / 4
    return np.ldexp(signs * mantissas, rng.integers(lowest, end, size, dtype=np.int32)).astype(np.float32)


def worst_error(shape: Shape, data: Data, out: np.ndarray) -> float:
    """out: [batch · q_len, q_heads, head_dim]. Looks at a few rows of the first and of the last sequence."""
    worst = 0.0
    for sequence in {0, shape.batch - 1}:
        for token in {0, shape.q_len // 2, shape.q_len - 1}:
            row = sequence * shape.q_len + token
            expected = attend(data, row, shape.kv_len - shape.q_len + token + 1, shape.group)
            off = np.linalg.norm(out[row].astype(np.float64) - expected, axis=-1)
            error = float(np.max(off / np.linalg.norm(expected, axis=-1)))
            worst = max(worst, error if np.isfinite(error) else np.inf)
    return worst


def attend(data: Data, row: int, visible: int, group: int) -> np.ndarray:
    """One query token over its first visible keys: f64 [q_heads, head_dim]."""
    out = np.empty(data.q.shape[1:])
    for head in range(out.shape[0]):
        k = data.k[:visible, head // group].astype(np.float64)
        scores = k @ data.q[row, head].astype(np.float64) * data.scale
        weights = np.exp(scores - scores.max())
        out[head] = weights @ data.v[:visible, head // group].astype(np.float64) / weights.sum()
    return out

"""The small pieces of a transformer, in float32: norms, rotary positions, activations."""

import numpy as np


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """x scaled to unit root mean square along its last axis, times weight."""
    mean_square = np.mean(np.square(x), axis=-1, keepdims=True)
    return x / np.sqrt(mean_square + np.float32(eps)) * weight


def rope_table(tokens: int, head_dim: int, base: float) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin, [tokens, 1, head_dim / 2]: angles in double, since their error grows with the position."""
    frequencies = base ** (-np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    angles = np.arange(tokens, dtype=np.float64)[:, None, None] * frequencies
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def rope_interleaved(x: np.ndarray, table) -> np.ndarray:
    """Rotates the pairs (0, 1), (2, 3), … of each head: GGUF's order of Llama's q and k. x: [tokens, heads, dim]."""
    cos, sin = table
    even, odd = x[..., 0::2], x[..., 1::2]
    rotated = np.empty_like(x)
    rotated[..., 0::2] = even * cos - odd * sin
    rotated[..., 1::2] = even * sin + odd * cos
    return rotated


def rope_halves(x: np.ndarray, table) -> np.ndarray:
    """Rotates the pairs (0, dim/2), (1, dim/2 + 1), … of each head: Gemma's order. x: [tokens, heads, dim]."""
    cos, sin = table
    low, high = np.split(x, 2, axis=-1)
    return np.concatenate([low * cos - high * sin, low * sin + high * cos], axis=-1)


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    """GELU by its tanh approximation, which is what Gemma was trained with."""
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x * x * x)
    return np.float32(0.5) * x * (1 + np.tanh(inner))

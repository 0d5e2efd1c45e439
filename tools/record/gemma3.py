"""The forward pass of Gemma 3: sliding-window and full layers mixed, norms on both sides of each block."""

import numpy as np

from .forward import Forward, attention_layer, split_heads
from .layers import gelu_tanh, rms_norm, rope_halves, rope_table
from .weights import Weights

# Not in the GGUF file: every sixth layer is full, the others slide and rotate by a base of their own.
FULL_EVERY = 6
LOCAL_ROPE_BASE = 10000.0


def is_full(index: int) -> bool:
    return index % FULL_EVERY == FULL_EVERY - 1


def forward(weights: Weights, ids: list[int]) -> Forward:
    q_heads = weights.fact("attention.head_count")
    kv_heads = weights.fact("attention.head_count_kv")
    head_dim = weights.fact("attention.key_length")
    window = weights.fact("attention.sliding_window")
    eps = weights.fact("attention.layer_norm_rms_epsilon")
    local_table = rope_table(len(ids), head_dim, LOCAL_ROPE_BASE)
    full_table = rope_table(len(ids), head_dim, weights.fact("rope.freq_base"))
    x = weights.rows("token_embd.weight", np.asarray(ids))
    x = x * np.float32(np.sqrt(x.shape[1]))
    layers = []
    for index in range(weights.fact("block_count")):
        table = full_table if is_full(index) else local_table

        def linear(inputs, name):
            return inputs @ weights.tensor(f"blk.{index}.{name}.weight").T

        # The file's norm weights already hold the +1 that Gemma's own leave out.
        def norm(inputs, name):
            return rms_norm(inputs, weights.tensor(f"blk.{index}.{name}.weight"), eps)

        h = norm(x, "attn_norm")
        layer = attention_layer(
            rope_halves(norm(split_heads(linear(h, "attn_q"), q_heads), "attn_q_norm"), table),
            rope_halves(norm(split_heads(linear(h, "attn_k"), kv_heads), "attn_k_norm"), table),
            split_heads(linear(h, "attn_v"), kv_heads),
            window=None if is_full(index) else window,
        )
        layers.append(layer)
        x = x + norm(linear(layer.out.reshape(len(ids), -1), "attn_output"), "post_attention_norm")
        h = norm(x, "ffn_norm")
        h = linear(gelu_tanh(linear(h, "ffn_gate")) * linear(h, "ffn_up"), "ffn_down")
        x = x + norm(h, "post_ffw_norm")
    return Forward(rms_norm(x, weights.tensor("output_norm.weight"), eps), layers)

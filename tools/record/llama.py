"""The forward pass of Llama's architecture (SmolLM2): full attention, grouped heads."""

import numpy as np

from .forward import Forward, attention_layer, split_heads
from .layers import rms_norm, rope_interleaved, rope_table, silu
from .weights import Weights


def forward(weights: Weights, ids: list[int]) -> Forward:
    q_heads = weights.fact("attention.head_count")
    kv_heads = weights.fact("attention.head_count_kv")
    eps = weights.fact("attention.layer_norm_rms_epsilon")
    table = rope_table(len(ids), weights.fact("rope.dimension_count"), weights.fact("rope.freq_base"))
    x = weights.rows("token_embd.weight", np.asarray(ids))
    layers = []
    for index in range(weights.fact("block_count")):
        def linear(inputs, name):
            return inputs @ weights.tensor(f"blk.{index}.{name}.weight").T

        def norm(inputs, name):
            return rms_norm(inputs, weights.tensor(f"blk.{index}.{name}.weight"), eps)

        h = norm(x, "attn_norm")
        layer = attention_layer(
            rope_interleaved(split_heads(linear(h, "attn_q"), q_heads), table),
            rope_interleaved(split_heads(linear(h, "attn_k"), kv_heads), table),
            split_heads(linear(h, "attn_v"), kv_heads),
        )
        layers.append(layer)
        x = x + linear(layer.out.reshape(len(ids), -1), "attn_output")
        h = norm(x, "ffn_norm")
        x = x + linear(silu(linear(h, "ffn_gate")) * linear(h, "ffn_up"), "ffn_down")
    return Forward(rms_norm(x, weights.tensor("output_norm.weight"), eps), layers)

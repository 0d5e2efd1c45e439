"""A tiny Llama and a tiny Gemma with random weights, as GGUF files: forward passes without a download."""

from pathlib import Path

import gguf
import numpy as np

VOCABULARY, WIDTH, FFN, Q_HEADS, KV_HEADS, HEAD_DIM = 23, 12, 20, 4, 2, 6
LAYERS, WINDOW = 7, 3  # seven: one of Gemma's layers (5) is full


def write(path: Path, architecture: str) -> None:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(LAYERS)
    writer.add_head_count(Q_HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(HEAD_DIM)
    writer.add_key_length(HEAD_DIM)
    writer.add_sliding_window(WINDOW)
    for name, shape in shapes(architecture).items():
        seed = np.random.default_rng(sum(name.encode()))
        writer.add_tensor(name, (seed.standard_normal(shape) * 0.5).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def shapes(architecture: str) -> dict[str, tuple[int, ...]]:
    out = {"token_embd.weight": (VOCABULARY, WIDTH), "output_norm.weight": (WIDTH,)}
    for i in range(LAYERS):
        layer = {
            "attn_norm": (WIDTH,),
            "attn_q": (Q_HEADS * HEAD_DIM, WIDTH),
            "attn_k": (KV_HEADS * HEAD_DIM, WIDTH),
            "attn_v": (KV_HEADS * HEAD_DIM, WIDTH),
            "attn_output": (WIDTH, Q_HEADS * HEAD_DIM),
            "ffn_norm": (WIDTH,),
            "ffn_gate": (FFN, WIDTH),
            "ffn_up": (FFN, WIDTH),
            "ffn_down": (WIDTH, FFN),
        }
        if architecture == "gemma3":
            layer |= {name: (HEAD_DIM,) for name in ("attn_q_norm", "attn_k_norm")}
            layer |= {name: (WIDTH,) for name in ("post_attention_norm", "post_ffw_norm")}
        out |= {f"blk.{i}.{name}.weight": shape for name, shape in layer.items()}
    return out

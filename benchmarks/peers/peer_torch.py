"""PyTorch's scaled_dot_product_attention, over contiguous caches [batch, kv_heads, kv_len, head_dim].

fold: the query heads of a group as further query rows of their KV head. gqa: enable_gqa.
"""

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention

from case import Case, arena, copies_for
from data import Data
from shapes import Shape

NAME = "torch"
DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}
VARIANTS = {f"{name} {way}": name for name in DTYPES for way in ("fold", "gqa")}


def start(threads: int) -> str:
    torch.set_num_threads(threads)
    return f"torch {torch.__version__}"


def open_case(shape: Shape, variant: str, data: Data, walk_bytes: int, huge_pages: bool) -> Case:
    format, way = variant.split()
    dtype = DTYPES[format]
    copies = copies_for(shape.kv_bytes(format), walk_bytes)
    k, v = (make_cache(rows, copies, shape, dtype, huge_pages) for rows in (data.k, data.v))
    q, options, unfold = (fold if way == "fold" else gqa)(shape, torch.from_numpy(data.q).to(dtype))
    last = [q]

    @torch.inference_mode()
    def call(copy: int) -> None:
        last[0] = scaled_dot_product_attention(q, k[copy], v[copy], scale=data.scale, **options)

    return Case(copies, call, lambda: unfold(last[0]).float().numpy())


def fold(shape: Shape, q: torch.Tensor):
    """-> the queries as SDPA takes them, its options, and the way back to [tokens, q_heads, head_dim]."""
    split = (shape.batch, shape.q_len, shape.kv_heads, shape.group, shape.head_dim)
    rows = q.view(split).permute(0, 2, 3, 1, 4).reshape(shape.batch, shape.kv_heads, -1, shape.head_dim)
    options = {"attn_mask": causal_mask(shape, q.dtype).repeat(shape.group, 1)} if shape.q_len > 1 else {}

    def unfold(out: torch.Tensor) -> torch.Tensor:
        heads = out.reshape(shape.batch, shape.kv_heads, shape.group, shape.q_len, shape.head_dim)
        return heads.permute(0, 3, 1, 2, 4).reshape(q.shape)

    return rows.contiguous(), options, unfold


def gqa(shape: Shape, q: torch.Tensor):
    heads = q.view(shape.batch, shape.q_len, shape.q_heads, shape.head_dim).transpose(1, 2).contiguous()
    options = {"enable_gqa": True}
    if shape.q_len == shape.kv_len:
        options["is_causal"] = True  # of the upper left corner, so right for whole prompts only
    elif shape.q_len > 1:
        options["attn_mask"] = causal_mask(shape, q.dtype)
    return heads, options, lambda out: out.transpose(1, 2).reshape(q.shape)


def causal_mask(shape: Shape, dtype: torch.dtype) -> torch.Tensor:
    """[q_len, kv_len], added to the scores: a boolean one would be turned into this at every call."""
    hidden = torch.ones(shape.q_len, shape.kv_len, dtype=torch.bool).triu(shape.kv_len - shape.q_len + 1)
    return torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, -torch.inf)


def make_cache(rows: np.ndarray, copies: int, shape: Shape, dtype: torch.dtype, huge_pages: bool) -> torch.Tensor:
    """Every sequence of every copy holds these rows [kv_len, kv_heads, head_dim]."""
    size = (copies, shape.batch, shape.kv_heads, shape.kv_len, shape.head_dim)
    cache = torch.from_numpy(arena(int(np.prod(size)) * dtype.itemsize, huge_pages)).view(dtype).view(size)
    cache.copy_(torch.from_numpy(rows).to(dtype).transpose(0, 1))
    return cache

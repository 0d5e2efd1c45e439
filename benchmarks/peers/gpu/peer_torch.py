"""PyTorch's scaled_dot_product_attention by its flash and its cuDNN kernels, over contiguous caches, which is the better case.

Also measures the device's limits: how fast it copies, and how fast it multiplies matrices of bf16.
"""

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from case import Case, measure as times_of
from problem import DTYPES, Problem
from with_torch import measure_case, use

NAME = "torch SDPA"
VARIANTS = {"bf16 flash": "bf16", "bf16 cudnn": "bf16"}
BACKENDS = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION}
COPY_BYTES = 1 << 30
MATRIX = 8192


def start(device: str) -> str:
    return use(device)


def measure(shape, variant, *rest) -> dict:
    return measure_case(open_case, shape, variant, VARIANTS[variant], *rest)


def open_case(problem: Problem, variant: str) -> Case:
    format, backend = variant.split()
    shape, caches = problem.shape, problem.rows(format)
    q = problem.queries(DTYPES[format]).view(shape.batch, shape.q_len, shape.q_heads, shape.head_dim).transpose(1, 2)
    q = q.contiguous()
    options = {"scale": problem.scale, "enable_gqa": shape.group > 1}
    if shape.q_len == shape.kv_len:
        options["is_causal"] = True  # of the upper left corner, so right for whole prompts only
    elif shape.q_len > 1:
        options["attn_mask"] = causal_lower_right(shape.q_len, shape.kv_len)
    last = [q]

    def call(copy: int) -> None:
        with sdpa_kernel(BACKENDS[backend]):
            last[0] = scaled_dot_product_attention(q, *caches[copy], **options)

    return Case(len(caches), call, lambda: last[0].transpose(1, 2).reshape(-1, shape.q_heads, shape.head_dim))


def limits(device: str) -> dict:
    """GB/s of a copy, bytes read and bytes written; GFLOP/s of a product of square matrices. Of a GPU only."""
    if not device.startswith("cuda"):
        return {}
    source = torch.zeros(COPY_BYTES, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy_ms = best_ms(device, lambda: target.copy_(source))
    del source, target
    a, b = (torch.randn(MATRIX, MATRIX, dtype=torch.bfloat16, device=device) for _ in range(2))
    out = torch.empty_like(a)
    matmul_ms = best_ms(device, lambda: torch.matmul(a, b, out=out))
    return {"copy_gb_s": 2 * COPY_BYTES / copy_ms / 1e6, "matmul_gflop_s": 2 * MATRIX**3 / matmul_ms / 1e6}


def best_ms(device: str, work) -> float:
    return min(times_of(Case(1, lambda copy: work(), lambda: None), device, 0.1, 8))

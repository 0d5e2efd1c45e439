"""FlashAttention over pages: FA3 (flash_attn_interface) where it is installed, else FA2 (flash_attn)."""

import importlib
import importlib.util

import torch

from case import Case
from problem import DTYPES, Problem
from with_torch import measure_case, use

NAME = "FlashAttention"
VARIANTS: dict[str, str] = {}  # known at the start
FP8_TOLERANCE = 0.06  # its weights are rounded to fp8, too
module = None


def start(device: str) -> str:
    global module
    third = importlib.util.find_spec("flash_attn_interface") is not None
    module = importlib.import_module("flash_attn_interface" if third else "flash_attn")
    VARIANTS.update({"fa3 bf16": "bf16", "fa3 fp8_e4m3": "fp8_e4m3"} if third else {"fa2 bf16": "bf16"})
    return f"{module.__name__} {getattr(module, '__version__', '')}, {use(device)}"


def measure(shape, variant, *rest) -> dict:
    format = VARIANTS[variant]
    return measure_case(open_case, shape, variant, format, *rest, tolerance=FP8_TOLERANCE if format == "fp8_e4m3" else None)


def open_case(problem: Problem, variant: str) -> Case:
    version, format = variant.split()
    shape, caches = problem.shape, problem.pages(format)
    q = problem.queries(DTYPES[format]).view(shape.batch, shape.q_len, shape.q_heads, shape.head_dim)
    table = {"page_table" if version == "fa3" else "block_table": problem.table}
    last: list[torch.Tensor] = []

    def call(copy: int) -> None:
        last[:] = [module.flash_attn_with_kvcache(q, *caches[copy], cache_seqlens=problem.lengths, causal=True,
                                                  softmax_scale=problem.scale, **table)]  # fmt: skip

    return Case(len(caches), call, lambda: last[0].reshape(-1, shape.q_heads, shape.head_dim))

"""FlashInfer's wheel over pages: its own kernels (the backend that it chooses), and XQA for decode.

What its wheel holds as sources is compiled at first use, which takes minutes: compare.py --prepare has that done before.
"""

import importlib.metadata

import flashinfer
import torch

from case import Case
from problem import DTYPES, Problem
from with_torch import measure_case, use

NAME = "FlashInfer"
VARIANTS = {"bf16": "bf16", "fp8_e4m3": "fp8_e4m3", "bf16 xqa": "bf16", "fp8_e4m3 xqa": "fp8_e4m3"}
WORKSPACE_BYTES = 256 << 20


def start(device: str) -> str:
    return f"flashinfer-python {importlib.metadata.version('flashinfer-python')}, {use(device)}"


def measure(shape, variant, *rest) -> dict:
    return measure_case(open_case, shape, variant, VARIANTS[variant], *rest)


def open_case(problem: Problem, variant: str) -> Case:
    format, *way = variant.split()
    if way and problem.shape.q_len > 1:
        raise ValueError("XQA is measured in decode of one token only")
    caches = problem.pages(format)
    q = problem.queries(torch.bfloat16)
    out = torch.empty_like(q)
    workspace = torch.zeros(WORKSPACE_BYTES, dtype=torch.uint8, device=problem.device)
    make = xqa if way else decode if problem.shape.q_len == 1 else prefill
    run = make(problem, DTYPES[format], workspace, q, out)
    return Case(len(caches), lambda copy: run(caches[copy]), lambda: out)


def page_arrays(problem: Problem):
    """-> indptr, indices and last_page_len, as its planners take them."""
    starts = [0]
    for n in problem.blocks:
        starts.append(starts[-1] + n)
    indices = torch.cat([problem.table[i, :n] for i, n in enumerate(problem.blocks)])
    last = [length - (n - 1) * problem.block for length, n in zip(problem.shape.kv_lens, problem.blocks)]
    return problem.array(starts), indices, problem.array(last)


def decode(problem: Problem, dtype, workspace, q, out):
    shape = problem.shape
    wrapper = flashinfer.BatchDecodeWithPagedKVCacheWrapper(workspace, "NHD", use_tensor_cores=True)
    wrapper.plan(*page_arrays(problem), shape.q_heads, shape.kv_heads, shape.head_dim, problem.block,
                 q_data_type=q.dtype, kv_data_type=dtype, sm_scale=problem.scale)  # fmt: skip
    return lambda cache: wrapper.run(q, cache, out=out)


def prefill(problem: Problem, dtype, workspace, q, out):
    shape = problem.shape
    wrapper = flashinfer.BatchPrefillWithPagedKVCacheWrapper(workspace, "NHD")
    wrapper.plan(problem.q_start, *page_arrays(problem), shape.q_heads, shape.kv_heads, shape.head_dim, problem.block,
                 causal=True, q_data_type=q.dtype, kv_data_type=dtype, sm_scale=problem.scale)  # fmt: skip
    return lambda cache: wrapper.run(q, cache, out=out)


def xqa(problem: Problem, dtype, workspace, q, out):
    longest = max(problem.shape.kv_lens)
    attend = flashinfer.decode.trtllm_batch_decode_with_kv_cache

    def run(cache) -> None:
        attend(q, cache, workspace, problem.table, problem.lengths, longest, bmm1_scale=problem.scale, bmm2_scale=1.0,
               out=out, kv_layout="NHD", backend="xqa")  # fmt: skip

    return run

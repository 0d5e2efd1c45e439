"""ggml's flash_attn_ext on its CPU backend (PyPI: libggml-python, built from its sources for this machine).

Caches are contiguous, [batch, kv_heads, kv_len, head_dim] in ggml's type; queries are f32, as the op wants them.
"""

import ctypes
import importlib.metadata
import importlib.util
from ctypes import POINTER, c_bool, c_char, c_float, c_int, c_int32, c_int64, c_size_t, c_void_p
from pathlib import Path

import numpy as np

from case import Case, arena, copies_for
from data import Data
from shapes import Shape

NAME = "ggml"
VARIANTS = {name: name for name in ("f16", "bf16", "q8_0", "q4_0")}
TOLERANCE = {"f16": 0.05}  # this type's values are added up in f16, so long contexts cost it
TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 8, "bf16": 30}  # enum ggml_type
GRAPH_NODES = 8
_lib: ctypes.CDLL
_backend: c_void_p


class Tensor(ctypes.Structure):
    """struct ggml_tensor of the pinned version, up to the field that is set here."""

    _fields_ = [
        ("type", c_int), ("buffer", c_void_p), ("ne", c_int64 * 4), ("nb", c_size_t * 4), ("op", c_int),
        ("op_params", c_int32 * 16), ("flags", c_int32), ("src", c_void_p * 10), ("view_src", c_void_p),
        ("view_offs", c_size_t), ("data", c_void_p), ("name", c_char * 64),
    ]  # fmt: skip


class InitParams(ctypes.Structure):
    _fields_ = [("mem_size", c_size_t), ("mem_buffer", c_void_p), ("no_alloc", c_bool)]


def start(threads: int) -> str:
    global _lib, _backend
    package = Path(next(iter(importlib.util.find_spec("libggml").submodule_search_locations)))
    base, cpu = (next(package.glob(f"lib*/lib{name}.so")) for name in ("ggml-base", "ggml-cpu"))
    _lib = ctypes.CDLL(str(base), ctypes.RTLD_GLOBAL)
    cpu_lib = ctypes.CDLL(str(cpu))
    declare(_lib)
    cpu_lib.ggml_backend_cpu_init.restype = c_void_p
    cpu_lib.ggml_backend_cpu_set_n_threads.argtypes = [c_void_p, c_int]
    _backend = cpu_lib.ggml_backend_cpu_init()
    cpu_lib.ggml_backend_cpu_set_n_threads(_backend, threads)
    sets = [name for name in ("avx2", "avx512", "avx512_bf16", "amx_int8") if getattr(cpu_lib, f"ggml_cpu_has_{name}")()]
    return f"ggml {importlib.metadata.version('libggml-python')} ({', '.join(sets)})"


def declare(lib: ctypes.CDLL) -> None:
    tensor = POINTER(Tensor)
    lib.ggml_init.restype, lib.ggml_init.argtypes = c_void_p, [InitParams]
    lib.ggml_free.argtypes = [c_void_p]
    lib.ggml_new_tensor_4d.restype = tensor
    lib.ggml_new_tensor_4d.argtypes = [c_void_p, c_int, c_int64, c_int64, c_int64, c_int64]
    lib.ggml_flash_attn_ext.restype = tensor
    lib.ggml_flash_attn_ext.argtypes = [c_void_p, tensor, tensor, tensor, tensor, c_float, c_float, c_float]
    lib.ggml_new_graph_custom.restype = c_void_p
    lib.ggml_new_graph_custom.argtypes = [c_void_p, c_size_t, c_bool]
    lib.ggml_build_forward_expand.argtypes = [c_void_p, tensor]
    lib.ggml_backend_graph_compute.restype, lib.ggml_backend_graph_compute.argtypes = c_int, [c_void_p, c_void_p]
    lib.ggml_tensor_overhead.restype = c_size_t
    lib.ggml_graph_overhead_custom.restype, lib.ggml_graph_overhead_custom.argtypes = c_size_t, [c_size_t, c_bool]
    lib.ggml_quantize_chunk.restype = c_size_t
    lib.ggml_quantize_chunk.argtypes = [c_int, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p]


class Context:
    """Tensors and graphs without memory of their own: each is given an array that it does not own."""

    def __init__(self, tensors: int, graphs: int):
        size = tensors * _lib.ggml_tensor_overhead() + graphs * _lib.ggml_graph_overhead_custom(GRAPH_NODES, False)
        self.handle = c_void_p(_lib.ggml_init(InitParams(size, None, True)))
        self.arrays: list[np.ndarray] = []
        self.graphs: list[c_void_p] = []

    def __del__(self):
        _lib.ggml_free(self.handle)

    def give(self, tensor, array: np.ndarray):
        self.arrays.append(array)
        tensor.contents.data = array.ctypes.data
        return tensor

    def tensor(self, type: str, size: tuple[int, ...], array: np.ndarray):
        """size: the innermost dimension last, as in numpy."""
        return self.give(_lib.ggml_new_tensor_4d(self.handle, TYPES[type], *reversed(size)), array)

    def add_graph(self, result) -> None:
        self.graphs.append(c_void_p(_lib.ggml_new_graph_custom(self.handle, GRAPH_NODES, False)))
        _lib.ggml_build_forward_expand(self.graphs[-1], result)

    def compute(self, graph: int) -> None:
        status = _lib.ggml_backend_graph_compute(_backend, self.graphs[graph])
        if status != 0:
            raise RuntimeError(f"ggml_backend_graph_compute: expected 0, found {status}")


def open_case(shape: Shape, variant: str, data: Data, walk_bytes: int, huge_pages: bool) -> Case:
    copies = copies_for(shape.kv_bytes(variant), walk_bytes)
    k, v = (make_cache(rows, copies, shape, variant, huge_pages) for rows in (data.k, data.v))
    context = Context(tensors=3 * copies + 2, graphs=copies)
    heads = data.q.reshape(shape.batch, shape.q_len, shape.q_heads, shape.head_dim).transpose(0, 2, 1, 3)
    q = context.tensor("f32", heads.shape, np.ascontiguousarray(heads))
    mask = context.tensor("f16", (1, 1, shape.q_len, shape.kv_len), causal_mask(shape)) if shape.q_len > 1 else None
    out = np.empty((shape.batch * shape.q_len, shape.q_heads, shape.head_dim), np.float32)
    size = (shape.batch, shape.kv_heads, shape.kv_len, shape.head_dim)
    for copy in range(copies):
        keys, values = (context.tensor(variant, size, x[copy]) for x in (k, v))
        result = _lib.ggml_flash_attn_ext(context.handle, q, keys, values, mask, data.scale, 0.0, 0.0)
        context.add_graph(context.give(result, out))
    return Case(copies, context.compute, lambda: out)


def causal_mask(shape: Shape) -> np.ndarray:
    hidden = np.triu(np.ones((shape.q_len, shape.kv_len), bool), shape.kv_len - shape.q_len + 1)
    return np.where(hidden, np.float16(-np.inf), np.float16(0))


def make_cache(rows: np.ndarray, copies: int, shape: Shape, format: str, huge_pages: bool) -> np.ndarray:
    """bytes [copies, bytes of a batch]; every sequence holds these rows."""
    one = stored(np.ascontiguousarray(rows.transpose(1, 0, 2)), format, int(shape.kv_bytes(format)) // 2 // shape.batch)
    cache = arena(copies * shape.batch * one.size, huge_pages).reshape(copies, shape.batch, one.size)
    cache[:] = one
    return cache.reshape(copies, -1)


def stored(values: np.ndarray, format: str, size: int) -> np.ndarray:
    if format == "f16":
        return values.astype(np.float16).reshape(-1).view(np.uint8)
    if format == "bf16":  # exact: data.py
        return np.ascontiguousarray(values.view(np.uint16)[..., 1::2]).reshape(-1).view(np.uint8)
    out = np.empty(size, np.uint8)
    rows = values.size // values.shape[-1]
    _lib.ggml_quantize_chunk(TYPES[format], values.ctypes.data, out.ctypes.data, 0, rows, values.shape[-1], None)
    return out

"""ONNX Runtime's GroupQueryAttention, with past and present keys and values in one buffer.

The op appends the call's own tokens to the cache before it attends: that is part of what is timed.
"""

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from case import Case, arena, copies_for
from data import Data
from shapes import Shape

NAME = "ORT"
DTYPES = {"f16": np.dtype(np.float16), "f32": np.dtype(np.float32)}  # its CPU kernel has no bf16
VARIANTS = {name: name for name in DTYPES}
_threads = 1


def start(threads: int) -> str:
    global _threads
    _threads = threads
    ort.set_default_logger_severity(3)
    return f"onnxruntime {ort.__version__}"


def open_case(shape: Shape, variant: str, data: Data, walk_bytes: int, huge_pages: bool) -> Case:
    dtype = DTYPES[variant]
    copies = copies_for(shape.kv_bytes(variant), walk_bytes)
    caches = [make_cache(rows, copies, shape, dtype, huge_pages) for rows in (data.k, data.v)]
    out = np.empty((shape.batch, shape.q_len, shape.q_heads * shape.head_dim), dtype)
    session = open_session(shape, variant, data.scale)
    inputs = call_inputs(shape, data, dtype)
    bindings = [bind(session, inputs, caches[0][copy], caches[1][copy], out) for copy in range(copies)]

    def call(copy: int) -> None:
        session.run_with_iobinding(bindings[copy])

    result = lambda: out.astype(np.float32).reshape(-1, shape.q_heads, shape.head_dim)  # noqa: E731
    return Case(copies, call, result)


def open_session(shape: Shape, variant: str, scale: float) -> ort.InferenceSession:
    kind = TensorProto.FLOAT16 if variant == "f16" else TensorProto.FLOAT
    kv_width = shape.kv_heads * shape.head_dim
    cache = [shape.batch, shape.kv_heads, shape.kv_len, shape.head_dim]
    tensors = {
        "query": (kind, [shape.batch, shape.q_len, shape.q_heads * shape.head_dim]),
        "key": (kind, [shape.batch, shape.q_len, kv_width]),
        "value": (kind, [shape.batch, shape.q_len, kv_width]),
        "past_key": (kind, cache),
        "past_value": (kind, cache),
        "seqlens_k": (TensorProto.INT32, [shape.batch]),
        "total_sequence_length": (TensorProto.INT32, [1]),
    }
    results = {"output": tensors["query"], "present_key": (kind, cache), "present_value": (kind, cache)}
    node = helper.make_node(
        "GroupQueryAttention", list(tensors), list(results), domain="com.microsoft",
        num_heads=shape.q_heads, kv_num_heads=shape.kv_heads, scale=scale,
    )  # fmt: skip
    info = lambda of: [helper.make_tensor_value_info(name, *facts) for name, facts in of.items()]  # noqa: E731
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    graph = helper.make_graph([node], "attention", info(tensors), info(results))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = _threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def call_inputs(shape: Shape, data: Data, dtype: np.dtype) -> dict[str, np.ndarray]:
    """The call's own tokens are the last of each sequence."""
    own = lambda rows: np.broadcast_to(rows[-shape.q_len :], (shape.batch, shape.q_len, *rows.shape[1:]))  # noqa: E731
    flat = lambda x: np.ascontiguousarray(x.reshape(shape.batch, shape.q_len, -1).astype(dtype))  # noqa: E731
    return {
        "query": flat(data.q),
        "key": flat(own(data.k)),
        "value": flat(own(data.v)),
        "seqlens_k": np.full(shape.batch, shape.kv_len - 1, np.int32),
        "total_sequence_length": np.array([shape.kv_len], np.int32),
    }


def make_cache(rows: np.ndarray, copies: int, shape: Shape, dtype: np.dtype, huge_pages: bool) -> np.ndarray:
    size = (copies, shape.batch, shape.kv_heads, shape.kv_len, shape.head_dim)
    cache = arena(int(np.prod(size)) * dtype.itemsize, huge_pages).view(dtype).reshape(size)
    cache[:] = rows.astype(dtype).transpose(1, 0, 2)
    return cache


def bind(session: ort.InferenceSession, inputs: dict, k: np.ndarray, v: np.ndarray, out: np.ndarray):
    binding = session.io_binding()
    value = ort.OrtValue.ortvalue_from_numpy  # on a CPU it is the array itself, not a copy
    for name, array in inputs.items():
        binding.bind_ortvalue_input(name, value(array))
    binding.bind_ortvalue_output("output", value(out))
    for name, array in (("key", k), ("value", v)):
        shared = value(array)
        binding.bind_ortvalue_input(f"past_{name}", shared)
        binding.bind_ortvalue_output(f"present_{name}", shared)
    return binding

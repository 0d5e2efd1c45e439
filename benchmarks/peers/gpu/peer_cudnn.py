"""cuDNN through cudnn-frontend's Python, over pages (K and V of 16 bits)."""

import cudnn
import torch

from case import Case
from problem import DTYPES, Problem
from with_torch import measure_case, use

NAME = "cuDNN"
VARIANTS = {"bf16": "bf16"}


def start(device: str) -> str:
    return f"cuDNN {cudnn.backend_version()}, cudnn-frontend {cudnn.__version__}, {use(device)}"


def measure(shape, variant, *rest) -> dict:
    return measure_case(open_case, shape, variant, VARIANTS[variant], *rest)


def open_case(problem: Problem, variant: str) -> Case:
    shape, caches = problem.shape, [as_containers(cache) for cache in problem.pages(variant)]
    q = problem.queries(DTYPES[variant]).view(shape.batch, shape.q_len, shape.q_heads, shape.head_dim).transpose(1, 2)
    out = torch.empty_like(q)
    column = (shape.batch, 1, 1, 1)
    arrays = {
        "seq_len_q": torch.full(column, shape.q_len, dtype=torch.int32, device=problem.device),
        "seq_len_kv": problem.lengths.view(column),
        "paged_attention_k_table": problem.table.view(shape.batch, 1, -1, 1),
        "paged_attention_v_table": problem.table.view(shape.batch, 1, -1, 1),
    }
    handle = cudnn.create_handle()
    graph = cudnn.pygraph(io_data_type=cudnn.data_type.BFLOAT16, intermediate_data_type=cudnn.data_type.FLOAT,
                          compute_data_type=cudnn.data_type.FLOAT, handle=handle)  # fmt: skip
    tensors = {"q": q, "k": caches[0][0], "v": caches[0][1], **arrays}
    named = {name: graph.tensor_like(tensor) for name, tensor in tensors.items()}
    o, _ = graph.sdpa(name="sdpa", is_inference=True, attn_scale=problem.scale, use_padding_mask=True,
                      use_causal_mask_bottom_right=shape.q_len > 1,
                      paged_attention_max_seq_len_kv=max(shape.kv_lens), **named)  # fmt: skip
    o.set_output(True).set_dim(list(out.shape)).set_stride(list(out.stride()))
    graph.validate()
    graph.build_operation_graph()
    graph.create_execution_plans([cudnn.heur_mode.A, cudnn.heur_mode.FALLBACK])
    graph.check_support()
    graph.build_plans()
    workspace = torch.empty(max(graph.get_workspace_size(), 1), dtype=torch.uint8, device=problem.device)

    def call(copy: int) -> None:
        k, v = caches[copy]
        given = {named[name]: tensor for name, tensor in (tensors | {"k": k, "v": v}).items()}
        cudnn.set_stream(handle=handle, stream=torch.cuda.current_stream().cuda_stream)
        graph.execute(given | {o: out}, workspace, handle=handle)

    return Case(len(caches), call, lambda: out.transpose(1, 2).reshape(-1, shape.q_heads, shape.head_dim))


def as_containers(cache: tuple[torch.Tensor, torch.Tensor]) -> list[torch.Tensor]:
    """[pages, kv_heads, block, head_dim], by strides."""
    return [side.transpose(1, 2) for side in cache]

#!/usr/bin/env python3
"""Records attention computed by PyTorch in float64, for the tests of the oracle.

Usage: python make_fixtures.py   (needs numpy, torch, ml_dtypes)
Writes attention.safetensors and merge.safetensors beside itself.

Scores, masks, windows, ALiBi and sinks go through torch.nn.functional.scaled_dot_product_attention
with an additive mask (a sink is one more key of zeros with the sink as its bias and a value of
zeros); soft caps, which it does not know, through torch.softmax. lse is torch.logsumexp.
Quantised keys and values are those that tests/data/codec/make_fixtures.py reads back.
"""

import importlib.util
import json
import math
import pathlib
import sys

import numpy as np
import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import tensor_file  # noqa: E402

spec = importlib.util.spec_from_file_location("codecs", HERE.parent / "codec/make_fixtures.py")
codecs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(codecs)

F32 = np.float32
RAGGED = [(1, 1), (5, 5), (3, 19), (1, 37), (0, 6), (2, 2), (17, 21)]

# Defaults of a case; `features` are the manifest's words.
DEFAULTS = dict(features=["causal", "lse"], lengths=RAGGED, q_heads=4, kv_heads=2, qk=16, v=16,
                scale=0.0, window=0, softcap=0.0, format="f32", q_dtype="f32", latent=False,
                k_scale=[], v_scale=[], q_scale=[], out_scale=[], prefix=[])

CASES = {
    "causal": {},
    "causal_long": dict(lengths=[(2, 300)], q_heads=2, kv_heads=1, qk=40, v=40),
    "causal_without_lse": dict(features=["causal"]),
    "causal_more_queries_than_keys": dict(lengths=[(6, 2), (4, 0), (3, 3)]),
    "nothing_to_do": dict(lengths=[(0, 4), (0, 0)]),
    "one_query_head_a_kv_head": dict(q_heads=3, kv_heads=3),
    "all_query_heads_on_one_kv_head": dict(q_heads=8, kv_heads=1, qk=8, v=8),
    "explicit_scale": dict(scale=0.37),
    "unequal_head_sizes": dict(qk=24, v=8),
    "v_wider_than_k": dict(qk=8, v=24),
    "non_causal": dict(features=["non_causal", "lse"]),
    "cross": dict(features=["cross", "lse"], lengths=[(5, 3), (1, 30), (4, 0), (2, 9)]),
    "tree_mask": dict(features=["tree_mask", "lse"]),
    "prefix_lm": dict(features=["prefix_lm", "lse"], prefix=[1, 3, 18, 9, 0, 0, 12]),
    "window": dict(features=["causal", "window", "lse"], window=6),
    "window_of_one": dict(features=["causal", "window", "lse"], window=1),
    "window_and_prefix_lm": dict(features=["prefix_lm", "window", "lse"], window=4,
                                 prefix=[1, 3, 18, 9, 0, 0, 12]),
    "window_and_tree_mask": dict(features=["tree_mask", "window", "lse"], window=4),
    "window_and_non_causal": dict(features=["non_causal", "window", "lse"], window=5),
    "softcap": dict(features=["causal", "softcap", "lse"], softcap=1.5),
    "alibi": dict(features=["causal", "alibi", "lse"]),
    "alibi_and_non_causal": dict(features=["non_causal", "alibi", "lse"]),
    "sinks": dict(features=["causal", "sinks", "lse"], lengths=[(1, 1), (3, 19), (4, 2), (2, 0)]),
    "everything": dict(features=["causal", "window", "sinks", "softcap", "alibi", "lse"], window=9,
                       softcap=2.0),
    "tensor_scales": dict(k_scale=[0.25], v_scale=[3.0]),
    "per_head_scales": dict(features=["causal", "per_head_scales", "lse"], k_scale=[0.5, 0.3],
                            v_scale=[2.0, 0.7]),
    "query_and_output_scales": dict(q_scale=[0.75], out_scale=[0.125]),
    "latent": dict(latent=True, qk=24, v=16, kv_heads=1),
    "latent_with_scale": dict(latent=True, qk=24, v=16, kv_heads=1, k_scale=[0.3]),
}
for _dtype in ["f64", "f16", "bf16", "fp8_e4m3", "fp8_e5m2", "fp8_e4m3fnuz"]:
    CASES[f"q_{_dtype}"] = dict(q_dtype=_dtype, q_scale=[0.02] if "fp8" in _dtype else [],
                                lengths=[(3, 11), (1, 9)])
_SHORT = dict(lengths=[(2, 9), (1, 4)], q_heads=2)
for _format in ["f16", "bf16", "fp8_e4m3", "fp8_e5m2", "fp8_e4m3fnuz"]:
    CASES[f"format_{_format}"] = dict(format=_format, k_scale=[0.02], v_scale=[0.05], **_SHORT)
for _format in ["int8_per_token_head", "fp8_per_token_head", "int4_per_token_head",
                "int4_per_token_head_zp", "nvfp4_linear"]:
    CASES[f"format_{_format}"] = dict(format=_format, qk=32, v=16, **_SHORT)
CASES["format_nvfp4_linear"].update(k_scale=[0.5], v_scale=[0.25])
for _format in ["nvfp4_swizzled", "nvfp4_4over6"]:
    CASES[f"format_{_format}"] = dict(format=_format, qk=64, v=128, **_SHORT)
for _format, _qk in [("fp8_ds_mla_v32", 576), ("fp8_ds_mla_v4", 512), ("fp8_ds_mla_v41", 512),
                     ("nvfp4_ds_mla", 576)]:
    CASES[f"format_{_format}"] = dict(format=_format, latent=True, kv_heads=1, q_heads=2, qk=_qk,
                                      v=512, lengths=[(1, 5)])


def as_stored(case, x, scale):
    """What a reader of the cache gets of x [keys, heads, width], in float64, without the scale."""
    name = case["format"]
    per_head = np.array(scale or [1.0], F32).reshape(1, -1, 1)
    y = (x / per_head).astype(F32)
    if name == "f32":
        return y.astype(np.float64) * per_head.astype(np.float64)
    if name in codecs.ELEMENTS:
        read = codecs.decode(name, codecs.encode(name, y))
    else:
        row = codecs.ROWS["nvfp4_linear" if name == "nvfp4_swizzled" else name][1]
        read = np.array([[row(r)[2] for r in token] for token in y])
        read = read.reshape(y.shape)
    return read * per_head.astype(np.float64)


def visible(case, n, queries, keys, tree):
    """Boolean [queries, keys] of sequence n."""
    position = (keys - queries + np.arange(queries))[:, None]
    key = np.arange(keys)[None, :]
    features = case["features"]
    if "causal" in features:
        seen = key <= position
    elif "prefix_lm" in features:
        seen = (key <= position) | (key < case["prefix"][n])
    elif "tree_mask" in features:
        seen = np.ones((queries, keys), bool)
        for j in range(queries):
            if 0 <= keys - queries + j < keys:
                seen[:, keys - queries + j] = tree[:queries, j]
    else:
        seen = np.ones((queries, keys), bool)
    if "window" in features:
        seen = seen & (key > position - case["window"])
    return seen


def attend(case, q, k, v, seen, slope, sink):
    """One sequence and head, float64. q [queries, qk], k [keys, qk], v [keys, v]."""
    queries, keys = seen.shape
    scale = case["scale"] or 1 / math.sqrt(case["qk"])
    scale = float(F32(case["scale"])) if case["scale"] else scale
    bias = np.where(seen, 0.0, -np.inf)
    if slope is not None:
        position = (keys - queries + np.arange(queries))[:, None]
        bias = bias + float(slope) * (np.arange(keys)[None, :] - position)
    if sink is not None:
        k = np.vstack([k, np.zeros((1, k.shape[1]))])
        v = np.vstack([v, np.zeros((1, v.shape[1]))])
        bias = np.hstack([bias, np.full((queries, 1), float(sink))])
    q, k, v, bias = (torch.from_numpy(np.ascontiguousarray(a)) for a in (q, k, v, bias))
    scores = scale * (q @ k.T)
    if case["softcap"]:
        cap = float(F32(case["softcap"]))
        scores = cap * torch.tanh(scores / cap)
    scores = scores + bias
    if case["softcap"]:
        out = torch.softmax(scores, -1) @ v
    else:
        out = torch.nn.functional.scaled_dot_product_attention(
            q[None, None], k[None, None], v[None, None], attn_mask=bias[None, None],
            scale=scale)[0, 0]
    lse = torch.logsumexp(scores, -1) if scores.shape[1] else torch.full((queries,), -math.inf)
    empty = torch.isneginf(lse)
    out[empty] = 0.0  # PyTorch has no answer for a query without a key
    return out.numpy(), lse.numpy()


def representable(dtype, x):
    if dtype in ("f32", "f64"):
        return x
    return codecs.decode(dtype, codecs.encode(dtype, x)).astype(F32)


def inputs(case, rng):
    tokens = sum(q for q, _ in case["lengths"])
    keys = sum(kv for _, kv in case["lengths"])
    coarse = case["format"].startswith("int4")

    def normal(*shape):
        x = rng.standard_normal(shape)
        return (np.round(x * 64) / 64 if coarse else x).astype(F32)

    q = representable(case["q_dtype"], normal(tokens, case["q_heads"], case["qk"]) * F32(1.5))
    k = normal(keys, case["kv_heads"], case["qk"])
    v = k[:, :, :case["v"]] if case["latent"] else normal(keys, case["kv_heads"], case["v"])
    return q, k, v


def record(name, case, rng, out):
    q, k, v = inputs(case, rng)
    sinks = rng.standard_normal(case["q_heads"]).astype(F32)
    slopes = (2.0 ** -np.arange(1, case["q_heads"] + 1)).astype(F32)
    longest = max([q for q, _ in case["lengths"]] + [1])
    trees = [np.tril(rng.random((longest, longest)) < 0.6) | np.eye(longest, dtype=bool)
             for _ in case["lengths"]]
    real_k = as_stored(case, k, case["k_scale"])
    real_v = real_k[:, :, :case["v"]] if case["latent"] else as_stored(case, v, case["v_scale"])
    q_factor = float(F32((case["q_scale"] or [1.0])[0]))
    out_factor = float(F32((case["out_scale"] or [1.0])[0]))

    result = np.zeros((len(q), case["q_heads"], case["v"]))
    lse = np.zeros((len(q), case["q_heads"]))
    token = key = 0
    for n, (queries, keys) in enumerate(case["lengths"]):
        seen = visible(case, n, queries, keys, trees[n])
        for h in range(case["q_heads"]):
            kv = h // (case["q_heads"] // case["kv_heads"])
            rows = slice(token, token + queries), h
            if queries == 0:
                continue
            result[rows], lse[rows] = attend(
                case, q[rows].astype(np.float64) * q_factor, real_k[key:key + keys, kv],
                real_v[key:key + keys, kv], seen,
                slopes[h] if "alibi" in case["features"] else None,
                sinks[h] if "sinks" in case["features"] else None)
        token, key = token + queries, key + keys
    tensors = dict(q=q, k=k, out=result / out_factor, lse=lse)
    if not case["latent"]:
        tensors["v"] = v
    if "sinks" in case["features"]:
        tensors["sinks"] = sinks
    if "alibi" in case["features"]:
        tensors["alibi_slopes"] = slopes
    if "tree_mask" in case["features"]:
        tensors["tree"] = np.stack(trees).astype(np.uint8)
    for key_name, tensor in tensors.items():
        out[f"{name}.{key_name}"] = tensor


def record_merge(rng):
    """Parts of the keys of 5 queries; one part sees nothing and holds NaN, one query sees nothing."""
    tokens, heads, width, parts = 5, 3, 8, 4
    outs = rng.standard_normal((parts, tokens, heads, width)).astype(F32)
    lses = (rng.standard_normal((parts, tokens, heads)) * 5).astype(F32)
    outs[2], lses[2] = np.nan, -np.inf
    lses[:, 4] = -np.inf
    lses[1, 0] = -300.0
    lse = torch.logsumexp(torch.from_numpy(lses.astype(np.float64)), 0).numpy()
    with np.errstate(invalid="ignore"):
        weights = np.where(np.isneginf(lses), 0.0, np.exp(lses.astype(np.float64) - lse))
    safe = np.where(weights[..., None] == 0, 0.0, outs.astype(np.float64))
    return {"part_out": outs, "part_lse": lses, "out": (weights[..., None] * safe).sum(0),
            "lse": lse}


def main():
    rng = np.random.default_rng(20260202)
    tensors, cases = {}, {}
    for name, changes in CASES.items():
        case = {**DEFAULTS, **changes}
        record(name, case, rng, tensors)
        cases[name] = case
    made_by = {"made_by": "tests/data/attention/make_fixtures.py, torch " + torch.__version__}
    tensor_file.write(HERE / "attention.safetensors", tensors,
                      {**made_by, "cases": json.dumps(cases)})
    tensor_file.write(HERE / "merge.safetensors", record_merge(rng), made_by)


if __name__ == "__main__":
    main()

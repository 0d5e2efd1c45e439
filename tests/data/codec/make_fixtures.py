#!/usr/bin/env python3
"""Records what the codecs must do, computed without them: numpy, ml_dtypes and PyTorch's generator.

Usage: python make_fixtures.py   (needs numpy, ml_dtypes; torch for the rotation's signs)
Writes elements.safetensors, rows.safetensors beside itself.
"""

import pathlib
import sys

import ml_dtypes
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import tensor_file  # noqa: E402

F32 = np.float32
MAX = np.finfo(F32).max

# name -> (numpy type, code type, largest finite value, an infinity is stored as one)
ELEMENTS = {
    "f16": (np.float16, np.uint16, 65504.0, True),
    "bf16": (ml_dtypes.bfloat16, np.uint16, float(ml_dtypes.finfo(ml_dtypes.bfloat16).max), True),
    "fp8_e4m3": (ml_dtypes.float8_e4m3fn, np.uint8, 448.0, False),
    "fp8_e5m2": (ml_dtypes.float8_e5m2, np.uint8, 57344.0, False),
    "fp8_e4m3fnuz": (ml_dtypes.float8_e4m3fnuz, np.uint8, 240.0, False),
    "e2m1": (ml_dtypes.float4_e2m1fn, np.uint8, 6.0, False),
}


def saturated(x, largest, keeps_infinity):
    """x limited so that rounding it never leaves the finite values."""
    limited = np.clip(x, F32(-largest), F32(largest))
    return np.where(np.isinf(x) & keeps_infinity, x, limited).astype(F32)


def encode(name, x):
    kind, code, largest, keeps_infinity = ELEMENTS[name]
    with np.errstate(invalid="ignore"):
        return saturated(np.asarray(x, F32), largest, keeps_infinity).astype(kind).view(code)


def decode(name, codes):
    kind, code, _, _ = ELEMENTS[name]
    with np.errstate(invalid="ignore"):  # NaN codes
        return codes.astype(code).view(kind).astype(np.float64)


def codes_of(name):
    bits = {"e2m1": 4, "f16": 16, "bf16": 16}.get(name, 8)
    every = np.arange(2**bits, dtype=np.uint32)
    if bits < 16:
        return every
    edges = np.concatenate([np.arange(0, 40), np.arange(0x3F0, 0x410), np.arange(0x7B00, 0x7C10),
                            np.arange(0x7F00, 0x8000), np.arange(0x70, 0x90)])
    chosen = np.concatenate([edges, edges + 0x8000, np.arange(0, 2**16, 97)])
    return np.unique(chosen).astype(np.uint32)


def element_inputs(name, rng):
    """Every value, the midpoints of neighbours and their neighbours, limits and far-away values."""
    values = decode(name, codes_of(name))
    values = np.unique(values[np.isfinite(values)])
    middles = ((values[1:] + values[:-1]) / 2).astype(F32)
    around = [np.nextafter(middles, F32(np.inf)), np.nextafter(middles, F32(-np.inf))]
    largest = ELEMENTS[name][2]
    limits = np.minimum([largest, largest * 1.01, largest * 1.0625, largest * 1.125, largest * 2,
                         1e38, MAX, 0.0, 1e-45, 1e-40, np.finfo(F32).tiny, 1e-30], MAX)
    limits = np.append(limits, np.inf).astype(F32)
    spread = (rng.standard_normal(500) * np.exp(rng.uniform(-20, 20, 500))).astype(F32)
    x = np.concatenate([values.astype(F32), middles, *around, limits, -limits, spread])
    return np.concatenate([x, F32([np.nan])])


def record_elements(rng):
    out = {}
    for name in ELEMENTS:
        codes = codes_of(name)
        out[f"{name}.codes"] = codes
        out[f"{name}.values"] = decode(name, codes)
        x = element_inputs(name, rng)
        stored = encode(name, x)
        if name == "e2m1":  # it has no NaN: stored as zero
            stored = np.where(np.isnan(x), np.uint8(0), stored)
        out[f"{name}.inputs"] = x
        out[f"{name}.stored"] = stored.astype(np.uint32)
    every = np.arange(256, dtype=np.uint8)
    out["ue8m0.values"] = every.view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
    positive = np.concatenate([np.exp2(np.arange(-126, 128)), np.exp(rng.uniform(-80, 80, 200)),
                               np.exp2(np.arange(-126, 127)) * 1.0000002]).astype(F32)
    fraction, exponent = np.frexp(positive.astype(np.float64))
    out["ue8m0.inputs"] = positive
    out["ue8m0.stored"] = (exponent - (fraction == 0.5) + 127).astype(np.uint32)
    return out


def absmax(x):
    m = np.abs(np.where(np.isnan(x), F32(0), x))
    return np.minimum(m.max(axis=-1), MAX).astype(F32)


def half_away(x):
    return np.trunc(np.asarray(x, np.float64) + np.copysign(0.5, x)) + 0.0  # no negative zero


def as_bytes(a):
    return np.frombuffer(np.ascontiguousarray(a).tobytes(), np.uint8)


def int8_row(x):
    scale = np.maximum(absmax(x) / F32(127), F32(1e-6))
    q = np.clip(half_away(np.clip((x / scale).astype(F32), -128, 127)), -128, 127)
    q = np.where(np.isnan(x), 0, q)
    return as_bytes(q.astype(np.int8)), as_bytes(scale), q * np.float64(scale), np.isnan(x).sum()


def fp8_scaled(x, scale):
    codes = encode("fp8_e4m3", (x / scale).astype(F32))
    return codes, decode("fp8_e4m3", codes) * np.float64(scale)


def fp8_row(x):
    scale = np.maximum(absmax(x) / F32(448), F32(1e-6))
    codes, values = fp8_scaled(x, scale)
    return codes, as_bytes(scale), values, 0


def signs():
    import torch
    generator = torch.Generator(device="cpu")
    generator.manual_seed(0x9E3779B9)
    return (2 * torch.bernoulli(torch.full((1024,), 0.5), generator=generator) - 1).numpy()


def hadamard(n):
    h = np.ones((1, 1))
    while len(h) < n:
        h = np.block([[h, h], [h, -h]])
    return h


def int4_row(x, apart):
    n, s = len(x), signs()[:len(x)].astype(np.float64)
    clean = np.where(np.isnan(x), 0, x).astype(np.float64)
    exact = hadamard(n) @ (s * clean)
    y = exact.astype(F32)
    assert (y == exact).all(), "the inputs of int4 rows must rotate without rounding"
    scale = np.maximum((y.max() - y.min()) / F32(15), F32(1e-6))
    zero = np.clip(half_away(F32(-y.min() / scale)), 0, 15)
    q = np.clip(half_away((y / scale + F32(zero)).astype(F32)), 0, 15).astype(np.uint8)
    data = q[0::2] | (q[1::2] << 4)
    if apart:
        scales = np.concatenate([as_bytes(F32(scale)), as_bytes(F32(zero))])
        read = np.float64(scale)
    else:
        word = (np.uint32(F32(scale).view(np.uint32)) & np.uint32(0xFFFFFFF0)) | np.uint32(zero)
        scales = as_bytes(word)
        read = np.float64((word & np.uint32(0xFFFFFFF0)).view(F32))
    values = s * (hadamard(n) @ ((q - zero) * read)) / n
    return data, scales, values, np.isnan(x).sum()


def nvfp4_block(x, scale_code):
    scale = F32(decode("fp8_e4m3", scale_code))
    with np.errstate(divide="ignore", invalid="ignore"):
        codes = encode("e2m1", (x / scale).astype(F32))
    codes = np.where(np.isnan(x) | (scale == 0), np.uint8(0), codes).astype(np.uint8)
    return codes[0::2] | (codes[1::2] << 4), decode("e2m1", codes) * np.float64(scale)


def nvfp4_blocks(x, scale_code_of):
    data, scales, values = [], [], []
    for block in x.reshape(-1, 16):
        code = scale_code_of(block)
        bytes_, read = nvfp4_block(block, code)
        data.append(bytes_), scales.append(code), values.append(read)
    return np.concatenate(data), np.array(scales, np.uint8), np.concatenate(values)


def scale_six(block):
    return encode("fp8_e4m3", F32(absmax(block) / F32(6)).reshape(1))[0]


def scale_4over6(block):
    errors = []
    codes = [scale_six(block), encode("fp8_e4m3", F32(absmax(block) / F32(4)).reshape(1))[0]]
    for code in codes:
        _, read = nvfp4_block(block, code)
        difference = (F32(read) - block).astype(F32).astype(np.float64)
        errors.append(np.where(np.isnan(block), 0, difference**2).sum())
    return codes[1] if errors[1] < errors[0] else codes[0]


def nvfp4_row(x, scale_code_of):
    data, scales, values = nvfp4_blocks(x, scale_code_of)
    return data, scales, values, np.isnan(x).sum()


def v32_row(x):
    tiles = x[:512].reshape(4, 128)
    scales = np.maximum(absmax(tiles) / F32(448), np.finfo(F32).tiny).astype(F32)
    parts = [fp8_scaled(t, s) for t, s in zip(tiles, scales)]
    rope = encode("bf16", x[512:])
    data = np.concatenate([p[0] for p in parts] + [as_bytes(scales), as_bytes(rope)])
    values = np.concatenate([p[1] for p in parts] + [decode("bf16", rope)])
    return data, as_bytes(scales), values, 0


def mx(x, tile):
    tiles = x.reshape(-1, tile)
    largest = np.maximum(absmax(tiles), F32(1e-4)) / F32(448)
    fraction, exponent = np.frexp(largest.astype(np.float64))
    exponent = exponent - (fraction == 0.5)
    parts = [fp8_scaled(t, F32(2.0**e)) for t, e in zip(tiles, exponent)]
    return (np.concatenate([p[0] for p in parts]), (exponent + 127).astype(np.uint8),
            np.concatenate([p[1] for p in parts]))


def v4_row(x):
    data, scales, values = mx(x[:448], 64)
    rope = encode("bf16", x[448:])
    return (np.concatenate([data, as_bytes(rope)]), np.append(scales, np.uint8(0)),
            np.concatenate([values, decode("bf16", rope)]), 0)


def v41_row(x):
    return (*mx(x, 32), 0)


def scale_up(block):
    wanted = max(F32(absmax(block) / F32(6)), F32(2.0**-9))
    every = decode("fp8_e4m3", np.arange(0, 0x7F))
    return np.uint8(min(np.searchsorted(every, np.float64(wanted), side="left"), 0x7E))


def nvfp4_ds_mla_row(x):
    data, scales, values = nvfp4_blocks(x[:512], scale_up)
    permuted = np.zeros(32, np.uint8)
    for s in range(32):
        permuted[8 * (s & 3) + (s >> 2)] = scales[s]
    rope = encode("fp8_e4m3", x[512:])
    row = np.concatenate([data, rope, permuted])
    return (row, permuted, np.concatenate([values, decode("fp8_e4m3", rope)]),
            np.isnan(x[:512]).sum())


# name -> (values a row, function); inputs of int4 rows are coarse, see int4_row.
ROWS = {
    "int8_per_token_head": (80, int8_row),
    "fp8_per_token_head": (80, fp8_row),
    "int4_per_token_head": (64, lambda x: int4_row(x, False)),
    "int4_per_token_head_zp": (64, lambda x: int4_row(x, True)),
    "nvfp4_linear": (64, lambda x: nvfp4_row(x, scale_six)),
    "nvfp4_4over6": (64, lambda x: nvfp4_row(x, scale_4over6)),
    "fp8_ds_mla_v32": (576, v32_row),
    "fp8_ds_mla_v4": (512, v4_row),
    "fp8_ds_mla_v41": (512, v41_row),
    "nvfp4_ds_mla": (576, nvfp4_ds_mla_row),
}


def row_inputs(name, n, rng):
    coarse = name.startswith("int4")

    def shaped(x):
        return (np.round(x * 64) / 64 if coarse else x).astype(F32)

    rows = [shaped(rng.standard_normal(n)), shaped(rng.standard_normal(n) * 50),
            shaped(np.abs(rng.standard_normal(n)) + 3), np.zeros(n, F32), np.full(n, F32(2.5)),
            shaped(np.round(rng.standard_normal(n) * 4) / 2)]
    outlier = shaped(rng.standard_normal(n))
    outlier[n // 3] = 1000
    holes = shaped(rng.standard_normal(n))
    holes[[1, n // 2]] = np.nan
    rows += [outlier, holes]
    if not coarse:
        infinite = shaped(rng.standard_normal(n))
        infinite[[0, n - 1]] = np.inf, -np.inf
        ladder = (np.linspace(-1, 1, n) * 127).astype(F32)  # many ties at integer scales
        ladder[0] = 127
        rows += [(rng.standard_normal(n) * 1e-7).astype(F32),
                 (rng.standard_normal(n) * 1e-20).astype(F32),
                 (rng.standard_normal(n) * 1e5).astype(F32), infinite,
                 np.round(ladder * 2).astype(F32) / 2]
    return np.stack(rows)


def record_rows(rng):
    out = {}
    for name, (n, row) in ROWS.items():
        x = row_inputs(name, n, rng)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            results = [row(r) for r in x]
        out[f"{name}.inputs"] = x
        out[f"{name}.data"] = np.stack([r[0] for r in results])
        out[f"{name}.scales"] = np.stack([r[1] for r in results])
        out[f"{name}.values"] = np.stack([r[2] for r in results]).astype(np.float64)
        out[f"{name}.lost"] = np.array([r[3] for r in results], np.int64)
    # The swizzle of V's scales as vLLM describes it: [T/4, 4, 4, S/4] permuted (0, 2, 3, 1).
    tokens, scales = 16, 12
    linear = np.arange(tokens * scales, dtype=np.uint8).reshape(tokens, scales)
    moved = linear.reshape(tokens // 4, 4, 4, scales // 4).transpose(0, 2, 3, 1)
    out["swizzle.linear"] = linear
    out["swizzle.moved"] = moved.reshape(tokens, scales)
    out["rotation.signs"] = signs().astype(F32)
    return out


def main():
    rng = np.random.default_rng(20260101)
    about = {"made_by": "tests/data/codec/make_fixtures.py, numpy " + np.__version__ +
             ", ml_dtypes " + ml_dtypes.__version__}
    tensor_file.write(HERE / "elements.safetensors", record_elements(rng), about)
    tensor_file.write(HERE / "rows.safetensors", record_rows(rng), about)


if __name__ == "__main__":
    main()

"""A peer without any package: says what it was asked for."""

NAME = "Fine"
VARIANTS = {"bf16 a": "bf16", "fp8_e4m3 b": "fp8_e4m3"}


def start(device: str) -> str:
    return f"fine 1.0 on {device}"


def limits(device: str) -> dict:
    return {"copy_gb_s": 1e6, "matmul_gflop_s": 1e7}


def measure(shape, variant, device, walk_bytes, seconds, min_replays) -> dict:
    if variant == "fp8_e4m3 b" and not shape.decodes:
        return {"refused": "wrong: error 0.3, expected at most 0.01"}
    return {"ms": [0.5, 0.25, 1.0], "copies": walk_bytes // int(shape.kv_bytes("bf16")), "error": 0.0}

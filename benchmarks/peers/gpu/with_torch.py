"""What peers share whose tensors are PyTorch's: opening a device, and a measurement that is right before it is fast."""

import gc
from typing import Callable

import torch

from case import Case, measure
from problem import TOLERANCE, Problem
from shapes import Shape


def use(device: str) -> str:
    """Makes the device the current one. -> torch's version, and the device's name. RuntimeError where it is not there."""
    torch.set_grad_enabled(False)
    if not device.startswith("cuda"):
        return f"torch {torch.__version__} on {device}"
    if not torch.cuda.is_available():
        raise RuntimeError(f"torch {torch.__version__} finds no CUDA device")
    torch.cuda.set_device(device)
    return f"torch {torch.__version__} on {torch.cuda.get_device_name()}"


def measure_case(open_case: Callable[[Problem, str], Case], shape: Shape, variant: str, format: str, device: str,
                 walk_bytes: int, seconds: float, min_replays: int, tolerance: float | None = None) -> dict:  # fmt: skip
    problem = Problem(shape, device, walk_bytes)
    try:
        case = open_case(problem, variant)
        case.call(case.copies - 1)
        error = problem.worst_error(case.result())
        most = tolerance or TOLERANCE[format]
        if not error <= most:
            return {"refused": f"wrong: error {error:.2g}, expected at most {most}"}
        return {"ms": measure(case, device, seconds, min_replays), "copies": case.copies, "error": error}
    finally:
        case = problem = None  # before others need the memory
        gc.collect()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
            torch.cuda.empty_cache()

"""A peer that raises, dies, hangs and is well, as its variants say."""

import os
import time

NAME = "Troubled"
VARIANTS = {"raises": "bf16", "dies": "bf16", "hangs": "bf16", "well": "bf16"}


def start(device: str) -> str:
    print("what libraries print is no answer")
    return "troubled 1.0"


def limits(device: str) -> dict:
    raise RuntimeError("nothing to measure them with")


def measure(shape, variant, *rest) -> dict:
    if variant == "raises":
        raise ValueError("head_dim 64\n  is not for me")
    if variant == "dies":
        os._exit(7)
    if variant == "hangs":
        time.sleep(600)
    return {"ms": [2.0], "copies": 1, "error": 0.0}

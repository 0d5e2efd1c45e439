"""One model over one text: the check of its forward pass, and the file that a run reads."""

import time
from pathlib import Path
from typing import Callable

from . import safetensors
from .forward import Forward, Layer
from .models import MODELS, Model, encode, open_weights, read_text
from .perplexity import TOLERANCE, is_as_expected, perplexity
from .weights import Weights

TOKENS = 1024  # twice Gemma's window, so that it matters
RECORDED_TEXT = "GPL-3"


def check(model: Model, say: Callable[[str], None]) -> None:
    """Computes the perplexity of every text; raises if one is off."""
    with open_weights(model) as weights:
        for text in model.perplexities:
            checked_forward(model, weights, text, say)


def record(model: Model, path: Path, say: Callable[[str], None]) -> None:
    """Writes the recording of one text, after all texts have proved the forward pass right."""
    with open_weights(model) as weights:
        for text in model.perplexities:
            forward, found = checked_forward(model, weights, text, say)
            if text == RECORDED_TEXT:
                kept = forward, found
    forward, found = kept
    write(path, model, forward.layers, TOKENS, found)
    say(f"{model.name}: wrote {path} ({path.stat().st_size / 1e6:.0f} MB)")


def record_fixture(path: Path, layers: int, tokens: int, say: Callable[[str], None]) -> None:
    """A recording small enough to be committed: the first layers and tokens of SmolLM2 (Apache-2.0)."""
    model = MODELS["smollm2-135m"]
    with open_weights(model) as weights:
        forward, found = checked_forward(model, weights, RECORDED_TEXT, say)
    # Causal attention: the first tokens' rows don't depend on the tokens cut off.
    cut = [Layer(*(values[:tokens] for values in layer)) for layer in forward.layers[:layers]]
    write(path, model, cut, tokens, found)
    say(f"{model.name}: wrote {path} ({path.stat().st_size / 1e6:.2f} MB)")


def checked_forward(model: Model, weights: Weights, text: str, say) -> tuple[Forward, float]:
    """The forward pass of a text and its perplexity; raises if that is not what the model is known for."""
    start = time.monotonic()
    ids = encode(model, weights, read_text(text), TOKENS)
    forward = model.forward(weights, ids)
    found = perplexity(weights, forward.hidden, ids)
    expected = model.perplexities[text]
    if not is_as_expected(found, expected):
        raise RuntimeError(
            f"{model.name}: the perplexity of {text} is {found:.2f}, expected {expected} to {TOLERANCE:.0%}; "
            "the forward pass is wrong here, so it was not recorded"
        )
    seconds = time.monotonic() - start
    say(f"{model.name}: perplexity of {text} {found:.2f} (expected {expected}), {TOKENS} tokens in {seconds:.1f} s")
    return forward, found


def write(path: Path, model: Model, layers: list[Layer], tokens: int, found: float) -> None:
    tensors = {
        f"layers.{index}.{part}": values
        for index, layer in enumerate(layers)
        for part, values in layer._asdict().items()
    }
    metadata = {
        "attnrt_recording": "1",
        "model": model.geometry,
        "tokens": str(tokens),
        "text": RECORDED_TEXT,
        "perplexity": f"{found:.4f}",
        "real": "true",
    }
    safetensors.write(path, tensors, metadata)

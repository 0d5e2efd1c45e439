"""Writes safetensors files with numpy alone: what the fixtures of the tests are stored in."""

import json

import numpy as np

_NAMES = {"float64": "F64", "float32": "F32", "int64": "I64", "int32": "I32", "uint8": "U8",
          "uint16": "U16", "uint32": "U32"}


def write(path, tensors, metadata):
    """tensors: name -> numpy array; metadata: name -> string."""
    header, offset = {"__metadata__": metadata}, 0
    for name, array in tensors.items():
        size = array.nbytes
        header[name] = {"dtype": _NAMES[array.dtype.name], "shape": list(array.shape),
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little"))
        f.write(text)
        for array in tensors.values():
            f.write(np.ascontiguousarray(array).tobytes())

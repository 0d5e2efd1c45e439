import json
import struct
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np

from record import safetensors


class SafetensorsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "deep" / "x.safetensors"

    def test_what_is_written_is_read_back(self):
        tensors = {
            "a": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
            "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T,
            "empty": np.zeros((0, 3), dtype=np.float32),
        }
        safetensors.write(self.path, tensors, {"model": "m"})
        found, metadata = safetensors.read(self.path)
        self.assertEqual(metadata, {"model": "m"})
        self.assertEqual(list(found), list(tensors))
        for name, values in tensors.items():
            np.testing.assert_array_equal(found[name], values)

    def test_the_bytes_are_as_the_format_says(self):
        safetensors.write(self.path, {"t": np.array([1.5, -2.0], dtype=np.float32)}, {})
        data = self.path.read_bytes()
        (length,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8 : 8 + length])
        self.assertEqual(header["t"], {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]})
        self.assertEqual(data[8 + length :], struct.pack("<2f", 1.5, -2.0))
        self.assertEqual((8 + length) % safetensors.ALIGNMENT, 0)

    def test_an_interrupted_write_leaves_nothing(self):
        good = np.zeros(3, dtype=np.float32)
        with mock.patch.object(Path, "replace", side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                safetensors.write(self.path, {"t": good}, {})
        self.assertEqual(list(self.path.parent.iterdir()), [])


if __name__ == "__main__":
    unittest.main()

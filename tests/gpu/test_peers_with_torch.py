"""The peers' modules where PyTorch is installed, on the CPU: torch itself, and FlashAttention and FlashInfer with functions of this
file in the place of theirs, which attend over pages as the packages' documentation says."""

import subprocess
import sys
import types
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "benchmarks/peers/gpu")]
sys.path.append(str(ROOT / "benchmarks/peers"))

try:
    import torch
except ImportError:
    torch = None

SHAPES = [
    dict(name="decode", phase="decode", batch=3, q_len=1, kv_len=70, q_heads=4, kv_heads=2, head_dim=64, block=16, rest_kv_len=33),
    dict(name="page 1", phase="decode", batch=2, q_len=1, kv_len=9, q_heads=4, kv_heads=2, head_dim=64, block=1),
    dict(name="chunk", phase="chunk", batch=1, q_len=7, kv_len=40, q_heads=4, kv_heads=2, head_dim=64),
]


def attend(q, k_pages, v_pages, pages, length, scale):
    """One sequence: q [q_len, q_heads, head_dim] over its first `length` keys, causal."""
    k, v = (side[pages].float().flatten(0, 1)[:length] for side in (k_pages, v_pages))
    group = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(group, dim=1) for x in (k, v))
    hidden = torch.ones(len(q), length, dtype=torch.bool).triu(length - len(q) + 1)
    scores = torch.einsum("qhd,khd->hqk", q.float(), k) * scale
    return torch.einsum("hqk,khd->qhd", torch.softmax(scores.masked_fill(hidden, -torch.inf), -1), v).to(torch.bfloat16)


def flash_attn_interface():
    def flash_attn_with_kvcache(q, k, v, *, cache_seqlens, causal, softmax_scale, page_table):
        assert causal
        return torch.stack([attend(q[i], k, v, page_table[i, : -(-n // k.shape[1])].long(), n, softmax_scale)
                            for i, n in enumerate(cache_seqlens.tolist())])  # fmt: skip

    module = types.ModuleType("flash_attn_interface")
    module.flash_attn_with_kvcache = flash_attn_with_kvcache
    return module


def flashinfer():
    class Wrapper:
        def __init__(self, workspace, layout, **options):
            assert layout == "NHD" and workspace.dtype == torch.uint8

        def plan(self, *arrays, q_data_type, kv_data_type, sm_scale, causal=False):
            *self.q_start, self.starts, self.pages, self.last, q_heads, kv_heads, head_dim, self.block = arrays
            assert causal == bool(self.q_start)
            self.scale = sm_scale

        def run(self, q, cache, out):
            starts = self.q_start[0].tolist() if self.q_start else list(range(len(q) + 1))
            for i, last in enumerate(self.last.tolist()):
                pages = self.pages[self.starts[i] : self.starts[i + 1]].long()
                length = (len(pages) - 1) * self.block + last
                out[starts[i] : starts[i + 1]] = attend(q[starts[i] : starts[i + 1]], *cache, pages, length, self.scale)

    def xqa(q, cache, workspace, table, lengths, longest, bmm1_scale, bmm2_scale, out, kv_layout, backend):
        assert (kv_layout, backend, bmm2_scale, longest) == ("NHD", "xqa", 1.0, max(lengths))
        for i, n in enumerate(lengths.tolist()):
            pages = table[i, : -(-n // cache[0].shape[1])].long()
            out[i : i + 1] = attend(q[i : i + 1], *cache, pages, n, bmm1_scale)

    module = types.ModuleType("flashinfer")
    module.BatchDecodeWithPagedKVCacheWrapper = module.BatchPrefillWithPagedKVCacheWrapper = Wrapper
    module.decode = types.SimpleNamespace(trtllm_batch_decode_with_kv_cache=xqa)
    return module


@unittest.skipUnless(torch, "without PyTorch")
class PeersTest(unittest.TestCase):
    def measure(self, peer, shape, variant, walk_bytes=1 << 14):
        from shapes import Shape

        return peer.measure(Shape(**shape), variant, "cpu", walk_bytes, 0, 1)

    def peer(self, name):
        import importlib

        return importlib.import_module(f"peer_{name}")

    def assert_right(self, peer, refused=()):
        for shape in SHAPES:
            for variant in peer.VARIANTS:
                with self.subTest(shape=shape["name"], variant=variant):
                    if (shape["name"], variant) in refused:
                        with self.assertRaises(refused[shape["name"], variant]):
                            self.measure(peer, shape, variant)
                        continue
                    answer = self.measure(peer, shape, variant)
                    self.assertNotIn("refused", answer)
                    self.assertGreater(min(answer["ms"]), 0)

    def test_torch_attends_by_its_flash_kernel_and_takes_equal_lengths_only(self):
        peer = self.peer("torch")
        with mock.patch.dict(peer.VARIANTS, clear=True, values={"bf16 flash": "bf16"}):
            self.assertIn("torch", peer.start("cpu"))
            self.assert_right(peer, {("decode", "bf16 flash"): ValueError})

    def test_flash_attention_finds_the_pages(self):
        peer = self.peer("flash_attn")
        peer.module = flash_attn_interface()
        with mock.patch.dict(peer.VARIANTS, clear=True, values={"fa3 bf16": "bf16", "fa3 fp8_e4m3": "fp8_e4m3"}):
            self.assert_right(peer)

    def test_flashinfer_finds_the_pages(self):
        with mock.patch.dict(sys.modules, flashinfer=flashinfer()):
            self.assert_right(self.peer("flashinfer"), {("chunk", f"{f} xqa"): ValueError for f in ("bf16", "fp8_e4m3")})

    def test_wrong_numbers_are_no_figure(self):
        peer = self.peer("flash_attn")
        peer.module = flash_attn_interface()
        right = peer.module.flash_attn_with_kvcache
        peer.module.flash_attn_with_kvcache = lambda *given, **more: right(*given, **more | {"softmax_scale": 0.3})
        with mock.patch.dict(peer.VARIANTS, clear=True, values={"fa3 bf16": "bf16"}):
            answer = self.measure(peer, SHAPES[0], "fa3 bf16")
        self.assertRegex(answer["refused"], "wrong: error .*, expected at most 0.01")

    def test_every_copy_of_the_kv_is_filled_and_stands_at_an_address_of_its_own(self):
        from problem import Problem
        from shapes import Shape

        problem = Problem(Shape(**SHAPES[0]), "cpu", 1 << 18)
        caches = problem.pages("bf16")
        self.assertEqual(len(caches), -(-(1 << 18) // (2 * (70 + 33 + 33) * 2 * 64 * 2)))
        for k, v in caches:
            self.assertTrue(torch.equal(k[problem.table[1, :2].long()].flatten(0, 1), problem.k[:32].bfloat16()))
            self.assertTrue(torch.equal(v[problem.table[0, 4].long(), :6], problem.v[64:].bfloat16()))
        self.assertEqual(len({side.data_ptr() for cache in caches for side in cache}), 2 * len(caches))

    def test_pages_stand_in_the_order_that_attnrt_draws(self):
        from problem import shuffled

        self.assertEqual(sorted(shuffled(100)), list(range(100)))
        self.assertEqual(shuffled(10), ORDER_OF_TEN)

    def test_a_device_that_is_not_there_is_named(self):
        if torch.cuda.is_available():
            self.skipTest("there is one")
        done = subprocess.run([sys.executable, ROOT / "benchmarks/peers/gpu/worker.py", "torch", "cuda:0"], capture_output=True, text=True)
        self.assertIn("finds no CUDA device", done.stdout)


# tests/bench/test_random_rows.cpp has it from attnrt itself.
ORDER_OF_TEN = (4, 2, 8, 1, 9, 3, 0, 6, 7, 5)

if __name__ == "__main__":
    unittest.main()

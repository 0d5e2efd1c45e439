"""What every peer gets of a shape: queries, pages in a random order, lengths; and what the answer is, in double precision.

Keys and values are ±(1 + m/4)·2^e, which every format from 8 bits with a float's exponent stores exactly, so tight bounds
serve all of those. All sequences, and all copies of the cache, hold the same numbers at addresses of their own.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch

from shapes import Shape

BLOCK = 16  # tokens a page, where the shape says nothing
DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "fp8_e4m3": torch.float8_e4m3fn}
# Largest error of one row of one head, relative to its length: what rounding explains, and misuse exceeds.
TOLERANCE = {"bf16": 0.01, "f16": 5e-3, "fp8_e4m3": 0.01}
SEED = 1  # of attnrt bench
LOW64 = (1 << 64) - 1


@dataclass
class Problem:
    shape: Shape
    device: str
    walk_bytes: int  # of KV, before a page is met again

    @property
    def scale(self) -> float:
        return self.shape.head_dim**-0.5

    @property
    def block(self) -> int:
        return self.shape.block or BLOCK

    def copies(self, format: str) -> int:
        return max(1, -(-self.walk_bytes // int(self.shape.kv_bytes(format))))

    @cached_property
    def lengths(self) -> torch.Tensor:
        """i32 [batch]"""
        return self.array(self.shape.kv_lens)

    @cached_property
    def q_start(self) -> torch.Tensor:
        """i32 [batch + 1]"""
        return self.array([i * self.shape.q_len for i in range(self.shape.batch + 1)])

    @cached_property
    def blocks(self) -> list[int]:
        """Of each sequence."""
        return [-(-length // self.block) for length in self.shape.kv_lens]

    @cached_property
    def table(self) -> torch.Tensor:
        """i32 [batch, most blocks]: every page once, in the order that attnrt bench draws; 0 behind a sequence's end."""
        ids = iter(shuffled(sum(self.blocks)))
        width = max(self.blocks)
        return self.array([[next(ids) for _ in range(n)] + [0] * (width - n) for n in self.blocks])

    def queries(self, dtype: torch.dtype) -> torch.Tensor:
        """[batch · q_len, q_heads, head_dim]"""
        return self.q.to(dtype)

    def pages(self, format: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """K and V of each copy: [pages, block, kv_heads, head_dim] each."""
        shape, dtype = self.shape, DTYPES[format]
        size = (self.copies(format), 2, sum(self.blocks), self.block, shape.kv_heads, shape.head_dim)
        caches = bytes_of(torch.zeros(size, dtype=dtype, device=self.device))
        for side, rows in enumerate((self.k, self.v)):
            padded = torch.zeros((self.blocks[0] * self.block, *rows.shape[1:]), dtype=dtype, device=self.device)
            padded[: len(rows)] = rows.to(dtype)
            filled = bytes_of(padded.view(self.blocks[0], self.block, *rows.shape[1:]))
            for sequence, n in enumerate(self.blocks):
                caches[0, side, self.table[sequence, :n].long()] = filled[:n]
        caches[1:] = caches[:1]
        return [tuple(copy.view(dtype)) for copy in caches]

    def rows(self, format: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """The same without pages: K and V of each copy [batch, kv_heads, kv_len, head_dim]. ValueError: lengths differ."""
        if len(set(self.shape.kv_lens)) > 1:
            raise ValueError("takes sequences of equal lengths only")
        dtype = DTYPES[format]
        size = (self.copies(format), self.shape.batch)
        sides = [x.to(dtype).transpose(0, 1).expand(*size, -1, -1, -1).contiguous() for x in (self.k, self.v)]
        return list(zip(*sides))

    def worst_error(self, out: torch.Tensor) -> float:
        """out: [batch · q_len, q_heads, head_dim]. Looks at a few rows of the first and of the last sequence."""
        shape, worst = self.shape, 0.0
        for sequence in sorted({0, shape.batch - 1}):
            for token in sorted({0, shape.q_len // 2, shape.q_len - 1}):
                row = sequence * shape.q_len + token
                expected = self.expected(row, shape.kv_lens[sequence] - shape.q_len + token + 1)
                off = torch.linalg.vector_norm(out[row].double() - expected, dim=-1)
                error = float((off / torch.linalg.vector_norm(expected, dim=-1)).max())
                worst = max(worst, error) if error == error else float("inf")
        return worst

    def expected(self, row: int, visible: int) -> torch.Tensor:
        """One query token over its first visible keys: f64 [q_heads, head_dim]."""
        shape = self.shape
        q = self.q[row].double().view(shape.kv_heads, shape.group, shape.head_dim)
        k, v = (x[:visible].double() for x in (self.k, self.v))
        weights = torch.softmax(torch.einsum("hgd,khd->hgk", q, k) * self.scale, dim=-1)
        return torch.einsum("hgk,khd->hgd", weights, v).reshape(shape.q_heads, shape.head_dim)

    def array(self, values: list) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.int32, device=self.device)

    @cached_property
    def q(self) -> torch.Tensor:
        shape = self.shape
        return self.grid(0, (shape.batch * shape.q_len, shape.q_heads, shape.head_dim), -2, 2)

    @cached_property
    def k(self) -> torch.Tensor:
        return self.grid(1, (self.shape.kv_len, self.shape.kv_heads, self.shape.head_dim), -5, 1)

    @cached_property
    def v(self) -> torch.Tensor:
        return self.grid(2, (self.shape.kv_len, self.shape.kv_heads, self.shape.head_dim), -5, 1)

    def grid(self, seed: int, size: tuple, lowest: int, end: int) -> torch.Tensor:
        """f32, of exponents lowest … end - 1."""
        generator = torch.Generator(self.device).manual_seed(seed)

        def draw(first: int, behind: int) -> torch.Tensor:
            return torch.randint(first, behind, size, generator=generator, device=self.device).float()

        return (draw(0, 2) * 2 - 1) * (1 + draw(0, 4) / 4) * torch.exp2(draw(lowest, end))


def bytes_of(tensor: torch.Tensor) -> torch.Tensor:
    """Its own memory: not every dtype can be copied by index."""
    return tensor.view(torch.uint8)


@lru_cache(maxsize=4)
def shuffled(count: int) -> tuple[int, ...]:
    """0 … count - 1 as SplitMix64 puts them into an order (tools/bench/random_rows)."""
    ids, state = list(range(count)), SEED
    for i in range(count, 1, -1):
        state = (state + 0x9E3779B97F4A7C15) & LOW64
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & LOW64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & LOW64
        j = (z ^ (z >> 31)) % i
        ids[i - 1], ids[j] = ids[j], ids[i - 1]
    return tuple(ids)

"""One shape in one variant of one peer, ready to be called; its memory, and its timing."""

import mmap
import time
from dataclasses import dataclass
from typing import Callable

import numpy as np


@dataclass
class Case:
    """The KV stands in several copies at addresses of their own; call(i) attends over copy i."""

    copies: int
    call: Callable[[int], None]
    result: Callable[[], np.ndarray]  # of the last call: [batch · q_len, q_heads, head_dim]
    next: int = 0

    def step(self) -> float:
        """Calls the copy that was met longest ago; milliseconds."""
        copy = self.next
        self.next = (copy + 1) % self.copies
        start = time.perf_counter_ns()
        self.call(copy)
        return (time.perf_counter_ns() - start) / 1e6


def measure(case: Case, seconds: float, min_calls: int) -> list[float]:
    """Milliseconds of every call after one that is not counted, in at least that time and so many calls.

    What is too slow for so many in a second is called until that is over.
    """
    case.step()
    times: list[float] = []
    start = time.monotonic()
    while not times or (spent := time.monotonic() - start) < seconds or (len(times) < min_calls and spent < 1):
        times.append(case.step())
    return times


def copies_for(bytes_of_one: float, walk_bytes: int) -> int:
    """So many copies that walk_bytes are read before one is met again."""
    return max(1, -(-walk_bytes // int(bytes_of_one)))


def arena(size: int, huge_pages: bool) -> np.ndarray:
    """Zeroed bytes in pages of their own. Without huge_pages as malloc would get them."""
    memory = mmap.mmap(-1, size)
    if huge_pages:
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)

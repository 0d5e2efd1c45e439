"""One shape in one variant of one peer, and its timing: a CUDA graph of a call on every copy of the KV, replayed."""

import time
from dataclasses import dataclass
from typing import Callable

import torch

REPLAYS_AT_ONCE = 4


@dataclass
class Case:
    copies: int
    call: Callable[[int], None]  # attends over one copy, on the current stream
    result: Callable[[], torch.Tensor]  # of the last call: [batch · q_len, q_heads, head_dim]


def measure(case: Case, device: str, seconds: float, min_replays: int) -> list[float]:
    """Milliseconds of a call: of each replay its time over the number of its calls."""
    play = play_graph(case) if device.startswith("cuda") else play_calls(case)
    times: list[float] = []
    start = time.monotonic()
    while len(times) < min_replays or time.monotonic() - start < seconds:
        times += [ms / case.copies for ms in play()]
    return times


def play_graph(case: Case) -> Callable[[], list[float]]:
    """Times of all replays in a row but the first, by the device: while that one runs, the host starts the others."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # what is loaded or allocated at a first call can't be captured
        for _ in range(2):
            case.call(0)
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for copy in range(case.copies):
            case.call(copy)
    events = [torch.cuda.Event(enable_timing=True) for _ in range(REPLAYS_AT_ONCE + 1)]

    def play() -> list[float]:
        for event in events:
            graph.replay()
            event.record()
        torch.cuda.synchronize()
        return [a.elapsed_time(b) for a, b in zip(events, events[1:])]

    return play


def play_calls(case: Case) -> Callable[[], list[float]]:
    """Where there are no graphs: the host's clock around the calls."""

    def play() -> list[float]:
        start = time.perf_counter()
        for copy in range(case.copies):
            case.call(copy)
        return [(time.perf_counter() - start) * 1e3]

    return play

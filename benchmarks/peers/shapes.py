"""Shapes of attention to measure: the CSV that `attnrt bench --shapes` reads, and the work that one call has to do."""

import csv
import fnmatch
from dataclasses import asdict, dataclass
from pathlib import Path

COLUMNS = ("name", "phase", "batch", "q_len", "kv_len", "q_heads", "kv_heads", "head_dim")
OPTIONAL = ("block", "rest_kv_len")
PHASES = ("decode", "speculative", "prefill", "chunk")

# Bits of a stored value, scales included, that the size of one head's row does not change.
VALUE_BITS = {"f32": 32, "f16": 16, "bf16": 16, "fp8_e4m3": 8, "fp8_e5m2": 8, "q8_0": 8.5, "q4_0": 4.5}


@dataclass(frozen=True)
class Shape:
    name: str
    phase: str
    batch: int
    q_len: int
    kv_len: int
    q_heads: int
    kv_heads: int
    head_dim: int
    block: int | None = None  # of the paged cache; None: each backend's own choice
    rest_kv_len: int | None = None  # of every sequence but the first; None: kv_len

    @property
    def group(self) -> int:
        return self.q_heads // self.kv_heads

    @property
    def decodes(self) -> bool:
        return self.phase in ("decode", "speculative")

    @property
    def kv_lens(self) -> list[int]:
        return [self.kv_len] + [self.rest_kv_len or self.kv_len] * (self.batch - 1)

    @property
    def kv_values(self) -> int:
        """Keys and values that one call reads."""
        return 2 * sum(self.kv_lens) * self.kv_heads * self.head_dim

    @property
    def flop(self) -> int:
        """4 · head_dim for each query-key pair that a causal mask lets through, and query head."""
        before = sum(self.kv_lens) - self.batch * self.q_len
        pairs = self.q_len * before + self.batch * (self.q_len * (self.q_len + 1) // 2)
        return 4 * self.head_dim * self.q_heads * pairs

    def kv_bytes(self, format: str) -> float:
        return self.kv_values * VALUE_BITS[format] / 8

    def to_json(self) -> dict:
        return asdict(self)


def read_shapes(path: Path) -> list[Shape]:
    """Every shape of a file; ValueError says line, what was expected and what was found."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(f"{path}:1: expected a column '{missing[0]}', found {','.join(rows.fieldnames or ())}")
        return [_shape(row, f"{path}:{rows.line_num}") for row in rows]


def choose(shapes: list[Shape], patterns: list[str]) -> list[Shape]:
    """Those whose name matches one of the patterns (* and ?), or has one of them in it; all without patterns."""
    chosen = [s for s in shapes if not patterns or any(_matches(s.name, pattern) for pattern in patterns)]
    if not chosen:
        raise ValueError(f"expected a name of {', '.join(s.name for s in shapes)}; found {', '.join(patterns)}")
    return chosen


def write_shape(shape: Shape, path: Path) -> None:
    """The one shape as a file for `attnrt bench`."""
    columns = COLUMNS + tuple(column for column in OPTIONAL if getattr(shape, column))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerow([getattr(shape, column) for column in columns])


def _matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) or pattern in name


def _shape(row: dict, where: str) -> Shape:
    phase = row["phase"]
    if phase not in PHASES:
        raise ValueError(f"{where}: expected a phase of {', '.join(PHASES)}, found '{phase}'")
    counts = {column: _count(row, column, where) for column in COLUMNS[2:]}
    counts |= {column: _count(row, column, where) for column in OPTIONAL if row.get(column)}
    shape = Shape(row["name"], phase, **counts)
    if shape.q_heads % shape.kv_heads:
        raise ValueError(f"{where}: expected q_heads in multiples of {shape.kv_heads}, found {shape.q_heads}")
    if shape.q_len > shape.kv_len:
        raise ValueError(f"{where}: expected kv_len of at least q_len, found {shape.kv_len} of {shape.q_len}")
    if not shape.q_len <= (shape.rest_kv_len or shape.kv_len) <= shape.kv_len:
        raise ValueError(f"{where}: expected rest_kv_len from q_len to kv_len, found {shape.rest_kv_len}")
    return shape


def _count(row: dict, column: str, where: str) -> int:
    text = row[column] or ""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        # 576/512 and the like are a latent cache, which no peer here has.
        raise ValueError(f"{where}: expected {column} as a whole number from 1, found '{text}'")
    return int(text)

"""What compare.py measured on a GPU, as Markdown. Pure: a value in, a text out."""

from dataclasses import fields

from report import label, number, ratio, table
from shapes import Shape

OURS = "attnrt"
# What a format is held against: the fastest figure of a peer in one of these.
SIXTEEN = ("bf16", "f16")
EIGHT = ("fp8_e4m3", "fp8_e5m2")
KNOWN = {field.name for field in fields(Shape)}


def markdown(result: dict) -> str:
    shapes = [Shape(**{key: value for key, value in s.items() if key in KNOWN}) for s in result["shapes"]]
    parts = [head(result)]
    for title, decodes in (("Decode", True), ("Prefill", False)):
        of_kind = [shape for shape in shapes if shape.decodes == decodes]
        if any(figure["shape"] in {shape.name for shape in of_kind} for figure in result["figures"]):
            parts += [f"## {title}: µs{unit(result, decodes)}\n", times(result, of_kind, decodes)]
    return "\n".join(parts + left_out(result))


def head(result: dict) -> str:
    lines = ["# attnrt and its peers on a GPU\n",
             f"Device {result['device']}: time of attend alone, medians of replayed CUDA graphs that walk at least "
             f"{result['kv_mib']} MiB of KV.\n"]  # fmt: skip
    lines += [f"- {name}: {text}" for name, text in result["versions"].items()]
    limits = result["limits"]
    if "copy_gb_s" in limits:
        lines.append(f"- memory, copied during the run (bytes read and bytes written): {limits['copy_gb_s']:.0f} GB/s")
    if "matmul_gflop_s" in limits:
        lines.append(f"- a product of matrices of bf16 during the run: {limits['matmul_gflop_s'] / 1e3:.0f} TFLOP/s")
    return "\n".join(lines) + "\n"


def limit(result: dict, decodes: bool) -> tuple[str, str, float | None]:
    """-> the rate that counts, its limit's name, and the limit where it was measured."""
    rate, name = ("kv_gb_s", "copy_gb_s") if decodes else ("gflop_s", "matmul_gflop_s")
    return rate, name, result["limits"].get(name)


def unit(result: dict, decodes: bool) -> str:
    _, name, most = limit(result, decodes)
    what = "the copy's speed" if decodes else "the matrices' product"
    return f" (share of {what})" if most else f" (no share: {name} was not measured)"


def times(result: dict, shapes: list[Shape], decodes: bool) -> str:
    """A row for each shape, a column for each peer and variant, the fastest peer's times beside ours last."""
    figures = {(f["shape"], f["peer"], f["variant"]): f for f in result["figures"]}
    names = {shape.name for shape in shapes}
    columns = list(dict.fromkeys((f["peer"], f["variant"]) for f in result["figures"] if f["shape"] in names))
    columns.sort(key=lambda column: column[0] != OURS)
    rate, _, most = limit(result, decodes)

    def cell(figure: dict | None) -> str:
        if figure is None:
            return "–"
        return number(figure["ms"] * 1e3) + (f" ({100 * figure[rate] / most:.0f} %)" if most else "")

    def fastest(shape: Shape, formats: tuple[str, ...], ours: bool) -> dict | None:
        found = [f for (name, peer, _), f in figures.items()
                 if name == shape.name and (peer == OURS) == ours and f["format"] in formats]  # fmt: skip
        return min(found, key=lambda figure: figure["ms"], default=None)

    rows = []
    for shape in shapes:
        row = [shape.name, *(cell(figures.get((shape.name, *column))) for column in columns)]
        for formats in (SIXTEEN, EIGHT):
            peer, ours = fastest(shape, formats, False), fastest(shape, formats, True)
            row += [label(peer and peer | {"ms": peer["ms"] * 1e3}), ratio(peer, ours)]
        rows.append(row)
    titles = [f"**{peer} {variant}**" if peer == OURS else f"{peer} {variant}" for peer, variant in columns]
    return table(["", *titles, "peer of 16 bits", "16 bits ×", "peer of fp8", "fp8 ×"], rows)


def left_out(result: dict) -> list[str]:
    """One line a peer, variant and reason."""
    shapes: dict[tuple, list[str]] = {}
    for item in result["left_out"]:
        shapes.setdefault((item["peer"], item["variant"], item["why"]), []).append(item["shape"])
    lines = []
    for (peer, variant, why), names in shapes.items():
        where = f" ({', '.join(names)})" if any(names) else ""
        lines.append(f"- {' '.join(part for part in (peer, variant) if part)}: {why}{where}")
    return ["## Left out\n", "\n".join(lines) + "\n"] if lines else []

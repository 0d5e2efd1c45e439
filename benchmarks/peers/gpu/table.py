"""What compare.py measured on a GPU, as Markdown. Pure: a value in, a text out."""

from dataclasses import fields

from report import label, number, ratio, table
from shapes import Shape

OURS = "attnrt"
# What a format is held against: the fastest figure of a peer in one of these.
SIXTEEN = ("bf16", "f16")
EIGHT = ("fp8_e4m3", "fp8_e5m2")
LIMITS = {"copy_gb_s": "the copy's speed", "matmul_gflop_s": "the matrices' product"}
KNOWN = {field.name for field in fields(Shape)}


def markdown(result: dict) -> str:
    shapes = [Shape(**{key: value for key, value in s.items() if key in KNOWN}) for s in result["shapes"]]
    parts = [head(result)]
    for title, decodes in (("Decode", True), ("Prefill", False)):
        of_kind = [shape for shape in shapes if shape.decodes == decodes]
        if any(figure["shape"] in {shape.name for shape in of_kind} for figure in result["figures"]):
            what = LIMITS["copy_gb_s" if decodes else "matmul_gflop_s"]
            parts += [f"## {title}: µs (share of {what})\n", times(result, of_kind)]
    return "\n".join(parts + left_out(result))


def head(result: dict) -> str:
    lines = ["# attnrt and its peers on a GPU\n",
             f"Device {result['device']}: time of attend alone, medians of replayed CUDA graphs that walk at least "
             f"{result['kv_mib']} MiB of KV.\n"]  # fmt: skip
    lines += [f"- {name}: {text}" for name, text in result["versions"].items()]
    limits = result["limits"]
    absent = [what for name, what in LIMITS.items() if name not in limits]
    if absent:
        lines.append(f"- not measured in this run, so nothing is a share of it (?): {' and '.join(absent)}")
    if "copy_gb_s" in limits:
        lines.append(f"- memory, copied during the run (bytes read and bytes written): {limits['copy_gb_s']:.0f} GB/s")
    if "matmul_gflop_s" in limits:
        lines.append(f"- a product of matrices of bf16 during the run: {limits['matmul_gflop_s'] / 1e3:.0f} TFLOP/s")
    return "\n".join(lines) + "\n"


def times(result: dict, shapes: list[Shape]) -> str:
    """A row for each shape, a column for each peer and variant, the fastest peer's times beside ours last."""
    figures = {(f["shape"], f["peer"], f["variant"]): f for f in result["figures"]}
    names = {shape.name for shape in shapes}
    columns = list(dict.fromkeys((f["peer"], f["variant"]) for f in result["figures"] if f["shape"] in names))
    columns.sort(key=lambda column: column[0] != OURS)

    def cell(figure: dict | None) -> str:
        if figure is None:
            return "–"
        share = figure["share_of_limit"]
        return f"{number(figure['ms'] * 1e3)} ({'?' if share is None else f'{100 * share:.0f} %'})"

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

"""What compare.py measured, as Markdown tables. Pure: a value in, a text out."""

from dataclasses import fields

from shapes import Shape

OURS = "attnrt"
SIXTEEN = ("bf16", "f16")
FP8 = ("fp8_e4m3", "fp8_e5m2")
FOUR = ("int4_per_token_head", "nvfp4_linear")


def merge(results: list[dict]) -> dict:
    """Several runs, of other shapes each, as one; ValueError where they can't be compared."""
    merged = {key: list(value) if isinstance(value, list) else value for key, value in results[0].items()}
    for result in results[1:]:
        for key in ("attnrt_peers", "machine", "threads", "kv_mib", "huge_pages_for_peers"):
            if result[key] != merged[key]:
                raise ValueError(f"{key}: expected {merged[key]} in every file, found {result[key]}")
        repeated = {s["name"] for s in result["shapes"]} & {s["name"] for s in merged["shapes"]}
        if repeated:
            raise ValueError(f"expected every shape once, found '{min(repeated)}' twice")
        merged["versions"] = merged["versions"] | result["versions"]
        for key in ("shapes", "limits", "figures", "left_out"):
            merged[key] += result[key]
    return merged


def markdown(result: dict) -> str:
    run = Run(result)
    parts = [head(result)]
    for title, shapes in (("Decode", run.decodes), ("Prefill", run.prefills)):
        if shapes:
            parts += [f"## {title}: ms ({'KV GB/s' if shapes is run.decodes else 'GFLOP/s'})\n", run.times(shapes)]
    if run.ours:
        if run.decodes:
            parts += ["## Decode: attnrt against the fastest\n", run.decode_ratios()]
        if run.prefills:
            parts += ["## Prefill: attnrt against the fastest\n", run.prefill_ratios()]
    return "\n".join(parts + left_out(result))


def head(result: dict) -> str:
    lines = [
        "# attnrt and its peers\n",
        f"{result['machine']}, {result['threads']} threads; at least {result['kv_mib']} MiB of KV walked; "
        f"the peers' KV on {'huge' if result['huge_pages_for_peers'] else 'small'} pages.\n",
    ]
    lines += [f"- {name}: {text}" for name, text in result["versions"].items()]
    limits = result["limits"]
    if limits:
        memory = [limit["read"][-1]["gb_s"] for limit in limits]
        lines.append(f"- memory, as attnrt bench read it during the run: {min(memory):.1f} … {max(memory):.1f} GB/s")
        for name in dict.fromkeys(unit["unit"] for limit in limits for unit in limit["flops"]):
            peaks = [unit["gflop_s"] for limit in limits for unit in limit["flops"] if unit["unit"] == name]
            lines.append(f"- {name}: {min(peaks):.0f} … {max(peaks):.0f} GFLOP/s")
    return "\n".join(lines) + "\n"


def left_out(result: dict) -> list[str]:
    """One line a peer, variant and reason."""
    shapes: dict[tuple, list[str]] = {}
    for item in result["left_out"]:
        shapes.setdefault((item["peer"], item["variant"], item["why"]), []).append(item["shape"])
    lines = [f"- {peer} {variant}: {why} ({', '.join(names)})" for (peer, variant, why), names in shapes.items()]
    return ["## Left out\n", "\n".join(lines) + "\n"] if lines else []


class Run:
    def __init__(self, result: dict):
        known = {field.name for field in fields(Shape)}
        shapes = [Shape(**{key: value for key, value in s.items() if key in known}) for s in result["shapes"]]
        self.decodes = [shape for shape in shapes if shape.decodes]
        self.prefills = [shape for shape in shapes if not shape.decodes]
        self.figures = {(f["shape"], f["peer"], f["variant"]): f for f in result["figures"]}
        self.columns = list(dict.fromkeys((f["peer"], f["variant"]) for f in result["figures"]))
        self.ours = any(peer == OURS for peer, _ in self.columns)
        self.memory = {}
        for limit in result["limits"]:
            best = self.memory.get(limit["shape"], 0)
            self.memory[limit["shape"]] = max(best, limit["read"][-1]["gb_s"])

    def times(self, shapes: list[Shape]) -> str:
        """A row for each peer and variant, a column for each shape: there are more of the former."""
        rows = []
        for peer, variant in self.columns:
            cells = [self.time(shape, peer, variant) for shape in shapes]
            if any(cell != "–" for cell in cells):
                rows.append([f"**{peer} {variant}**" if peer == OURS else f"{peer} {variant}", *cells])
        return table(["", *(shape.name for shape in shapes)], rows)

    def time(self, shape: Shape, peer: str, variant: str) -> str:
        figure = self.figures.get((shape.name, peer, variant))
        if figure is None:
            return "–"
        if shape.decodes:
            return f"{number(figure['ms'])} ({figure['kv_gb_s']:.1f})"
        return f"{number(figure['ms'])} ({figure['gflop_s']:.0f})"

    def fastest(self, shape: Shape, formats: tuple[str, ...] | None, ours: bool) -> dict | None:
        """Of these formats (None: any), of attnrt or of all others."""
        found = [
            figure
            for (name, peer, _), figure in self.figures.items()
            if name == shape.name and (peer == OURS) == ours and (formats is None or figure["format"] in formats)
        ]
        return min(found, key=lambda figure: figure["ms"], default=None)

    def decode_ratios(self) -> str:
        header = ["", "peer of 16 bits", "bf16 ×", "f16 ×", "peer of fp8", "e4m3 ×", "int8 ×", "e4m3 / own 16", "int8 / own 16",
                  "4 bits / own 16", "memory GB/s", "bf16 share", "e4m3 share", "int8 share"]  # fmt: skip
        return table(header, [self.decode_row(shape) for shape in self.decodes])

    def decode_row(self, shape: Shape) -> list[str]:
        sixteen, fp8 = (self.fastest(shape, formats, ours=False) for formats in (SIXTEEN, FP8))
        own = self.fastest(shape, SIXTEEN, ours=True)
        bf16, f16, e4m3, int8 = (
            self.fastest(shape, (f,), ours=True) for f in ("bf16", "f16", "fp8_e4m3", "int8_per_token_head")
        )
        four = self.fastest(shape, FOUR, ours=True)
        memory = self.memory.get(shape.name)
        shares = [share(figure["kv_gb_s"] if figure else None, memory) for figure in (bf16, e4m3, int8)]
        return [
            shape.name, label(sixteen), ratio(sixteen, bf16), ratio(sixteen, f16), label(fp8), ratio(fp8, e4m3), ratio(fp8, int8),
            ratio(own, e4m3), ratio(own, int8), ratio(own, four), f"{memory:.1f}" if memory else "–", *shares,
        ]  # fmt: skip

    def prefill_ratios(self) -> str:
        rows = []
        for shape in self.prefills:
            peer = self.fastest(shape, None, ours=False)
            ours = [self.fastest(shape, (f,), ours=True) for f in ("bf16", "f16", "f32", "fp8_e4m3", "int8_per_token_head")]
            limit = ours[0].get("share_of_limit") if ours[0] else None
            rows.append([shape.name, label(peer), *(ratio(peer, figure) for figure in ours), share(limit, 1)])
        header = ["", "peer of any format", "bf16 ×", "f16 ×", "f32 ×", "e4m3 ×", "int8 ×", "bf16 share of limit"]
        return table(header, rows)


def label(figure: dict | None) -> str:
    return f"{figure['peer']} {figure['variant']} {number(figure['ms'])}" if figure else "–"


def ratio(slower: dict | None, faster: dict | None) -> str:
    """How many times as fast the second is."""
    return f"{slower['ms'] / faster['ms']:.2f}" if slower and faster else "–"


def share(part: float | None, whole: float | None) -> str:
    return f"{100 * part / whole:.0f} %" if part is not None and whole else "–"


def number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:.{max(0, 3 - len(str(int(value))))}f}" if value >= 1 else f"{value:.3f}"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)

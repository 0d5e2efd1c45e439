#!/usr/bin/env python3
"""Runs the conformance suite on every CUDA plugin of a build, compute-sanitizer, and attnrt beside its peers, on a GPU.

usage: tools/cuda/gpu_check.py BUILD [--device cuda:0] [--plugins FOLDER] [--output FOLDER] [--seconds N] [--only FILTER]

Writes GPU.json and GPU.md into the output folder: the GPU, its driver and clocks, every test with its cells and seconds, what the
sanitizer's tools found, and what benchmarks/peers/gpu/compare.py measured. Ends with 0 if all passed, 1 if a test or tool failed
or nothing could be compared, 2 if nothing could be run. What there was no time for (--seconds for all together) is said to be so,
and is no success; of the comparison it is only named, as are peers that are missing or refuse.
"""

import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GPU_FACTS = ("name", "driver_version", "memory.total", "clocks.max.sm", "clocks.max.memory")
# Each instruction is slowed a hundredfold: one op of the kernel that has most of the code.
SANITIZED = "*.attend_decode"
SANITIZER_TOOLS = ("memcheck", "racecheck")
COMPARE = ROOT / "benchmarks" / "peers" / "gpu" / "compare.py"
ENDING = 5  # seconds that the comparison may take beyond its own time
FAILED_BY_SANITIZER = 9


@dataclass
class Test:
    plugin: str
    name: str
    passed: bool
    seconds: float = 0.0
    cells: int = 0
    note: str = ""


@dataclass
class Sanitized:
    plugin: str
    tool: str
    passed: bool
    note: str = ""


@dataclass
class Comparison:
    """What compare.py wrote and printed, or why it did not."""

    passed: bool
    note: str = ""
    measured: dict = field(default_factory=dict)
    table: str = ""


@dataclass
class Report:
    device: str
    gpu: dict[str, str]
    commit: str
    date: str
    tests: list[Test] = field(default_factory=list)
    sanitized: list[Sanitized] = field(default_factory=list)
    comparison: Comparison | None = None  # None: not wanted

    @property
    def passed(self) -> bool:
        parts = [*self.tests, *self.sanitized, *([self.comparison] if self.comparison else [])]
        return bool(self.tests) and all(part.passed for part in parts)


class Clock:
    """The time that is left for all commands together."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return self.end - time.monotonic()


@dataclass
class Suite:
    program: Path
    plugins: Path
    device: str

    def command(self, plugin: str, *more: str) -> list[str]:
        return [str(self.program), "--plugins", str(self.plugins), "--plugin", plugin, "--device", self.device, *more]

    def tests_of(self, plugin: str) -> list[str]:
        listed = output_of(self.command(plugin, "--gtest_list_tests"))
        return re.findall(r"^  (\S+)", listed, re.MULTILINE)


def output_of(command: list[str]) -> str:
    """Standard output; raises RuntimeError with the command's own words where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def run_test(suite: Suite, plugin: str, name: str, clock: Clock) -> Test:
    if clock.left <= 0:
        return Test(plugin, name, False, note="not run: no time was left")
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = suite.command(plugin, f"--gtest_filter=*.{name}", f"--gtest_output=json:{file.name}")
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=clock.left)
        except subprocess.TimeoutExpired:
            return Test(plugin, name, False, note="cut off: no time was left")
        return read_result(plugin, name, Path(file.name).read_text(), done)


def read_result(plugin: str, name: str, result: str, done: subprocess.CompletedProcess) -> Test:
    if not result:
        return Test(plugin, name, False, note=f"ended with {done.returncode}: {last_line(done.stderr)}")
    test = json.loads(result)["testsuites"][0]["testsuite"][0]
    failures = test.get("failures", [])
    note = failures[0]["failure"] if failures else ""
    passed = done.returncode == 0 and not failures
    return Test(plugin, name, passed, float(test["time"].rstrip("s")), int(test.get("cells", 0)), note)


def sanitize(suite: Suite, plugin: str, tool: str, clock: Clock) -> Sanitized:
    if clock.left <= 0:
        return Sanitized(plugin, tool, False, "not run: no time was left")
    command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", str(FAILED_BY_SANITIZER)]
    command += suite.command(plugin, f"--gtest_filter={SANITIZED}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=clock.left)
    except subprocess.TimeoutExpired:
        return Sanitized(plugin, tool, False, "cut off: no time was left")
    return Sanitized(plugin, tool, done.returncode == 0, last_line(done.stdout))


def compare(a: argparse.Namespace, clock: Clock) -> Comparison:
    """benchmarks/peers/gpu with all the time that is left."""
    if clock.left <= 0:
        return Comparison(False, "not run: no time was left")
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [sys.executable, str(COMPARE), *([str(a.shapes)] if a.shapes else []), "--device", a.device, "--json", file.name]
        command += ["--attnrt", str(a.build / "bin" / "attnrt"), "--seconds", str(clock.left)]
        command += ["--plugins", str(a.plugins or a.build / "plugins"), *shlex.split(a.compare_options)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=clock.left + ENDING)
        except subprocess.TimeoutExpired:
            return Comparison(False, "cut off: no time was left")
        if done.returncode != 0:
            return Comparison(False, last_line(done.stderr))
        return Comparison(True, "", json.loads(Path(file.name).read_text()), done.stdout)


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def gpu_facts(device: str) -> dict[str, str]:
    """What nvidia-smi says of cuda:N; nothing of other devices."""
    if not re.fullmatch(r"cuda:\d+", device):
        return {"name": device}
    ordinal = device.removeprefix("cuda:")
    line = output_of(["nvidia-smi", f"--id={ordinal}", f"--query-gpu={','.join(GPU_FACTS)}", "--format=csv,noheader"])
    return dict(zip(GPU_FACTS, (x.strip() for x in line.strip().split(","))))


def markdown(report: Report) -> str:
    lines = [f"# {report.gpu['name']}, {report.date}", "", f"attnrt {report.commit}, device {report.device}", ""]
    lines += [f"- {key}: {value}" for key, value in report.gpu.items()]
    lines += ["", "| plugin | test | | cells | seconds |", "|---|---|---|---|---|"]
    lines += [f"| {t.plugin} | {t.name} | {verdict(t)} | {t.cells} | {t.seconds:.1f} |" for t in report.tests]
    lines += ["", "| plugin | compute-sanitizer | |", "|---|---|---|"]
    lines += [f"| {s.plugin} | {s.tool} | {verdict(s)} |" for s in report.sanitized]
    if not report.sanitized:
        lines.append("| – | – | compute-sanitizer is not installed: not run |")
    text = "\n".join(lines) + "\n"
    if report.comparison is None:
        return text
    # Its headings stand one level deeper here.
    table = re.sub(r"^#", "##", report.comparison.table, flags=re.MULTILINE)
    return f"{text}\n{table or '## attnrt and its peers on a GPU: ' + verdict(report.comparison)}\n"


def verdict(result: Test | Sanitized | Comparison) -> str:
    if result.passed:
        return "passed"
    return f"**failed** {result.note.splitlines()[0] if result.note else ''}".strip()


def check(suite: Suite, only: str, clock: Clock, say) -> tuple[list[Test], list[Sanitized]]:
    tests, sanitized = [], []
    plugins = sorted(p.stem for p in suite.plugins.glob("*.so"))
    served = {plugin: suite.tests_of(plugin) for plugin in plugins}
    for plugin, names in served.items():
        for name in names:
            if only not in name:
                continue
            tests.append(run_test(suite, plugin, name, clock))
            say(f"{plugin} {name}: {verdict(tests[-1])}, {tests[-1].cells} cells, {tests[-1].seconds:.1f} s")
    if shutil.which("compute-sanitizer"):
        for plugin in (p for p in served if p == "cuda" and served[p]):
            for tool in SANITIZER_TOOLS:
                sanitized.append(sanitize(suite, plugin, tool, clock))
                say(f"{plugin} under {tool}: {verdict(sanitized[-1])}")
    return tests, sanitized


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gpu_check.py", description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path, help="folder of a build with tests")
    parser.add_argument("--device", default="cuda:0", help="%(default)s")
    parser.add_argument("--plugins", type=Path, help="folder of the plugins and the oracle (BUILD/plugins)")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "gpu", help="where the report goes (docs/gpu)")
    parser.add_argument("--seconds", type=float, default=480, help="for everything together (%(default)s)")
    parser.add_argument("--only", default="", help="only tests with this in their names")
    parser.add_argument("--compare-seconds", type=float, default=240, help="of them, kept for the comparison (%(default)s); 0: none")
    parser.add_argument("--shapes", type=Path, help="what the comparison measures (configs/bench/gpu.csv)")
    parser.add_argument("--compare-options", default="", help="more options of benchmarks/peers/gpu/compare.py, as one text")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    a = parse(arguments)
    suite = Suite(a.build / "tests" / "conformance_test", a.plugins or a.build / "plugins", a.device)
    if not suite.program.is_file():
        print(f"gpu_check: {suite.program} is not there: build conformance_test", file=sys.stderr)
        return 2
    try:
        commit = output_of(["git", "-C", str(ROOT), "describe", "--always", "--dirty"]).strip()
        report = Report(a.device, gpu_facts(a.device), commit, time.strftime("%Y-%m-%d"))
        clock = Clock(a.seconds)
        report.tests, report.sanitized = check(suite, a.only, Clock(a.seconds - a.compare_seconds), print)
        if report.tests and a.compare_seconds > 0:
            report.comparison = compare(a, clock)
            print(f"attnrt beside its peers: {verdict(report.comparison)}")
    except (RuntimeError, OSError) as error:
        print(f"gpu_check: {error}", file=sys.stderr)
        return 2
    if not report.tests:
        print(f"gpu_check: no plugin of {suite.plugins} serves {a.device}", file=sys.stderr)
        return 2
    write(report, a.output)
    return 0 if report.passed else 1


def write(report: Report, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^a-z0-9]+", "-", report.gpu["name"].lower()).strip("-")
    (folder / f"{stem}.json").write_text(json.dumps(asdict(report), indent=1) + "\n")
    (folder / f"{stem}.md").write_text(markdown(report))
    print(f"wrote {folder / stem}.json and .md")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

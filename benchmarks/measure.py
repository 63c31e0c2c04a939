"""The harness of the benchmarks: interleaved samples, their spread, a table and JSON."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results"


@dataclass(frozen=True)
class Spread:
    """What many samples of one thing were."""

    median: float
    p10: float
    p90: float

    @classmethod
    def of(cls, samples: list[float]) -> Spread:
        if len(samples) == 1:
            return cls(samples[0], samples[0], samples[0])
        tenths = quantiles(samples, n=10, method="inclusive")
        return cls(median(samples), tenths[0], tenths[-1])


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, against what, and whether it is within its bound."""

    case: str
    unit: str
    value: Spread
    base: Spread | None = None  # the same thing under a watcher that does nothing
    ratio: Spread | None = None  # of samples taken next to each other
    bound: float | None = None  # of the ratio, or of the value where there is no ratio: at most
    note: str = ""
    at_least: float | None = None  # the same, from below

    @property
    def passed(self) -> bool | None:
        if self.bound is None and self.at_least is None:
            return None
        measured = (self.ratio or self.value).median
        return (self.bound is None or measured <= self.bound) and (self.at_least is None or measured >= self.at_least)

    @property
    def bounds(self) -> str:
        signs = (("≥", self.at_least), ("≤", self.bound))
        return ", ".join(
            f"{sign} {figure(bound)}" + (" ×" if self.ratio else "") for sign, bound in signs if bound is not None
        )


@dataclass(frozen=True)
class Grid:
    """A table of another shape than that of rows: a line for each thing, a column for each case."""

    title: str
    corner: str  # what the lines are
    columns: list[str]
    lines: dict[str, list[str]]
    caption: str = ""


Sampler = Callable[[], float]


def interleave(variants: Mapping[str, Sampler], samples: int) -> dict[str, list[float]]:
    """Sample each variant in turn, beginning with another one each round.

    The machine's speed drifts; what is compared must have been measured at the same time.
    """
    names = list(variants)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for sampler in variants.values():
        sampler()  # warms caches and CPython's specialiser; does not count
    for i in range(samples):
        start = i % len(names)
        for name in names[start:] + names[:start]:
            taken[name].append(variants[name]())
    return taken


def compare(case: str, unit: str, measured: list[float], base: list[float], bound: float | None, note: str = "") -> Row:
    """A row from samples of the thing and of its base that were taken in the same rounds."""
    ratios = [a / b for a, b in zip(measured, base, strict=True)]
    return Row(case, unit, Spread.of(measured), Spread.of(base), Spread.of(ratios), bound, note)


def load_noop() -> ModuleType:
    """The extension with watchers that do nothing, built into benchmarks/.build unless this source was built there."""
    source = HERE / "noop" / "noop.c"
    # Contents, not dates: a checkout or a copy may keep old dates.
    checksum = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    built = HERE / ".build" / f"noop-{checksum}{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not built.exists():
        build_noop(source, built)
    spec = importlib.util.spec_from_file_location("noop", built)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build_noop(source: Path, built: Path) -> None:
    code = (
        "from setuptools import Extension, setup; import sys;"
        "setup(name='noop', py_modules=[], script_args=sys.argv[2:], ext_modules=[Extension('noop', [sys.argv[1]],"
        " extra_compile_args=['-O2', '-std=gnu11', '-Wno-unused-parameter'])])"
    )
    built.parent.mkdir(exist_ok=True)
    # Others may be building the same: each in a place of its own, then renamed in one step.
    with tempfile.TemporaryDirectory(dir=built.parent) as folder:
        command = [sys.executable, "-c", code, source.name, "build_ext"]
        command += ["--build-lib", folder, "--build-temp", str(Path(folder) / "objects")]
        done = subprocess.run(command, cwd=source.parent, capture_output=True, text=True)
        fresh = Path(folder) / f"noop{sysconfig.get_config_var('EXT_SUFFIX')}"
        if done.returncode != 0 or not fresh.exists():
            sys.exit(f"benchmarks: cannot build {source.name}:\n{done.stdout}{done.stderr}")
        os.replace(fresh, built)


def machine() -> dict[str, Any]:
    """What the numbers were measured on; no names of hosts, users or paths."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass  # not Linux: the architecture has to do
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version() + getattr(sys, "abiflags", ""),
        "debug_build": hasattr(sys, "gettotalrefcount"),
    }


def figure(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def spread_text(spread: Spread | None) -> str:
    if spread is None:
        return ""
    if spread.p10 == spread.p90:
        return figure(spread.median)
    return f"{figure(spread.median)} [dim]({figure(spread.p10)}-{figure(spread.p90)})[/dim]"


def shown(path: Path) -> Path:
    """The path as it is printed: within the checkout, if it is there."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def print_table(title: str, rows: list[Row]) -> None:
    from rich.table import Table

    table = Table(title=title, title_justify="left", caption_justify="left")
    table.caption = (
        "median (p10-p90); base: the same under a watcher that does nothing, unless the row says otherwise; "
        "ratio: of samples taken in turn"
    )
    for name in ("case", "value", "base", "ratio", "bound", ""):
        table.add_column(name, justify="left" if name == "case" else "right")
    for row in rows:
        verdict = {None: "", True: "pass", False: "[bold red]MISS[/bold red]"}[row.passed]
        case = row.case + (f"\n  [dim]{row.note}[/dim]" if row.note else "")
        value = f"{spread_text(row.value)} {row.unit}".strip()
        table.add_row(case, value, spread_text(row.base), spread_text(row.ratio), row.bounds, verdict)
    wide_console().print(table)


def print_grid(grid: Grid) -> None:
    from rich.table import Table

    table = Table(title=grid.title, title_justify="left", caption=grid.caption or None, caption_justify="left")
    table.add_column(grid.corner)
    for column in grid.columns:
        table.add_column(column, justify="right")
    for name, cells in grid.lines.items():
        table.add_row(name, *cells)
    wide_console().print(table)


def wide_console() -> Console:
    """Where the tables go. Not a terminal (a log): wide enough to keep each row on a line."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, 150))


def result_path(benchmark: str, ending: str, folder: Path = RESULTS) -> Path:
    """Where a result goes: a file for each version of Python."""
    folder.mkdir(exist_ok=True)
    return folder / f"{benchmark}-{machine()['python']}.{ending}"


def write_json(benchmark: str, rows: list[Row], more: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    path = result_path(benchmark, "json", folder)
    data = {
        "benchmark": benchmark,
        "machine": machine(),
        "rows": [asdict(row) | {"passed": row.passed} for row in rows],
    }
    path.write_text(json.dumps(data | dict(more), indent=1) + "\n")
    return path


def finish(
    benchmark: str,
    title: str,
    rows: list[Row],
    *,
    check: bool,
    write: bool,
    more: Mapping[str, Any] | None = None,
    folder: Path = RESULTS,
) -> int:
    """Print, write, and return the exit status: 1 for a missed bound if the caller asked to check.

    more: what else is to be in the JSON.
    """
    print_table(title, rows)
    if write:
        print(f"written: {shown(write_json(benchmark, rows, more or {}, folder))}")
    missed = [row.case for row in rows if row.passed is False]
    if missed:
        print(f"missed {len(missed)}: " + "; ".join(missed))
    return 1 if check and missed else 0

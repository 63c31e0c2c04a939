"""A log-log plot of what a question takes against the number of handles, a line for each structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def plot(path: Path, title: str, unit: str, lines: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    import matplotlib

    matplotlib.use("svg")
    # Text stays text and names are not random: small, and the same for the same numbers.
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "depwatch"}
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for (name, points), marker in zip(lines.items(), "osD^vPX*", strict=False):
        own = name == "depwatch"
        sizes, values = zip(*points, strict=True)
        axes.plot(sizes, values, marker=marker, label=name, linewidth=2.5 if own else 1.2, zorder=3 if own else 2)
    axes.set(xscale="log", yscale="log", xlabel="handles", ylabel=unit, title=title)
    axes.grid(which="major", alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)

"""The results of a corpus, for the report and the notebooks: benchmarks/results/corpus-VERSION.json."""

import json
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from depwatch.compare.output import Output
from depwatch.compare.replay.run import Options, assemble

from .entries import Corpus, Entry
from .measured import Measured, priced, summary, typical


@dataclass(slots=True)
class Results:
    """What became of the programs so far."""

    corpus: Corpus
    options: Options  # of the replays
    runs: dict[str, list[Measured]] = field(default_factory=dict)  # by name; none of them empty
    failed: dict[str, str] = field(default_factory=dict)  # name -> which step failed, and how

    def write(self, path: Path) -> None:
        """At once or not at all."""
        text = _text(self._report())
        path.parent.mkdir(parents=True, exist_ok=True)
        with Output(str(path)) as file:
            file.write(text)

    def _report(self) -> dict[str, Any]:
        done = [entry for entry in self.corpus.entries if entry.name in self.runs]
        return {
            **msgspec.to_builtins(assemble([], self.options)),
            "traces": [self._trace(entry) for entry in done],
            "python": platform.python_version(),
            "corpus": {
                "programs": len(self.corpus.entries),
                "missing": [entry.name for entry in self.corpus.entries if entry not in done],
                "failed": self.failed,
            },
        }

    def _trace(self, entry: Entry) -> dict[str, Any]:
        runs = [priced(run, self.options.prices) for run in self.runs[entry.name]]
        measured = typical(runs)
        return {
            **measured,
            # As the corpus has them: in the trace they name places of this machine.
            "trace": f"{entry.name}.parquet",
            "title": entry.name,
            "program": list(entry.command),
            "kind": str(entry.kind),
            "why": entry.why,
            "chosen": str(entry.chosen),
            "packages": list(entry.packages),
            "ratio": round(measured["recorded_seconds"] / measured["plain_seconds"], 3),
            "cpu_ratio": round(measured["recorded_cpu_seconds"] / measured["plain_cpu_seconds"], 3),
            "runs": [summary(run) for run in runs],
        }


def _text(report: dict[str, Any]) -> str:
    """JSON with a line for each key of the report and of each trace: half the size of one that is indented further."""
    traces = [
        ",\n".join(f"   {json.dumps(key)}: {_compact(value)}" for key, value in trace.items())
        for trace in report["traces"]
    ]
    lines = [f" {json.dumps(key)}: {_compact(value)}" for key, value in report.items() if key != "traces"]
    lines.append(' "traces": [' + ",".join(f"\n  {{\n{trace}\n  }}" for trace in traces) + "\n ]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))

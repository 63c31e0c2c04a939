"""The notebooks run from the first cell to the last, and each .ipynb is what its .py says, with outputs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import ROOT

NOTEBOOKS = ROOT / "notebooks"
sys.path.append(str(NOTEBOOKS))

pytestmark = pytest.mark.slow

SOURCES = sorted(NOTEBOOKS.glob("[0-9]_*.py"))
# They explain results measured on 3.13, with calls that the rest of the suite makes on each interpreter; .ci/run always
# has 3.13. That pairs are in step is tested on all.
on_one_interpreter = pytest.mark.skipif(
    sys.version_info[:2] != (3, 13) or hasattr(sys, "gettotalrefcount"),
    reason="the notebooks are executed on a release build of CPython 3.13 only",
)


class Executed:
    """Some notebooks, executed with nbmake in a folder of their own, as it writes the outputs into the file."""

    def __init__(self, folder, names):
        for file in (*(f"{name}.ipynb" for name in names), "results.py"):
            (folder / file).write_text((NOTEBOOKS / file).read_text())
        self.folder = folder
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder)]
        self.process = subprocess.Popen(
            [*command, "--nbmake", "--nbmake-timeout=100", "--overwrite", *(f"{name}.ipynb" for name in names)],
            cwd=folder,
            env=os.environ | {"DEPWATCH_RESULTS": str(ROOT / "benchmarks" / "results")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self):
        said, _ = self.process.communicate(timeout=200)
        assert self.process.returncode == 0, said
        return self

    def printed(self, name):
        """What its cells print, and how many pictures they show."""
        import nbformat  # takes half a second

        cells = nbformat.read(self.folder / f"{name}.ipynb", as_version=4).cells
        outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
        text = "".join(output.text for output in outputs if output.output_type == "stream")
        return text, sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Two at a time: most of the time goes by with starting kernels."""
    groups = (("1_two_proposals", "2_corpus"), ("3_index", "4_numba", "5_pep836"))
    running = {names: Executed(tmp_path_factory.mktemp("notebooks"), names) for names in groups}
    try:
        yield {name: executed.end().printed(name) for names, executed in running.items() for name in names}
    finally:
        for executed in running.values():
            executed.process.kill()
            executed.process.wait()


def corpus_notebook(folder):
    """What the notebook on the corpus prints as a plain program, without a kernel, for the results in a folder."""
    done = subprocess.run(
        [sys.executable, str(NOTEBOOKS / "2_corpus.py")],
        env=os.environ | {"DEPWATCH_RESULTS": str(folder), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_are_five_notebooks():
    assert [path.stem for path in SOURCES] == ["1_two_proposals", "2_corpus", "3_index", "4_numba", "5_pep836"]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_ipynb_is_what_the_py_says_and_has_its_outputs(source):
    import nbformat

    import pair

    committed = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    code = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    outputs = [output for cell in code for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"stream", "display_data", "execute_result"}
    assert sum(len(cell.outputs) > 0 for cell in code) > len(code) // 3
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    assert committed == pair.paired(source), "run ./dev python notebooks/pair.py"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_begins_with_a_fact_and_names_no_path_of_a_machine(source):
    text = source.with_suffix(".ipynb").read_text()
    title = json.loads(text)["cells"][0]["source"][0]
    assert title.startswith("# ") and len(title.split()) > 8  # a sentence, not the name of a topic
    assert not re.search(r"/(?:root|home|tmp|work|usr|opt|var)/", text)


@on_one_interpreter
@pytest.mark.parametrize(
    ("name", "pictures", "says"),
    [
        (
            "1_two_proposals",
            1,
            ["7 facets read", "bulk                   40.0 STALE", "none concerned: CinderX"],
        ),
        ("3_index", 4, ["depwatch: 0 false invalidations at every size", "an unrelated event invalidates"]),
        ("4_numba", 1, ["RATE = 1.25, as it was", "stale", "recompile() takes"]),
        ("5_pep836", 0, ["dependencies a hot function", "guards at", "drop nothing", "and code comes back"]),
    ],
)
def test_the_notebook_runs_and_shows_what_it_is_about(name, pictures, says, printed):
    text, shown = printed[name]
    for part in says:
        assert part in text
    assert shown == pictures


@on_one_interpreter
def test_without_results_the_corpus_notebook_says_so_and_ends_well(tmp_path):
    text = corpus_notebook(tmp_path)
    assert text.startswith("There is no result of the corpus yet: ./dev compare --corpus makes one")


# --- a corpus of two programs -------------------------------------------------------------------------------------

POLICIES = {  # recompiled after start-up: by the quiet program, by the mutating one
    "bulk_by_object": (10, 1000),
    "bulk_by_object_capped": (4, 100),
    "cpython": (4, 110),
    "bulk_by_facet": (2, 900),
    "bulk_by_facet_capped": (2, 100),
    "healing": (1, 50),
    "granular_capped": (0, 40),
}

PAID = ("recompiled", "patches", "deopts", "deopt_calls", "guards", "revalidations", "cold_calls")


def replayed(name, recompiled, cost, unrelated):
    counts = {"recompiled": recompiled}
    return {
        "policy": name,
        "title": name.replace("_", " "),
        "hot_after": 50,
        "give_up_after": 6 if name.endswith("capped") else None,
        "rest": counts,
        "whole": dict.fromkeys(PAID, 0) | counts | ({"guards": 13_750} if name == "granular_capped" else {}),
        "unguarded": {"dependencies": 3 if name.endswith("capped") else 0, "functions": 1},
        "unrelated_drops": unrelated,
        "cost": {"numba": cost},
    }


def program(title, column, changes):
    policies = [
        replayed(name, counts[column], 1e6 * (1 + counts[column]), 7 if name == "bulk_by_object" else 0)
        for name, counts in POLICIES.items()
    ]
    # Another variant of one policy, which is not the one to be shown.
    policies.append(policies[0] | {"hot_after": 500, "rest": {"recompiled": 10**6}})
    rest = {"calls": 100, "hot_functions": 5, "facets": 20, "dependencies": 30, "changes": changes}
    causes = {name: {"changes": 1, "breaks": n, "handles_hit": 1} for name, n in (("library a", 3), ("library b", 1))}
    return {
        "title": title,
        "seconds": 11.0,
        "startup_seconds": 1.0,
        "totals": {"rest": rest},
        "policies": policies,
        "causes": causes,
        "lifetimes": {"broken": [column], "still_held": [50]},
    }


def corpus_of_two_programs():
    prices = dict.fromkeys(("recompile", "patch", "deopt", "guard", "revalidation", "cold_call"), 1.0)
    return {"format": 2, "prices": {"numba": prices}, "traces": [program("still", 0, 0), program("busy", 1, 500)]}


@on_one_interpreter
def test_the_corpus_notebook_tells_the_levers_apart_by_kind_of_program(tmp_path):
    (tmp_path / "corpus-3.13.0.json").write_text(json.dumps(corpus_of_two_programs()))
    text = corpus_notebook(tmp_path)
    for line in (
        "2 programs (chosen: 2 hand) in corpus-3.13.0.json",
        "1 of 101 dependencies of hot functions broke (1.0%)",
        "quiet: 1 programs; medians: granularity 80%, giving up 0%, healing 10%, left 10%; "
        "saves most: {'granularity': 1, 'giving up': 0, 'healing': 0}",
        "mutating: 1 programs; medians: granularity 10%, giving up 80%, healing 5%, left 5%; "
        "saves most: {'granularity': 0, 'giving up': 1, 'healing': 0}",
        "healing and granular_capped (others as numba): equal at 2,500 ns a recompile",
        "quiet: patching is cheaper in 1 of 1 programs; median 0.50",
        "mutating  a library                        4 breaks (100%)",
    ):
        assert line in text.splitlines()


def test_what_is_not_there_is_named(monkeypatch, tmp_path):
    import results

    monkeypatch.setattr(results, "FOLDER", Path(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no result of index in .*: \./dev bench index makes one"):
        results.load("index")
    for version in ("3.9.1", "3.13.0", "3.12.10"):
        (tmp_path / f"index-{version}.json").write_text('{"benchmark": "index", "rows": []}')
    assert [path.stem for path in results.found("index")] == ["index-3.9.1", "index-3.12.10", "index-3.13.0"]
    with pytest.raises(KeyError, match="index has no row that begins with 'nothing'"):
        results.row(results.load("index"), "nothing")

"""Stories: programs with cache=True that run in several processes, one after the other, with changes in between.

All stories run in the same processes: the first process of each, then the second of each, ...
"""

import doctest
import functools
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import parent

LIMIT = 1500  # seconds for a process that works for 20: a machine may have much else to do
FOLDER = Path(__file__).parent / "stories"
START = "from depwatch.integrations.numba import njit\nimport numba, numpy as np\n"


class Process(NamedTuple):
    """What is done to the files of a story, and what one process does then."""

    files: dict[str, str]  # by name, as they are now
    steps: list[doctest.Example]


@functools.cache
def read_stories():
    """By name: the processes of a story."""
    found = {}
    for path in sorted(FOLDER.glob("*.txt")):
        for section in path.read_text().split("\n## ")[1:]:
            name, text = section.split("\n", 1)
            files, processes = {}, []
            _, *parts = re.split(r"^\[(\w+)\]\n", text, flags=re.MULTILINE)
            for kind, body in zip(parts[::2], parts[1::2], strict=True):
                if kind == "process":
                    processes.append(Process(dict(files), doctest.DocTestParser().get_examples(body)))
                else:
                    files[kind] = body
            found[name] = processes
    return found


def _write(folder, files):
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()
    for name, text in files.items():
        (folder / f"{name}.py").write_text(START + text)


@functools.cache
def told():
    """By name of a story and number of its process: what each of its steps gives."""
    stories = read_stories()
    given = {}
    with tempfile.TemporaryDirectory(prefix="depwatch-stories-") as top:
        for number in range(max(map(len, stories.values()))):
            turn = {}
            for index, (name, processes) in enumerate(stories.items()):
                if number < len(processes):
                    _write(Path(top) / f"story_{index}", processes[number].files)
                    turn[name] = (f"story_{index}", [(step.source, step.want) for step in processes[number].steps])
            request = Path(top) / "request.json"
            request.write_text(json.dumps(turn))
            done = parent.parent("numba").run(
                Path(__file__), str(request), limit=LIMIT, environment={"NUMBA_CACHE_DIR": str(Path(top) / "cache")}
            )
            assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
            given |= {(name, number): results for name, results in json.loads(done.stdout).items()}
    return given


# --- in the processes -------------------------------------------------------------------------------------------------


class Teller:
    """What stories have beside what is theirs."""

    def __init__(self, package):
        self.package = package
        self._before = {}

    def how(self, function):
        """How a function came to its code since this was asked last."""
        from depwatch.integrations.numba import stats

        now = (stats(function).compiled, sum(function.stats.cache_hits.values()))
        before = self._before.get(id(function), (0, 0))
        self._before[id(function)] = now
        counts = zip(("compiled", "loaded"), now, before, strict=True)
        return ", ".join(f"{what} {new - old}" for what, new, old in counts if new != old)

    def files(self, function):
        """What is stored of a function."""
        folder = Path(function.stats.cache_path)
        return sorted(folder.glob(f"*.{function.__name__}-*.dwn")) if folder.is_dir() else []


def outcome(source, names):
    try:
        return repr(eval(source, names))
    except SyntaxError:
        exec(source, names)
        return ""
    except Exception as error:
        return f"{type(error).__name__}: {error}".split("\n")[0]


def tell(request):
    import importlib
    import warnings

    from numba.core import config

    config.reload_config()  # the parent has imported numba with other variables
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(Path(request).parent))
    results = {}
    for name, (package, steps) in json.loads(Path(request).read_text()).items():
        main = importlib.import_module(f"{package}.main")
        teller = Teller(package)
        names = vars(main)
        names |= {"how": teller.how, "files": teller.files, "package": package}
        results[name] = [outcome(source, names) for source, _ in steps]
    print(json.dumps(results))


if __name__ == "__main__":
    tell(sys.argv[1])

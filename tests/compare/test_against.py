"""`depwatch compare --against BASE.json`: what drops more code than in a former run, for CI."""

import json
import re
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from observing import Programs

from depwatch.compare import comparison
from depwatch.compare.against import Base
from depwatch.compare.record.program import Program
from depwatch.compare.replay.prices import load_prices
from depwatch.compare.replay.result import Replay, Replayed
from depwatch.compare.trace.supervise import Recording
from depwatch.compare.trace.transfer import Ended

PROGRAM = """
    RATE = 2
    PLACES = 2
    LIMIT = 9
    def cost(): return RATE
    def places(): return PLACES
    def limit(): return LIMIT
    def heat():
        for _ in range(120): cost(), places(), limit()
    heat()
    RATE = 3
    heat()
    RATE, PLACES = 4, 3
    heat()
    LIMIT = 10
    heat()
    print("output of the program")
"""
# RATE drops once more, ORDERS and Basket.sold are new, PLACES is as before, LIMIT is gone; and all lines have moved.
CHANGED = """
    import itertools

    ORDERS = 0

    class Basket:
        sold = 0
        def sell(self):
            Basket.sold = Basket.sold + 1

    def order():
        global ORDERS
        ORDERS += 1
    RATE = 2
    PLACES = 2
    LIMIT = 10
    def cost(): return RATE
    def places(): return PLACES
    def limit(): return LIMIT
    def heat():
        for _ in range(120): cost(), places(), limit()
    heat()
    for RATE in (3, 4):
        heat()
    PLACES = 3
    heat()
    RATE = 5
    heat()
    for _ in range(170):
        order()
    for _ in range(110):
        Basket().sell()
    print("output of the program")
"""


NEXT = "or take the next of an itertools.count()."
COUNTS = f"        instead: It counts: keep the count in an instance or a list, {NEXT}"
IN_A_CLASS = f"        instead: It counts in a class: keep the count in an instance, {NEXT}"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `depwatch compare -o BASE.json` writes of PROGRAM."""
    programs = Programs(tmp_path_factory.mktemp("base"))
    programs.write(PROGRAM)
    done = programs.depwatch("compare", "-o", "base.json", "program.py")
    assert (done.status, done.out) == (0, "output of the program\n")
    return (programs.directory / "base.json").read_text(encoding="utf-8")


@pytest.fixture
def programs(tmp_path: Path, base: str) -> Programs:
    (tmp_path / "base.json").write_text(base, encoding="utf-8")
    return Programs(tmp_path)


def told(text: str) -> list[str]:
    """The lines of the comparison; the date is that of the test."""
    return re.sub(r" of \d{4}-\d\d-\d\d [\d:]{8}Z", "", text).splitlines()


def lost(recompiled: int) -> str:
    """At each list of prices; a time in its unit."""
    units = (("s", 1e9), ("ms", 1e6), ("µs", 1e3))
    found = []
    for name, prices in load_prices().items():
        ns = prices.lost(recompiled, 50)
        unit, size = next(pair for pair in units if ns >= pair[1])
        found.append(f"{float(f'{ns / size:.3g}'):g} {unit} ({name})")
    return f"        lost: {', '.join(found)}"


def test_the_same_program_again_passes(programs: Programs) -> None:
    programs.write(PROGRAM)
    done = programs.depwatch("compare", "--against", "base.json", "program.py")
    assert (done.status, done.out) == (0, "output of the program\n")
    assert told(done.err) == ["program.py against base.json: no cause rose, 3 as before"]


def test_causes_that_rose_fail_and_are_told_with_victims_loss_place_and_remedy(programs: Programs) -> None:
    programs.write(CHANGED)
    done = programs.depwatch("compare", "--against", "base.json", "-o", "new.json", "program.py")
    assert (done.status, done.out) == (1, "output of the program\n")
    assert told(done.err) == [
        "program.py against base.json: 3 causes rose, 1 fell, 1 as before",
        "",
        "new   __main__.ORDERS  dropped code 3 times; compiled again 2 times",
        "        changed at <program>/program.py:13, by the program",
        "        hit: order",
        lost(2),
        COUNTS,
        "",
        "new   __main__.Basket.sold  dropped code 2 times; compiled again once",
        "        changed at <program>/program.py:9, by the program",
        "        hit: Basket.sell",
        lost(1),
        IN_A_CLASS,
        "",
        "more  __main__.RATE  dropped code 3 times, 2 in the base; compiled again 3 times",
        "        changed at <program>/program.py:23, by the program",
        "        hit: cost",
        lost(3),
        "        instead: It is set late, and then settles: set it at start-up, before code that reads it is hot, and "
        "freeze it.",
        "",
        "better: __main__.LIMIT (1 → 0)",
        "If that is meant, make another base: depwatch compare -o base.json program.py",
    ]
    assert json.loads((programs.directory / "new.json").read_text(encoding="utf-8"))["traces"][0]["exit"] == 0


def test_a_tolerance_is_what_each_cause_may_drop_more(programs: Programs) -> None:
    programs.write(CHANGED)
    done = programs.depwatch("compare", "--against", "base.json", "--tolerance", "2", "program.py")
    assert done.status == 1
    lines = told(done.err)
    assert lines[0] == "program.py against base.json: 1 cause rose by more than 2 drops, 1 fell, 3 as before"
    assert [line[:21] for line in lines if line[:3] in ("new", "mor")] == ["new   __main__.ORDERS"]
    done = programs.depwatch("compare", "--against", "base.json", "--tolerance", "3", "program.py")
    assert done.status == 0


def test_a_program_that_fails_keeps_its_status_and_is_compared_up_to_there(programs: Programs) -> None:
    programs.write(PROGRAM + "    raise SystemExit(3)\n")
    done = programs.depwatch("compare", "--against", "base.json", "program.py")
    assert done.status == 3
    assert told(done.err) == [
        "program.py against base.json: no cause rose, 3 as before",
        "They ended differently: with exit status 0 in the base, with exit status 3 now.",
    ]


def test_a_program_that_is_killed_is_compared_up_to_there(programs: Programs) -> None:
    programs.write(CHANGED + "    import os, sys\n    sys.stdout.flush()\n    os.kill(os.getpid(), 9)\n")
    done = programs.depwatch("compare", "--against", "base.json", "program.py")
    assert done.status == -signal.SIGKILL
    lines = told(done.err)
    assert lines[0] == "program.py against base.json: 3 causes rose, 1 fell, 1 as before"
    assert lines[1] == "They ended differently: with exit status 0 in the base, killed by signal 9 now."


def test_other_arguments_are_told_of_and_compared(programs: Programs) -> None:
    programs.write(PROGRAM)
    done = programs.depwatch("compare", "--against", "base.json", "program.py", "--fast")
    assert done.status == 0
    assert told(done.err) == [
        "program.py --fast against base.json: no cause rose, 3 as before",
        "Their arguments differ: none in the base.",
    ]


def test_with_json_the_replay_goes_to_stdout_and_the_comparison_to_stderr(programs: Programs) -> None:
    programs.write(PROGRAM)
    done = programs.depwatch("compare", "--against", "base.json", "--json", "program.py")
    assert done.status == 0
    replay = msgspec.json.decode(done.out.removeprefix("output of the program\n"), type=Replay)
    assert [facet.facet for facet in replay.traces[0].facets] == ["__main__.RATE", "__main__.LIMIT", "__main__.PLACES"]
    assert told(done.err) == ["program.py against base.json: no cause rose, 3 as before"]


def test_what_child_processes_drop_counts_with_the_program(programs: Programs) -> None:
    text = """
        import os, sys
        RATE = 2
        def cost(): return RATE
        def heat():
            for _ in range(120): cost()
        for _ in range(int(open("children").read())):
            child = os.fork()
            if not child:
                heat()
                RATE = 3
                heat()
                os._exit(0)
            os.waitpid(child, 0)
    """
    programs.write(text)
    for children in (1, 2):
        programs.write(str(children), "children")
        arguments = ("-o", "base.json") if children == 1 else ("--against", "base.json")
        done = programs.depwatch("compare", *arguments, "program.py")
    assert done.status == 1
    assert "more  __main__.RATE  dropped code 2 times, 1 in the base; compiled again 2 times" in done.err


# --- what cannot be compared ----------------------------------------------------------------------------------------

MAKE = "make one with `depwatch compare -o BASE.json program.py`"


def changed(base: str, **more: Any) -> str:
    data = json.loads(base)
    data["traces"][0] |= more
    return json.dumps(data)


def of_an_older_depwatch(base: str) -> str:
    data = json.loads(base)
    for facet in data["traces"][0]["facets"]:
        del facet["recompiled"]
    return json.dumps(data)


def two_programs(base: str) -> str:
    data = json.loads(base)
    return json.dumps(data | {"traces": data["traces"] * 2})


def hot_after_ten(base: str) -> str:
    policies = json.loads(base)["traces"][0]["policies"]
    return changed(base, policies=[policy | {"hot_after": 10} for policy in policies])


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (
            lambda base: None,
            f"bad.json cannot be read: No such file or directory. To compare with a former run, {MAKE}",
        ),
        (
            lambda base: "RATE = 2",
            "bad.json is no JSON (Expecting value, line 1, column 1): depwatch replay -o writes it whole. To compare "
            f"with a former run, {MAKE}",
        ),
        (
            lambda base: "{}",
            "bad.json is no replay of depwatch: it has no 'format' and 'traces'. To compare with a former run, " + MAKE,
        ),
        (
            lambda base: base.replace('"format": 2', '"format": 9'),
            "bad.json has format 9, this depwatch reads 2: install a newer depwatch. To compare with a former run, "
            + MAKE,
        ),
        (two_programs, f"bad.json has 2 programs, and one can be compared: {MAKE}"),
        (of_an_older_depwatch, f"bad.json is of an older depwatch, which told the worst causes only: {MAKE}"),
        (
            lambda base: changed(base, program=["/elsewhere/other.py"]),
            f"bad.json is of other.py, not of program.py: {MAKE}",
        ),
        (
            lambda base: changed(base, program=["-m", "program.py"]),
            f"bad.json is of the module program.py, not of program.py: {MAKE}",
        ),
        (
            hot_after_ten,
            f"bad.json is of functions that are hot after 10 calls, not 50: give --hot-after 10, or {MAKE}",
        ),
    ],
    ids=["missing", "a program", "other JSON", "newer", "two", "older", "other program", "module", "threshold"],
)
def test_a_base_that_does_not_fit_is_refused_before_the_program_runs(
    programs: Programs, base: str, make: Any, problem: str
) -> None:
    programs.write(PROGRAM)
    if (text := make(base)) is not None:
        programs.write(text, "bad.json")
    done = programs.depwatch("compare", "--against", "bad.json", "program.py")
    assert (done.status, done.out) == (2, "")
    assert done.err.splitlines()[-1] == f"depwatch compare: error: {problem}"


def test_a_base_of_another_python_is_refused(programs: Programs, base: str) -> None:
    programs.write(PROGRAM)
    programs.write(changed(base, python="3.11.7"), "bad.json")
    done = programs.depwatch("compare", "--against", "bad.json", "program.py")
    assert (done.status, done.out) == (2, "")
    assert "bad.json is of CPython 3.11.7, this is 3." in done.err
    assert done.err.endswith(f"where code relies on other things: keep one for each version, and {MAKE}\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--tolerance", "1", "program.py"], "--tolerance needs --against BASE.json"),
        (
            ["--against", "base.json"],
            "--against needs a program: name the SCRIPT, or the MODULE after -m, that the base is of",
        ),
        (
            ["--against", "base.json", "-o", "./base.json", "program.py"],
            "-o ./base.json would replace what --against compares with: name another file",
        ),
        (
            ["--against", "base.json", "--tolerance", "5%", "program.py"],
            "argument --tolerance: '5%' is no whole number of at least 0",
        ),
    ],
)
def test_arguments_that_make_no_sense_together_are_refused(
    programs: Programs, arguments: list[str], problem: str
) -> None:
    programs.write(PROGRAM)
    done = programs.depwatch("compare", *arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.splitlines()[-1] == f"depwatch compare: error: {problem}"


def test_where_there_is_no_trace_nothing_passes(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Supervised:
        def __init__(self, *arguments: Any, **options: Any) -> None: ...

        def __enter__(self) -> Recording:
            return Recording(0, 1.0, Ended(problem="the writer was killed"))

        def __exit__(self, *error: object) -> None: ...

    monkeypatch.setattr(comparison, "supervised", Supervised)
    program = Program("program.py", False, ())
    base = Base(str(programs.directory / "base.json"), program, 50, 0)
    assert comparison.compare(program, None, 50, base=base) == 2
    assert capsys.readouterr() == ("", "depwatch compare: nothing to compare: the writer was killed\n")


# --- many causes ------------------------------------------------------------------------------------------------------


def with_causes(base: str, dropped: dict[str, int]) -> Replayed:
    (trace,) = msgspec.json.decode(base, type=Replay).traces
    facets = [msgspec.structs.replace(trace.facets[0], facet=name, dropped=n) for name, n in dropped.items()]
    return msgspec.structs.replace(trace, facets=facets)


def test_many_causes_fit_on_one_screen(programs: Programs, base: str) -> None:
    path = programs.directory / "base.json"
    replay = msgspec.json.decode(base, type=Replay)
    before = with_causes(base, {f"app.gone{i}": 5 for i in range(30)})
    path.write_text(msgspec.structs.replace(replay, traces=[before]).text(), encoding="utf-8")
    now = with_causes(base, {f"app.new{i:02}": 90 - i for i in range(30)})
    compared = Base(str(path), Program("program.py", False, ()), 50, 0).compared([now], replay.prices)
    lines = compared.text().splitlines()
    assert len(lines) <= 24
    assert [line.split()[1] for line in lines if line.startswith("new ")] == [f"app.new{i:02}" for i in range(3)]
    more = ", ".join(f"app.new{i:02} (0 → {90 - i})" for i in range(3, 8))
    assert f"more that rose: {more} and 22 more" in lines
    gone = ", ".join(f"app.gone{i} (5 → 0)" for i in (0, 1, 10, 11, 12))
    assert f"better: {gone} and 25 more" in lines


def test_facets_of_one_name_in_two_files_are_two_causes(programs: Programs, base: str) -> None:
    (trace,) = msgspec.json.decode(base, type=Replay).traces
    here, there = trace.facets[0], msgspec.structs.replace(trace.facets[0], home="<program>/other.py")
    compared = Base(str(programs.directory / "base.json"), Program("program.py", False, ()), 50, 0)
    assert [key[2] for key in compared.compared([msgspec.structs.replace(trace, facets=[here, there])], {}).rose] == [
        "<program>/other.py"
    ]

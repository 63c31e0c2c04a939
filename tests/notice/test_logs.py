"""The log: what DEPWATCH_LOG, DEPWATCH_LOG_JSON and DEPWATCH_LOG_VALUES ask for, and where it goes."""

import json
import textwrap

import pytest

from support import python

PROGRAM = """
    import depwatch
    RATE, API_KEY = 1, "k1"
    def price(): return RATE
    def make():
        recorder = depwatch.Recorder("price")
        recorder.read(price, "RATE"); recorder.read(price, "API_KEY")
        return recorder.commit()
    handle = make()
    RATE = 2
    depwatch.drain()
    RATE = 1; depwatch.drain()
    API_KEY = "k2"; depwatch.drain()
    second = make()
    depwatch.drain()
    second.retire("enough"); depwatch.drain()
    try:
        with depwatch.Recorder("closed") as recorder:
            recorder.read([], "x")
    except depwatch.Unwatchable: pass
    """
LINE = 1 + PROGRAM.splitlines().index("    RATE = 2")
INVALIDATED = f"depwatch: 'price' invalidated: global 'RATE' of module __main__: 1 -> 2, modified at <string>:{LINE}"
KEY = "global 'API_KEY' of module __main__"
INVALIDATIONS = [
    INVALIDATED,
    "depwatch: 'price' may run again: global 'RATE' of module __main__ holds again",
    f"depwatch: 'price' invalidated: {KEY}: <hidden> -> <hidden>, modified at <string>:{LINE + 3}",
    f"depwatch: 'price' retired: {KEY} was recorded with another value: <hidden> at <string>:{LINE + 3}",
    "depwatch: 'price' retired: enough",
]
REFUSED = "depwatch: 'closed' refused: 'x' of <list of 0 items> is an instance attribute"


def logged(program=PROGRAM, status=0, **environment):
    """The lines on stderr of a program."""
    import support

    done = support.start(textwrap.dedent(program), environment=environment)
    assert done.returncode == status, done.stderr
    return done.stderr.splitlines()


def test_without_the_variables_nothing_is_logged_and_logging_is_not_imported():
    assert logged(PROGRAM + "\n    import sys; assert not {'logging', 'depwatch.logs'} & sys.modules.keys()") == []


def test_all_is_logged_once_each_in_order_and_secrets_are_hidden():
    lines = logged(DEPWATCH_LOG="all")
    assert lines[:4] + lines[5:6] == INVALIDATIONS
    assert lines[4] == "depwatch: 'price' compiled again"
    assert lines[6].startswith(REFUSED)
    assert len(lines) == 7


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("invalidations", INVALIDATIONS), ("recompiles", ["depwatch: 'price' compiled again"]), ("refusals", [REFUSED])],
)
def test_each_kind_can_be_asked_for_alone(asked, expected):
    lines = logged(DEPWATCH_LOG=asked)
    assert [line[: len(each)] for line, each in zip(lines, expected, strict=True)] == expected


def test_values_off_hides_all_values_and_shows_names_and_places():
    lines = logged(DEPWATCH_LOG="all", DEPWATCH_LOG_VALUES="off")
    assert lines[0] == INVALIDATED.replace("1 -> 2", "<hidden> -> <hidden>")
    assert lines[6] == "depwatch: 'closed' refused: <hidden>"


def test_a_word_that_cannot_be_asked_for_is_named_and_the_others_are_logged():
    said, *lines = logged(DEPWATCH_LOG="invalidations,everything")
    assert "DEPWATCH_LOG has 'everything'; it can have invalidations, recompiles, refusals or all" in said
    assert lines == INVALIDATIONS


def test_json_lines_go_to_the_file_with_what_a_line_says_in_fields(tmp_path):
    file = tmp_path / "log.json"
    assert logged(DEPWATCH_LOG_JSON=str(file)) == []
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    common = {"time", "process", "thread", "event"}
    assert all(common <= line.keys() for line in lines)
    events = [{name: line[name] for name in line.keys() - common | {"event"}} for line in lines]
    assert [event["event"] for event in events] == [
        "started", "invalidated", "resumed", "invalidated", "retired", "recompiled", "retired", "refused_unwatchable",
    ]  # fmt: skip
    assert events[1] == {
        "event": "invalidated", "handle": "price", "facet": "global 'RATE' of module __main__", "change": "modified",
        "old": "1", "new": "2", "file": "<string>", "line": LINE,
    }  # fmt: skip
    assert [event["cause"] for event in events if event["event"] == "retired"] == ["superseded", "called"]
    assert "k1" not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_made_is_said_and_the_program_goes_on(tmp_path):
    said = logged(DEPWATCH_LOG_JSON=str(tmp_path / "missing" / "log"), DEPWATCH_LOG="recompiles")
    assert len(said) == 2
    assert "No such file or directory, so nothing is logged there" in said[0]


def test_a_program_with_handlers_gets_records_that_point_at_the_change():
    start = """
    import logging
    logging.basicConfig(format="%(name)s %(levelname)s %(filename)s:%(lineno)d %(message)s")
    """
    line = LINE + start.count("\n") - 1
    lines = logged(start.rstrip(" ") + PROGRAM.lstrip("\n"), DEPWATCH_LOG="invalidations")
    text = INVALIDATED.removeprefix("depwatch: ").rpartition(":")[0]
    assert lines[0] == f"depwatch INFO <string>:{line} {text}:{line}"
    assert len(lines) == len(INVALIDATIONS)


def test_the_logging_configuration_of_a_program_stays_as_it_is():
    end = """
    import logging
    logger = logging.getLogger("depwatch")
    print(logger.handlers, logger.level, logger.propagate, logging.root.handlers, logging.root.level)
    """
    program = textwrap.dedent(PROGRAM) + textwrap.dedent(end)
    said = "depwatch: 'price' compiled again\n"
    assert python(program, cold=True) == python(program, cold=True, stderr=said, DEPWATCH_LOG="recompiles")


def test_a_program_silences_the_logger_as_any_other():
    start = "    import logging; logging.getLogger('depwatch').setLevel('ERROR')"
    assert logged(start + PROGRAM, DEPWATCH_LOG="all") == []


@pytest.mark.parametrize(
    ("patched", "lines"),
    [
        ("logging.Logger.handle = logging.Logger.hasHandlers = logging.LogRecord = None", 0),
        ("logging.INFO = logging.getLogger = None; del logging.LogRecord", 7),
        ("logging.getLogger('depwatch').addHandler(type('H', (), {'level': 0, 'handle': lambda *a: 1 / 0})())", 0),
        ("import json, os, time; json.dumps = os.open = os.write = time.time = None", 7),
    ],
)
def test_a_program_that_breaks_logging_is_not_disturbed(patched, lines, tmp_path):
    start = f"    import depwatch, logging\n    {patched}"
    said = logged(start + PROGRAM, DEPWATCH_LOG="all", DEPWATCH_LOG_JSON=str(tmp_path / "log"))
    assert len([line for line in said if line.startswith("depwatch: ")]) == len(said) == lines


def test_a_line_waits_while_the_program_is_inside_a_queue_or_its_logging():
    program = """
    import depwatch, logging, logging.handlers, queue
    X = 1
    def f(): pass
    recorder = depwatch.Recorder("f"); recorder.read(f, "X"); handle = recorder.commit()

    class Changing(queue.Queue):
        def _put(self, item):  # inside the queue's lock, which is not reentrant
            global X
            if item.getMessage() == "first":
                X = 2
                depwatch.drain()
            super()._put(item)

    lines = Changing()
    logging.root.addHandler(logging.handlers.QueueHandler(lines))
    logging.root.warning("first")
    print(lines.qsize())
    X = 1
    depwatch.drain()
    print([record.getMessage().partition(":")[0] for record in lines.queue])
    """
    out = python(program, cold=True, DEPWATCH_LOG="all")
    assert out == "1\n['first', \"'f' invalidated\", \"'f' may run again\"]\n"

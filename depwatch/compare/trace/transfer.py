"""From the journals of a program and its children to their traces."""

import contextlib
import os
import re
import select
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from depwatch.redaction import shown_command

from ..output import Output
from ..record.program import CHILDREN_LEFT_OUT

if TYPE_CHECKING:
    from .journal import Journal
    from .writer import TraceWriter

MOST: Final = 1_000  # children that are recorded, so that no program fills a folder

_CHILD: Final = re.compile(r"(\d+)\.(\d+)")  # the directory of its journal: process, and which program that runs there


@dataclass(slots=True)
class Ended:
    """What became of the traces."""

    rows: int = 0
    size: int = 0  # of the file, in bytes; 0: there is none
    dropped: int = 0  # entries that could not be right
    problem: str | None = None  # why there is no trace
    traces: list[str] = field(default_factory=list)  # files: the program's, and those of its children
    idle: int = 0  # children without a trace, as no function was called often enough to be in it
    failed: dict[str, int] = field(default_factory=dict)  # children without a trace, by reason

    def told(self) -> dict[str, Any]:
        return asdict(self)


class Transfer:
    """From one journal to one trace. No error here reaches the program: the journal is then read to no purpose, as
    segments that nobody deletes would fill the disk.
    """

    def __init__(self, directory: str, output: Output, values: bool) -> None:
        """values: whether the metadata tells any."""
        self.problem: str | None = None
        self.size = 0
        self._directory: Final = directory
        self._output: Final = output
        self._values: Final = values
        self._parts: tuple[Journal, TraceWriter] | None = None

    @property
    def metadata(self) -> dict[str, Any]:
        return {} if self._parts is None else self._parts[0].metadata

    @property
    def rows(self) -> int:
        return 0 if self._parts is None else self._parts[1].rows

    @property
    def functions(self) -> int:
        return 0 if self._parts is None else self._parts[1].functions

    @property
    def dropped(self) -> int:
        return 0 if self._parts is None else self._parts[0].dropped + self._parts[1].dropped

    def turn(self) -> bool:
        """Take what is there; return whether there may be more already."""
        try:
            journal, writer = self._open()
            count = 0
            for rows in journal.read():
                count += 1
                if self.problem is None:
                    writer.add(rows)
            return count > 1
        except Exception as error:
            self._fail(error)
            return False

    def end(self, base: dict[str, Any], status: int | None) -> None:
        """Take the rest. status: of the process; None: not known."""
        while self.turn():
            pass
        try:
            journal, writer = self._open()
            journal.close()
            ran = journal.metadata.pop("ran", True)
            if self.problem is not None:
                writer.abandon()
                return
            program = self._shown(base | journal.metadata)
            if status is not None:
                program["exit"] = status
            if self.dropped or writer.raised:
                program["damaged"] = {"dropped": self.dropped, "out of order": writer.raised}
            writer.close(program, status)
            if not (writer.rows and ran):
                self.problem = "the program did not run"
        except Exception as error:
            self._fail(error)

    def _shown(self, program: dict[str, Any]) -> dict[str, Any]:
        """Without the values that are to be hidden: arguments of commands, and what the text of an error tells."""
        if isinstance(command := program.get("command"), list):
            program["command"] = command[:1] + shown_command(map(str, command[1:]), self._values)
        if isinstance(failure := program.get("failure"), str):
            program["failure"] = failure if self._values else failure.partition("(")[0]
        return program

    def commit(self) -> None:
        try:
            self.size = self._output.commit()
        except OSError as error:
            self._fail(error)

    def _open(self) -> tuple["Journal", "TraceWriter"]:
        if self._parts is None:
            # numpy and pyarrow take longer to import than the program's process to start: not before it.
            from .journal import Journal
            from .writer import TraceWriter

            journal = Journal(self._directory)
            self._parts = journal, TraceWriter(self._output.path, journal.strings)
        return self._parts

    def _fail(self, error: Exception) -> None:
        if self.problem is None:
            lines = str(error).splitlines()
            text = error.strerror if isinstance(error, OSError) and error.strerror else lines[0] if lines else ""
            self.problem = f"{type(error).__name__}: {text}"


class _Child:
    """A process that the program has started or forked."""

    def __init__(self, name: str, process: int, transfer: Transfer, output: Output, file: str) -> None:
        self.name: Final = name
        self.process: Final = process
        self.transfer: Final = transfer
        self.output: Final = output
        self.file: Final = file
        self._descriptor: int | None = None
        with contextlib.suppress(OSError):  # it has ended already
            self._descriptor = os.pidfd_open(process)

    def has_ended(self) -> bool:
        return self._descriptor is None or bool(select.select([self._descriptor], [], [], 0)[0])

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


class Transfers:
    """Those of a program and of its children, until the program ends: children that go on are recorded up to there."""

    def __init__(self, journals: str, output: Output, base: dict[str, Any], values: bool) -> None:
        self._journals: Final = journals
        self._output: Final = output
        self._base: Final = base
        self._values: Final = values
        self._program: Final = Transfer(journals, output, values)
        self._children: Final[dict[str, _Child]] = {}  # that run, by the directory of their journal
        self._done: Final[list[_Child]] = []
        self._seen: Final[set[str]] = set()
        self.failed: Final[dict[str, int]] = {}  # children without a trace, by reason

    def turn(self) -> bool:
        more = self._program.turn()
        for name in self._new():
            self._begin(name)
        for child in list(self._children.values()):
            over = child.has_ended()  # before its journal is read: what it wrote last is there
            more |= child.transfer.turn()
            if over:
                self._end(child)
        return more

    def end(self, status: int | None, more: dict[str, Any]) -> Ended:
        """The program has ended. more: for the metadata."""
        self.turn()
        for child in list(self._children.values()):
            self._end(child)
        written = [child for child in self._done if child.transfer.problem is None and child.transfer.functions]
        children = sorted(os.path.basename(child.file) for child in written)
        self._program.end(self._base | more | ({"children": children} if children else {}), status)
        ended = Ended(dropped=self._program.dropped, problem=self._program.problem)
        if self._program.problem is None:
            self._remove_of_before()
            for child in written:
                child.transfer.commit()
            self._program.commit()
            ended = self._found(written)
        for child in self._done:
            child.output.__exit__(None, None, None)
        return ended

    def _found(self, written: list[_Child]) -> Ended:
        for child in self._done:
            if child.transfer.problem is not None:
                self.failed[child.transfer.problem] = self.failed.get(child.transfer.problem, 0) + 1
        for transfer in (self._program, *(child.transfer for child in self._done)):
            if left_out := transfer.metadata.get(CHILDREN_LEFT_OUT):
                reason = "Python was started with -E, -I or -S"
                self.failed[reason] = self.failed.get(reason, 0) + int(left_out)
        return Ended(
            rows=self._program.rows,
            size=self._program.size,
            dropped=self._program.dropped,
            problem=self._program.problem,
            traces=[self._output.target, *(child.file for child in written if child.transfer.problem is None)],
            idle=sum(child.transfer.problem is None and not child.transfer.functions for child in self._done),
            failed=self.failed,
        )

    def _new(self) -> Iterator[str]:
        with contextlib.suppress(FileNotFoundError):
            for name in sorted(
                os.listdir(self._journals), key=lambda name: [int(part) for part in re.findall(r"\d+", name)]
            ):
                if name not in self._seen and _CHILD.fullmatch(name):
                    self._seen.add(name)
                    yield name

    def _begin(self, name: str) -> None:
        process, program = name.split(".")
        for child in list(self._children.values()):
            if child.process == int(process):  # it runs another program now
                while child.transfer.turn():
                    pass
                self._end(child)
        if len(self._seen) > MOST:
            reason = f"there are more than {MOST:,}"
            self.failed[reason] = self.failed.get(reason, 0) + 1
            shutil.rmtree(os.path.join(self._journals, name), ignore_errors=True)  # then it is not recorded any more
            return
        file = beside(self._output.target, process if program == "1" else name)
        try:
            output = Output(file)
        except OSError as error:
            reason = f"{type(error).__name__}: {error.strerror}"
            self.failed[reason] = self.failed.get(reason, 0) + 1
            shutil.rmtree(os.path.join(self._journals, name), ignore_errors=True)
            return
        transfer = Transfer(os.path.join(self._journals, name), output, self._values)
        self._children[name] = _Child(name, int(process), transfer, output, file)

    def _end(self, child: _Child) -> None:
        del self._children[child.name]
        base = self._base | {"program": os.path.basename(self._output.target)}
        child.transfer.end(base, None)
        child.close()
        self._done.append(child)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(self._journals, child.name))

    def _remove_of_before(self) -> None:
        """The traces of children that an earlier recording has put beside the one that is replaced."""
        from .folder import TraceError
        from .reader import Trace

        with contextlib.suppress(TraceError, OSError), Trace(self._output.target) as trace:
            for name in trace.program.get("children", ()):
                if isinstance(name, str) and re.fullmatch(r"\d+(\.\d+)?", _between(self._output.target, name)):
                    os.unlink(os.path.join(os.path.dirname(self._output.target), name))


def beside(file: str, name: str) -> str:
    """out/t.parquet, 123: out/t.123.parquet"""
    start, end = os.path.splitext(file)
    return f"{start}.{name}{end}"


def _between(file: str, name: str) -> str:
    """What beside() has put into the name; empty: it is no such name."""
    start, end = os.path.splitext(os.path.basename(file))
    if not (name.startswith(f"{start}.") and name.endswith(end)):
        return ""
    return name[len(start) + 1 : len(name) - len(end)]

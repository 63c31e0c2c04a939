"""Compare: a program is recorded into a trace that nobody keeps, and that is replayed when it has ended."""

import contextlib
import sys
from typing import TYPE_CHECKING

from .output import Output
from .record.program import Program
from .trace.supervise import supervised

if TYPE_CHECKING:
    from .against import Base

NOT_COMPARED = 2  # the exit status if there is a base and nothing to compare with it


def compare(
    program: Program, output: str | None, hot_after: int, values: bool = True, base: "Base | None" = None
) -> int:
    """Run program; print the table to stderr when it has ended, as stdout is the program's, and write the replay to
    output.

    "-" is stdout, in place of the table. base: a former run; then what became of its causes is printed in place of the
    table.

    Returns the program's exit status, or minus the signal that killed it; if that is 0 and there is a base, 1 if causes
    rose. Raises OSError before the program runs.
    """
    rose = False
    with contextlib.ExitStack() as stack:
        file = None if output in (None, "-") else stack.enter_context(Output(output or ""))
        recording = stack.enter_context(supervised(program, None, hot_after, values=values))
        problem = recording.ended.problem
        if problem is None:
            found = _Found(recording.ended.traces, hot_after, base)
            rose = found.rose
            if file is not None:
                file.write(found.json())
        with contextlib.suppress(AttributeError, OSError, ValueError):  # stdout and stderr may be closed
            if problem is None:
                found.print(as_json=output == "-")
                if children := recording.children():
                    print(f"depwatch compare: {children.removeprefix('; ')}", file=sys.stderr)
            elif recording.status == 0 or base is not None:
                print(f"depwatch compare: nothing to compare: {problem}", file=sys.stderr)
    if problem is not None:
        return recording.status or (1 if base is None else NOT_COMPARED)
    return recording.status or int(rose)


class _Found:
    """What a program's traces say. What this takes is imported now, not while the program runs."""

    def __init__(self, paths: list[str], hot_after: int, base: "Base | None") -> None:
        from .replay.run import Options, replay_trace

        self._options = Options(hot_after=(hot_after,))
        self._traces = [replay_trace(path, self._options) for path in paths]
        self._compared = None if base is None else base.compared(self._traces, self._options.prices)

    @property
    def rose(self) -> bool:
        """Whether causes drop more code than in the base."""
        return self._compared is not None and bool(self._compared.rose)

    def json(self) -> str:
        from .replay.run import assemble

        return assemble(self._traces, self._options).text()

    def print(self, as_json: bool) -> None:
        from .replay.table import print_traces

        if as_json:
            print(self.json(), flush=True)
        if self._compared is not None:
            print(self._compared.text(), file=sys.stderr)
        elif not as_json:
            print_traces(self._traces, sys.stderr)
        sys.stderr.flush()  # before this process ends as the program did

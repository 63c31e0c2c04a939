"""Processes of their own for the tests without a start of their own: children that one warm parent forks.

A start takes longer than most programs of tests run. What is about starting is started: support.start().
"""

import atexit
import functools
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from support import path_of_tests

LIMIT = 60  # seconds; a child that takes longer is ended, and says where it was
GRACE = 10  # seconds in which it says that
SERVE = "exec(__import__('forked').program(), globals())"


def read_at_start(variables):
    """Those that an interpreter reads when it starts: a child of one that is running would not notice them."""
    return {name: value for name, value in variables.items() if name[:6] == "PYTHON" and name != "PYTHONPATH"}


class Parent:
    """A process that has imported some modules and forks."""

    def __init__(self, *modules, **environment):
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-c", SERVE, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path_of_tests()} | environment,
            bufsize=0,
        )
        self.files = tempfile.TemporaryDirectory(prefix="depwatch-tests-")
        self.environment = environment
        self.read_at_start = read_at_start(os.environ | environment)
        atexit.register(self.end)

    def end(self):
        self.process.stdin.close()
        self.process.wait(LIMIT)
        self.process.stdout.close()
        self.files.cleanup()

    def run(self, program, *arguments, cwd=None, environment=None, input="", original=None, limit=LIMIT):
        """Run a program (its text, or the path of its file) in a child; its CompletedProcess.

        environment: variables that differ from ours; None: there is none of that name. original: sys.orig_argv.
        """
        path = str(program) if isinstance(program, Path) else None
        source = program.read_text(encoding="utf-8") if path else program
        streams = [os.path.join(self.files.name, name) for name in ("in", "out", "err")]
        for stream, text in zip(streams, (input, "", ""), strict=True):
            Path(stream).unlink(missing_ok=True)  # another child that has left a child may still write to the last
            Path(stream).write_text(text, encoding="utf-8")
        variables = {**os.environ, "PYTHONPATH": path_of_tests(), **self.environment, **(environment or {})}
        variables = {name: value for name, value in variables.items() if value is not None}
        if read_at_start(variables) != self.read_at_start:
            command = ["-c", source] if path is None else [path]
            command = ["-m", "depwatch"] if program is AS_MODULE else command
            return subprocess.run(
                [sys.executable, *command, *arguments],
                cwd=cwd,
                env=variables,
                input=input,
                capture_output=True,
                text=True,
                timeout=limit,
            )
        request = {
            "source": source,
            "path": path,
            "arguments": arguments,
            "streams": streams,
            "folder": None if cwd is None else str(cwd),
            "environment": variables,
            "original": original,
        }
        self.process.stdin.write(repr(request).encode() + b"\n")
        pid = int(self.process.stdout.readline())
        late = not self._has_ended(limit)
        if late:
            os.kill(pid, signal.SIGABRT)  # faulthandler, with which the parent runs, writes the stacks
            if not self._has_ended(GRACE):
                os.kill(pid, signal.SIGKILL)
        status = int(self.process.stdout.readline())
        out, err = (Path(stream).read_text(encoding="utf-8") for stream in streams[1:])
        if late:
            err = f"ended by tests/parent.py, as it took longer than {limit} s; it was at:\n{err}"
        return subprocess.CompletedProcess(path or program, status, out, err)

    def _has_ended(self, seconds):
        """Whether the child ends within that time."""
        return bool(select.select([self.process.stdout], [], [], seconds)[0])


@functools.cache
def parent(*modules):
    """The one that has imported these."""
    return Parent(*modules)


COMMANDS = ["runpy", "numpy", "pyarrow.parquet", "rich.console", "depwatch.cli"]
COMMANDS += [f"depwatch.compare.{name}" for name in ("replay.run", "trace.supervise", "trace.journal", "trace.writer")]

AS_MODULE = "import runpy\nrunpy._run_module_as_main('depwatch')"


def depwatch(*arguments, program=AS_MODULE, **options):
    """`python -m depwatch ARGUMENTS` or another program, in a child of one that has imported what the commands do."""
    options["environment"] = {"PYTHONPATH": None} | options.get("environment", {})
    return parent(*COMMANDS).run(
        program, *arguments, original=[sys.executable, "-m", "depwatch", *arguments], **options
    )


def warm():
    """The one for programs that use depwatch: it has imported all that depwatch imports, but not depwatch."""
    return parent("typing", "pyroaring", "struct", "zlib", "bisect")

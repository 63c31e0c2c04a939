"""Measuring in a process of its own: what was measured before has left nothing in its heap."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any


def apart(function: Callable[..., Any], *arguments: Any, tell: Callable[[str], None]) -> Any:
    """What function(*arguments, tell) returns in a new process; what it tells is told here."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sender, function, arguments))
    process.start()
    sender.close()  # or the end of the process would not be the end of the pipe
    try:
        while True:
            kind, value = receiver.recv()
            if kind == "done":
                return value
            tell(value)
    except EOFError:
        process.join()
        sys.exit(f"benchmarks: the process for {function.__name__} ended with {process.exitcode}")
    finally:
        receiver.close()
        process.join()


def here(function: Callable[..., Any], *arguments: Any, tell: Callable[[str], None]) -> Any:
    """The same in this process."""
    return function(*arguments, tell)


def _run(sender: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    result = function(*arguments, lambda text: sender.send(("tell", text)))
    sender.send(("done", result))

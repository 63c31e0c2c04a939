"""Replays the traces of many programs through one executor: of processes on this machine, or of a Dask cluster."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from typing import Final

from depwatch.compare.trace.folder import TraceError, traces_in
from depwatch.compare.trace.reader import Trace

from .parts import Parts
from .result import Replayed
from .run import Options, replay_trace

_PATIENCE: Final = "10s"  # until a scheduler answers


def find_traces(inputs: Sequence[str]) -> list[str]:
    """The files, and the *.parquet files of the folders, in order. Each one's beginning and end are checked.

    Raises TraceError.
    """
    paths = [path for name in inputs for path in traces_in(name)]
    for path in paths:
        Trace(path).close()
    return paths


def replay_traces(
    paths: Sequence[str],
    options: Options,
    scheduler: str | None = None,
    parts: Parts | None = None,
    done: Callable[[str], None] = lambda path: None,
) -> list[Replayed]:
    """What replay_trace() finds in each, in order.

    scheduler: the address of a Dask cluster whose workers see the same files; None: as many processes here as there are
    processors. Results that parts has are taken from there, all others go there at once. done(path) is called when a
    trace is done, in any order. Raises TraceError, and what replay_trace() raises.
    """
    results = {path: result for path in paths if parts is not None and (result := parts.get(path)) is not None}
    for path in results:
        done(path)
    missing = [path for path in dict.fromkeys(paths) if path not in results]
    for path, result in _replayed(missing, options, scheduler):
        if parts is not None:
            parts.put(path, result)
        results[path] = result
        done(path)
    return [results[path] for path in paths]


def _replayed(paths: Sequence[str], options: Options, scheduler: str | None) -> Iterator[tuple[str, Replayed]]:
    """(path, result) in the order in which they are done."""
    processes = min(len(os.sched_getaffinity(0)), len(paths))
    if scheduler is None and processes < 2:  # a process would take longer to start than most traces to replay
        for path in paths:
            yield path, replay_trace(path, options)
        return
    with _cluster(scheduler) if scheduler is not None else _processes(processes) as (executor, worker_died):
        futures: dict[Future[Replayed], str] = {}
        try:
            for path in paths:
                futures[executor.submit(replay_trace, os.path.abspath(path), options)] = path
            for future in as_completed(futures):
                yield futures[future], future.result()
        except worker_died:
            # A pool of processes breaks as a whole: any of those that it had begun can be the cause.
            where = futures[future] if scheduler is not None else f"one of {len(paths)} traces"
            reason = "what replayed it was killed, perhaps for lack of memory"
            raise TraceError(f"{where}: {reason}; use fewer workers, or larger ones") from None
        finally:
            for future in futures:
                future.cancel()


type _Workers = tuple[Executor, type[Exception]]  # and what a result raises whose worker has died


@contextmanager
def _processes(count: int) -> Iterator[_Workers]:
    # Started anew: a fork would copy the locks that the threads of rich and pyarrow hold.
    with ProcessPoolExecutor(count, get_context("spawn"), _end_with_parent) as executor:
        yield executor, BrokenExecutor


def _end_with_parent() -> None:
    """In a worker: end when depwatch is killed, and not before it when somebody interrupts both with Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None

    def wait() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def _cluster(address: str) -> Iterator[_Workers]:
    from distributed import Client, KilledWorker  # the extra `dask`

    try:
        client = Client(address, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise TraceError(f"no Dask scheduler answers at {address}: {error or type(error).__name__}") from None
    with client, client.get_executor(pure=False) as executor:  # the same path may have another content by the next time
        yield executor, KilledWorker

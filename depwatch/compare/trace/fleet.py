"""Replays the traces of many processes: one after another here, or on a Dask cluster; with the same results."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final

from .overview import Tally, tally
from .parts import Parts
from .reader import Trace, TraceError

_PATIENCE: Final = "10s"  # until a scheduler answers

type Result = dict[str, Any]
type Replay[Options] = Callable[[str, Options], Result]  # a module's function: workers import it


class Engine(StrEnum):
    """Where traces are replayed and counted."""

    DUCKDB = "duckdb"  # in this process; DuckDB counts over all files at once
    DASK = "dask"  # a file at a time on the workers of a cluster


def find_traces(inputs: Sequence[str]) -> list[str]:
    """The files, and the *.parquet files of the folders, in order. Each one's beginning and end are checked.

    Raises TraceError.
    """
    paths: list[str] = []
    for name in inputs:
        if os.path.isdir(name):
            found = sorted(entry for entry in os.listdir(name) if entry.endswith(".parquet") and entry[0] != ".")
            if not found:
                raise TraceError(f"{name}: has no traces; name a folder of *.parquet files")
            paths += [os.path.join(name, entry) for entry in found]
        else:
            paths.append(name)
    for path in paths:
        Trace(path).close()
    return paths


def replay_fleet[Options](
    paths: Sequence[str],
    replay: Replay[Options],
    options: Options,
    engine: Engine = Engine.DUCKDB,
    scheduler: str | None = None,
    parts: Parts | None = None,
    done: Callable[[str], None] = lambda path: None,
) -> tuple[list[Result], list[Tally]]:
    """Replay each trace; return their results in order, and what overview() adds up.

    scheduler: the address of a Dask cluster whose workers see the same files; None: one on this machine. Results that
    parts has are taken from there, all others go there at once. done(path) is called when a trace is done, in any
    order. Raises what replay raises, and TraceError.
    """
    results = {path: result for path in paths if parts is not None and (result := parts.get(path)) is not None}
    for path in results:
        done(path)

    def keep(path: str, result: Result) -> None:
        if parts is not None:
            parts.put(path, result)
        results[path] = result
        done(path)

    missing = [path for path in dict.fromkeys(paths) if path not in results]
    if engine is Engine.DUCKDB:
        for path in missing:
            keep(path, replay(os.path.abspath(path), options))
        tallies = [tally(paths)] if paths else []
    else:
        with _cluster(scheduler, len(paths)) as run:
            for path, result in run(replay, missing, options):
                keep(path, result)
            tallies = [each for _, each in run(_tally_one, paths, None)]
    return [results[path] for path in paths], tallies


def _tally_one(path: str, _: None) -> Tally:
    return tally([path])


type _Run = Callable[[Callable[[str, Any], Any], Sequence[str], Any], Iterator[tuple[str, Any]]]


@contextmanager
def _cluster(scheduler: str | None, most: int) -> Iterator[_Run]:
    """How to run a function on paths there; it gives (path, result) in the order in which they are done."""
    try:
        from distributed import Client, KilledWorker, LocalCluster, as_completed
    except ImportError:
        raise TraceError("--engine dask needs more packages: pip install 'depwatch[fleet]'") from None

    def run(function: Callable[[str, Any], Any], paths: Sequence[str], options: Any) -> Iterator[tuple[str, Any]]:
        # Not pure: the same path may have another content by the next time.
        names = {client.submit(function, os.path.abspath(path), options, pure=False): path for path in paths}
        for future in as_completed(list(names)):
            try:
                result = future.result()
            except KilledWorker:
                reason = "the workers that read it died, perhaps for lack of memory"
                raise TraceError(f"{names[future]}: {reason}; use fewer workers, or larger ones") from None
            yield names[future], result
            future.release()

    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=_PATIENCE)
        except (OSError, ValueError) as error:
            raise TraceError(f"no Dask scheduler answers at {scheduler}: {error or type(error).__name__}") from None
        with client:
            yield run
        return
    workers = max(1, min(len(os.sched_getaffinity(0)), most))
    # Below critical, workers log that their scheduler is gone when we close both; what fails comes as an exception.
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            # The scheduler listens for HTTP even without a dashboard, by default on a port that may be taken.
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield run

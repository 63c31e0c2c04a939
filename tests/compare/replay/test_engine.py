"""The engine beside its naive twin, on random small traces, under every policy."""

import tempfile
from pathlib import Path
from typing import Any

from building import Building
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import twin as twin_of

from depwatch.compare.replay._engine import COLUMNS
from depwatch.compare.replay.events import events_of
from depwatch.compare.replay.lineup import LINEUP
from depwatch.compare.trace.reader import Trace

TYPES = ("builtins", "module", "dict", "type", "function")
CHANGES = ("added", "modified", "modified", "modified", "deleted", "mro")


STEPS = ("calls", "calls", "change", "change", "window", "drain", "resolve", "gone", "lost")


@st.composite
def traces(draw: st.DrawFn, windows: bool = True) -> Building:
    building = Building()
    objects = [building.object(draw(st.sampled_from(TYPES))) for _ in range(draw(st.integers(1, 3)))]
    facets = {
        building.facet(home, f"name{i}", draw(st.sampled_from(("global", "function")))): [
            home,
            *(o for o in objects if o != home and draw(st.booleans())),
        ]
        for home in objects
        for i in range(draw(st.integers(1, 2)))
    }
    values = dict.fromkeys(facets, 0)
    functions = [building.function() for _ in range(draw(st.integers(1, 3)))]
    gone: set[int] = set()

    def resolve(function: int) -> None:
        found: list[dict[str, Any]] = []
        for facet in draw(st.lists(st.sampled_from(list(facets)), unique=True, max_size=4)):
            via = draw(st.none() | st.sampled_from(found)) if found else None
            found.append(
                {
                    "facet": facet,
                    "objects": facets[facet],
                    "via": via and via["facet"],
                    "value": values[facet],
                    "patchable": draw(st.booleans()),
                }
            )
        building.resolved(function, found)

    def change(at: int, count: int, has_moments: bool) -> None:
        lying = [facet for facet, places in facets.items() if at in places]
        touched = draw(st.lists(st.sampled_from(lying), unique=True, max_size=2)) if lying else []
        same = draw(st.booleans()) and draw(st.booleans())
        for facet in touched:
            if not same:
                values[facet] = draw(st.sampled_from((-2, -1, 0, 1, 2)))
        counts = [draw(st.integers(1, count)) for _ in touched]
        how: dict[str, Any] = {"same": same, "type": draw(st.sampled_from(CHANGES))}
        if has_moments:
            how["moments"] = draw(st.integers(0, count))
            how["moments_of"] = [draw(st.integers(1, each)) for each in counts]
        building.change(at, [(facet, values[facet]) for facet in touched], count=count, counts=counts, **how)

    for function in functions:
        building.calls(function, draw(st.integers(1, 3)))
        resolve(function)
    for _ in range(draw(st.integers(0, 25))):
        building.passes(draw(st.integers(0, 1000)))
        what = draw(st.sampled_from(STEPS))
        alive = [function for function in functions if function not in gone]
        if what == "calls" and alive:
            building.calls(draw(st.sampled_from(alive)), draw(st.integers(1, 9)))
        elif what == "resolve" and alive:
            resolve(draw(st.sampled_from(alive)))
        elif what == "change" or what == "window":
            is_window = what == "window" and windows
            places = draw(st.lists(st.sampled_from(objects), min_size=1, max_size=3 if is_window else 1))
            counts = [draw(st.integers(2 if len(places) == 1 else 1, 12)) if is_window else 1 for _ in places]
            for at, count in zip(places, counts, strict=True) if is_window else ():
                for function in draw(st.lists(st.sampled_from(alive), unique=True)) if alive else []:
                    moments = draw(st.none() | st.integers(0, count))
                    building.calls(function, draw(st.integers(1, 40)), at, count, moments)
            together = len(places) > 1 or draw(st.booleans())
            for at, count in zip(places, counts, strict=True):
                change(at, count, together and is_window)
        elif what == "drain":
            building.drain()
        elif what == "lost":
            building.drain()
            building.lost(draw(st.sampled_from(list(facets))), draw(st.integers(0, 2)))
        elif what == "gone" and draw(st.booleans()):
            if alive and draw(st.booleans()):
                gone.add(alive[0])
                building.gone(function=alive[0])
            else:
                building.gone(object=draw(st.sampled_from(objects)))
    building.end()
    return building


@settings(max_examples=2 * settings.default.max_examples)
@given(building=traces(), hot_after=st.integers(1, 6), give_up_after=st.integers(1, 3))
def test_the_engine_counts_as_its_naive_twin_does(building: Building, hot_after: int, give_up_after: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        events = events_of(Trace(building.write(Path(directory) / "trace.parquet")))
    for policy in (policy.variant(hot_after, give_up_after) for policy in LINEUP):
        twin = twin_of(policy, building.rows_as_read())
        engine = policy.engine(events)
        counts = dict(zip(COLUMNS, engine.run([])[-1].tolist(), strict=True))
        assert counts == {column: twin.counts[column] for column in COLUMNS}, policy.name
        assert engine.unguarded() == twin.unguarded(), policy.name

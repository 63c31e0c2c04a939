"""The verdict says what the numbers are, in three sentences that stay true whatever they are."""

import copy
import random
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depwatch.compare.counts import COUNTS
from depwatch.compare.replay.result import Replay
from depwatch.compare.report.contents import Contents
from depwatch.compare.report.figures import NBSP
from depwatch.compare.report.page import render
from pages.made import LINEUP, PRICES, trace


def typed(data: dict[str, Any]) -> Replay:
    return msgspec.convert(data, Replay)


def findings(data: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        tuple(text.replace(NBSP, " ") for text in (finding.figure, finding.label, finding.sentence))
        for finding in Contents(typed(data), []).findings
    ]


def program(dropped: dict[str, int], **more: dict[str, int]) -> dict[str, Any]:
    """One with these drops by policy; more: other counts by policy. All else is nothing."""
    made = trace(0, random.Random(1), variants=False)
    for totals in made["totals"].values():
        totals.update(changes=0)
    made["policies"] = [policy for policy in made["policies"] if policy["policy"] in dropped]
    for policy in made["policies"]:
        for phase in ("whole", "startup", "rest"):
            policy[phase] = dict.fromkeys(COUNTS, 0) | {"cold_share": 0.0}
        policy["whole"] |= {"dropped": dropped[policy["policy"]]} | more.get(policy["policy"], {})
        policy["cost"] = {"numba": policy["whole"]["dropped"] * 1e9}
    made["lifetimes"] = {"edges": [0, 1], "broken": [0], "still_held": [0]}
    return made


def replay_of(*programs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"format": 2, "depwatch": "0.1.0", "prices": {"numba": PRICES["numba"]}, "traces": list(programs)} | more


@pytest.fixture
def full() -> dict[str, Any]:
    dropped = {
        "bulk_by_object": 1000,
        "bulk_by_facet": 120,
        "bulk_by_facet_capped": 40,
        "healing": 30,
        "granular": 2,
    }
    one = program(
        dropped,
        bulk_by_object={"needlessly": 880},
        healing={"resumed": 10, "recompiled": 20},
        granular={"patches": 1, "guards": 10**6},
    )
    other = copy.deepcopy(one)
    other["policies"][0]["whole"]["needlessly"] = 1000
    one["lifetimes"] |= {"broken": [3], "still_held": [997]}
    other["lifetimes"] |= {"broken": [0], "still_held": [1000]}
    one["totals"]["whole"]["changes"], one["totals"]["startup"]["changes"] = 400, 100
    return replay_of(one, other)


def test_the_three_findings(full: dict[str, Any]) -> None:
    assert findings(full) == [
        (
            "0.15 %",
            "of the dependencies broke",
            "Of 2,000 dependencies that the hot functions of 2 programs had, 3 broke (0.15 %), while the objects that "
            "they lie in changed 400 times, 25 % of that at start-up.",
        ),
        (
            "94 %",
            "of what bulk by object dropped was dropped needlessly",
            "Bulk invalidation by object dropped optimized code 2,000 times, 94 % of that needlessly, as no value that "
            "it relied on had changed; bulk by facet 240, that with unstable facets given up 80, that with healing 60 "
            "(and 20 came back as they were) and granular patching 4 (and rewrote 2 places).",
        ),
        (
            "4 s",
            "is the least that a policy costs, as numba is priced",
            "At the prices of numba, no policy costs less than “granular (A)” (4 s in all) and none more than “bulk by "
            "object (B)” (33.3 min, 500 times as much); “healing (depwatch)” and “granular (A)” cost the same where a "
            "recompile takes 20 µs.",
        ),
    ]


def test_the_findings_where_nothing_happened() -> None:
    assert findings(replay_of(program({"bulk_by_object": 0, "granular": 0}))) == [
        ("0", "dependencies", "The hot functions of 1 program depended on nothing that can change."),
        (
            "–",
            "of what bulk by object dropped was dropped needlessly",
            "Bulk invalidation by object dropped optimized code 0 times; granular patching 0 (and rewrote 0 places).",
        ),
        (
            "0 s",
            "is the least that a policy costs, as numba is priced",
            "At the prices of numba, all 2 policies cost the same, 0 s in all.",
        ),
    ]


def test_a_policy_that_not_all_programs_have_is_not_compared(full: dict[str, Any]) -> None:
    full["traces"][1]["policies"] = full["traces"][1]["policies"][-1:]
    _, granularity, price = findings(full)
    assert granularity == (
        "1",
        "policies compared on all programs",
        "Optimized code was dropped: granular (A) 4 (and rewrote 2 places).",
    )
    assert price[2] == "At the prices of numba, all 1 policy cost the same, 4 s in all."


def test_without_prices_no_costs_are_compared(full: dict[str, Any]) -> None:
    full["traces"][1]["policies"][0]["cost"] = {}
    assert findings(full)[2] == (
        "–",
        "no prices",
        "No price list was applied to all 2 programs, so no costs are compared.",
    )


def test_policies_that_never_cost_the_same_are_said_to(full: dict[str, Any]) -> None:
    for granular in (one["policies"][-1]["whole"] for one in full["traces"]):
        granular["guards"] = granular["patches"] = 0
    assert findings(full)[2][2].endswith(
        "; there is no price of a recompile at which “healing (depwatch)” and “granular (A)” cost the same."
    )


counts = st.sampled_from([0, 0, 1, 2, 50, 10**6, 2**63 - 1])
amounts = st.sampled_from([0.0, 5e-324, 0.3, 12.0, 1e9, 1e30])


@st.composite
def replays(draw: st.DrawFn) -> dict[str, Any]:
    """Valid, and otherwise anything."""
    names = draw(st.lists(st.sampled_from([name for name, *_ in LINEUP]), unique=True, min_size=1))
    programs = []
    for _ in range(draw(st.integers(1, 3))):
        had = [name for name in names if draw(st.integers(0, 9))] or names[:1]
        made = program({name: draw(counts) for name in had})
        for policy in made["policies"]:
            for phase in ("whole", "startup", "rest"):
                policy[phase] |= {column: draw(counts) for column in COUNTS}
            policy["give_up_after"] = draw(st.sampled_from([None, 1, 6]))
            policy["cost"] = {name: draw(amounts) for name in draw(st.sets(st.sampled_from(["numba", "x"])))}
        bins = draw(st.integers(0, 3))
        made["lifetimes"] = {
            "edges": [float(edge) for edge in range(bins + 1)],
            "broken": [draw(counts) for _ in range(bins)],
            "still_held": [draw(counts) for _ in range(bins)],
        }
        made["timeline"] = {
            "edges": [0.0] * (bins + 1),
            "changes": [draw(counts) for _ in range(bins)],
            "breaks": [draw(counts) for _ in range(bins)],
            "dropped": {name: [draw(counts) for _ in range(bins)] for name in [*had, "unknown"]},
        }
        made["causes"] = {name: dict.fromkeys(("changes", "breaks", "handles_hit"), draw(counts)) for name in "ab"}
        made["facets"] = made["facets"][: draw(st.integers(0, 3))]
        made["seconds"], made["startup_seconds"] = draw(amounts), draw(amounts)
        made["totals"]["whole"]["calls"] = draw(counts)
        programs.append(made)
    return replay_of(*programs)


@given(replays())
def test_any_valid_replay_gives_three_sentences_and_a_page(data: dict[str, Any]) -> None:
    found = findings(data)
    assert len(found) == 3
    for figure, label, sentence in found:
        assert figure and label
        assert re.fullmatch(r"[A-Z][^.]*(?:[.]\d[^.]*)*[.]", sentence), sentence  # one, however many decimals
        assert not re.search(r"\bnan\b|\binf\b|None|e\+", sentence), sentence
    page = render(typed(data), ["a.json"])
    assert page.count('<p class="sentence">') == 3
    assert not re.search(r">\s*(nan|inf|None)\b", page)

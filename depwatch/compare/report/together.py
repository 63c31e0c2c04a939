"""Several replays as one."""

from collections.abc import Sequence
from itertools import combinations

from depwatch.compare.replay import FORMAT
from depwatch.compare.replay.result import Corpus, Replay


def together(replays: Sequence[tuple[str, Replay]]) -> Replay:
    """Their traces one after the other. Raises ValueError where they do not fit.

    replays: each with the name that an error calls it by.
    """
    if len(replays) == 1:
        return replays[0][1]
    for (name, one), (other_name, other) in combinations(replays, 2):
        for prices in one.prices.keys() & other.prices.keys():
            if one.prices[prices] != other.prices[prices]:
                raise ValueError(
                    f"{name} and {other_name} have different prices under the name {prices!r}: "
                    "replay their traces with the same --prices"
                )
    return Replay(
        format=FORMAT,
        depwatch=", ".join(dict.fromkeys(replay.depwatch for _, replay in replays)),
        prices={name: prices for _, replay in replays for name, prices in replay.prices.items()},
        traces=[trace for _, replay in replays for trace in replay.traces],
        corpus=_both([replay.corpus for _, replay in replays if replay.corpus is not None]),
    )


def _both(corpora: Sequence[Corpus]) -> Corpus | None:
    if not corpora:
        return None
    return Corpus(
        programs=sum(corpus.programs for corpus in corpora),
        missing=[name for corpus in corpora for name in corpus.missing],
    )

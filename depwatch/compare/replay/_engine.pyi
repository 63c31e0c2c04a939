from collections.abc import Sequence
from enum import IntEnum
from typing import final

from .events import Events, Numbers

class Mechanism(IntEnum):
    BULK = 0
    GRANULAR = 1
    REVALIDATION = 2
    HEALING = 3

class Step(IntEnum):
    COMPILED = 0
    DROPPED = 1
    RESUMED = 2

COLUMNS: tuple[str, ...]

@final
class Engine:
    def __init__(
        self,
        events: Events,
        mechanism: Mechanism,
        by_object: bool,
        hot_after: int,
        limits: Numbers,
        bloom: bool,
    ) -> None: ...
    def run(self, stops: Numbers | Sequence[int]) -> Numbers: ...
    def keep_history(self) -> None: ...
    def steps(self) -> Numbers: ...
    def spread(self) -> list[bool]: ...
    def unguarded(self) -> tuple[int, int]: ...
    def sets_made(self) -> Numbers: ...
    def breaks_counted(self) -> Numbers: ...
    def restores_counted(self) -> Numbers: ...
    def drops_counted(self) -> Numbers: ...
    def lifetimes(self) -> tuple[list[int], list[int]]: ...

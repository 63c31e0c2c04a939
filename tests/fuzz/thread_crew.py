"""The threads of a crew, what each owns and what all share, and what acts in between."""

import random
import threading
from collections.abc import Callable
from typing import Any

import depwatch
from fuzz.thread_lives import Hearing, Life, Piece

# What a thread can be told that does what it may while others do what they may.
DOCUMENTED = (depwatch.DepwatchError, NameError, KeyError)
SLOTS = 8  # of what all have at hand: few, so that several threads come to have the same in hand
MAX_DEPTH = 2  # of acts, one inside the other

type Deed = Callable[["Member"], None]


class Crew:
    """All members, and what they share."""

    def __init__(self, seed: int, size: int, acts: dict[Deed, int]) -> None:
        self.seed = seed
        self.failures: list[BaseException] = []
        self.resting = False  # once set, nobody acts any more
        self.hot: list[Any] = [None] * SLOTS
        self.disputed: Any = None  # what several threads are at
        self.ring: list[depwatch.Handle] = []
        self.where: dict[str, int] = {}
        self._acts = acts
        self._here = threading.local()
        self.members: list[Member] = []
        for number in range(size):
            self.members.append(Member(self, number))

    def fail(self, error: BaseException) -> None:
        self.failures.append(error)
        self.resting = True

    def come(self, member: "Member | None") -> None:
        """This thread is that member's from now on."""
        self._here.member = member

    def act(self, where: str) -> None:
        """One of the acts, in whichever thread it is; called by what runs in the middle of something else."""
        member: Member | None = getattr(self._here, "member", None)
        if member is None or self.resting or member.depth >= MAX_DEPTH:
            return
        member.depth += 1
        self.where[where] = self.where.get(where, 0) + 1
        try:
            member.do(self._acts)
        except BaseException as error:
            self.fail(error)
        finally:
            member.depth -= 1


class Member:
    """One thread of the crew, and what it owns."""

    def __init__(self, crew: "Crew", number: int) -> None:
        self.crew, self.number = crew, number
        self.chance = random.Random(f"{crew.seed} {number}")
        self.counts: dict[str, int] = {}
        self.depth = 0  # of acts, one inside the other
        self.lives = [self.new_life() for _ in range(2)]
        self.pieces: list[Piece] = []  # that rely on these lives; others add and release some, too
        self.hearings: list[Hearing] = []
        self.references: list[Any] = []

    def new_life(self) -> Life:
        return Life(self.chance, self.crew.act)

    def do(self, deeds: "dict[Deed, int]") -> None:
        """One of them. Raises Wrong, and what is not documented."""
        deed = self.chance.choices(list(deeds), deeds.values())[0]
        name = deed.__name__.replace("_", " ")
        try:
            deed(self)
        except DOCUMENTED as error:
            name = f"{name}: {type(error).__name__}"
        self.counts[name] = self.counts.get(name, 0) + 1

    def some_life(self) -> Life:
        whose = self if self.chance.random() < 0.6 else self.chance.choice(self.crew.members)
        return self.chance.choice(whose.lives)

    def piece(self) -> Piece | None:
        pieces = self.chance.choice(self.crew.members).pieces[:]
        return self.chance.choice(pieces) if pieces else None

    def hot(self, *kinds: type) -> Any:
        """Something that all have at hand; None if there is none of these kinds."""
        found = [each for each in self.crew.hot[:] if isinstance(each, kinds)]
        return self.chance.choice(found) if found else None

    def heat(self, each: Any) -> None:
        self.crew.hot[self.chance.randrange(SLOTS)] = each

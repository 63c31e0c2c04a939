"""Makes a hot function's handles: the dependencies are looked up once, and every policy gets the same ones."""

from collections.abc import Iterable
from types import FrameType
from typing import Final

from . import bytecode
from .facets import Facets
from .functions import Function, Functions
from .healing import Healing
from .lineup import ALL, HEALING
from .policies import Bulk, Granular
from .resolve import Found, Resolver, type_of_first_argument
from .streams import Streams


class Compiler:
    def __init__(
        self,
        facets: Facets,
        functions: Functions,
        simulated: dict[int, Bulk | Granular],
        healing: Healing,
        streams: Streams,
    ) -> None:
        self.missing = 0  # look-ups that found nothing: NameError, or an attribute made by __getattr__
        self.unwatchable = 0
        self._facets: Final = facets
        self._functions: Final = functions
        self._simulated: Final = simulated
        self._healing: Final = healing
        self._streams: Final = streams

    def compile(self, function: Function, frame: FrameType, policies: Iterable[int]) -> list[int]:
        """Make function's handle under these policies; return those that had dropped it before.

        function is about to run in frame. It stays cold under healing if something changed meanwhile.
        """
        self._bury()
        policies = tuple(policies)
        found = self._find(function, frame, must=HEALING in policies)
        again = []
        for policy in policies:
            calls = function.cold.pop(policy, 0)  # before it can be dropped again
            if policy != HEALING:
                if self._simulated[policy].compile(function.number, function.dependencies):
                    again.append(policy)
            elif not self._healing.commit(function, found):
                function.cold[HEALING] = calls  # try again at the next call
        owners = {each.facet.owner.number: each.owner for each in found}
        if not self._streams.follow_objects(function.dependencies, owners):
            function.resolved = (-1, 0)
        return again

    def renew(self, function: Function, frame: FrameType) -> None:
        """Make handles in place of those that are valid: one object that they were about died, which is no change."""
        valid = [policy for policy in ALL if policy not in function.cold]
        self.compile(function, frame, (HEALING, *(p for p in valid if p != HEALING)))

    def _find(self, function: Function, frame: FrameType, must: bool) -> list[Found]:
        """Look up the dependencies, unless they are known to be the same as before: then the list is empty."""
        code = frame.f_code
        argument = type_of_first_argument(code, frame)
        seen = (len(function.lines), id(argument))
        if not must and seen == function.resolved and function.number not in self._streams.structural:
            return []
        uses = function.uses
        if uses is None:
            uses = bytecode.uses(code)
            if function.resolved is not None:
                function.uses = uses
        self._streams.structural.discard(function.number)
        resolver = Resolver(self._facets, frame, argument)
        resolver.resolve(uses, function.lines)
        self.missing += resolver.missing
        self.unwatchable += resolver.unwatchable
        found = list(resolver.found.values())
        function.dependencies = tuple(each.dependency for each in found)
        function.resolved = seen
        self._streams.follow(function.number, found)
        return found

    def _bury(self) -> None:
        """Forget the functions and objects that died. That is no change of them."""
        for function in self._functions.take_dead():
            self._healing.release(function)
            self._streams.forget_function(function.number)
            for policy in self._simulated.values():
                policy.forget_function(function.number)
        for dead, facets in self._facets.take_dead():
            self._streams.forget_object(dead.number, facets)
            for policy in self._simulated.values():
                for key in (dead.number, *(facet.number for facet in facets)):
                    policy.forget_key(key)

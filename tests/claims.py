"""A claim: what depwatch says of one value, beside what Python finds there now. No claim may ever be stale."""

import depwatch
from support import UNKNOWN, same, seen_in

MISSING = object()
_mro = type.__dict__["__mro__"].__get__
_dict = type.__dict__["__dict__"].__get__


def along_the_mro(cls, name):
    """What instances of cls find, without the caches of CPython and whatever the metaclass says."""
    return next((_dict(base)[name] for base in _mro(cls) if name in _dict(base)), MISSING)


class Claim:
    """One value, assumed by a handle, guarded by a cell, and kept current in another."""

    def __init__(self, log, read, owner, name, truth, label):
        recorder = depwatch.Recorder(label, unstable_after=None)
        self.label, self.truth = label, truth
        self.value = getattr(recorder, read)(owner, name)
        assert same(self.value, truth())
        self.guard = recorder.guard_cell(owner, name)
        self.cell = recorder.value_cell(owner, name, "object")
        self.handle = log.commit(recorder)

    def holds(self):
        return same(self.truth(), self.value)

    def check(self):
        """Nothing that depwatch claims is stale, drained or not."""
        now = self.truth()
        holds = same(now, self.value)
        assert holds or not self.handle.valid
        assert holds or not self.guard.holds
        assert self.cell.value is UNKNOWN or self.cell.value is now

    def check_settled(self):
        """After a drain, it claims all that is true, too."""
        self.check()
        now = self.truth()
        assert self.handle.valid is self.guard.holds is same(now, self.value)
        assert self.cell.value is (UNKNOWN if now is MISSING else now)


class Claims:
    """All claims of a test, and the log in which everything that their handles are told is found."""

    def __init__(self, log):
        self.log, self.all = log, []

    def _add(self, *arguments):
        self.all.append(Claim(self.log, *arguments))
        return self.all[-1]

    def of_attribute(self, cls, name):
        def truth():
            return along_the_mro(cls, name)

        return self._add("read_type_attr", cls, name, truth, f"{cls.__name__}.{name} {len(self.all)}")

    def of_global(self, owner, name):
        """owner: a function, or a dict for one that is made there: only functions keep their builtins."""
        function = seen_in(owner) if isinstance(owner, dict) else owner
        globals_, builtins = function.__globals__, function.__builtins__

        def truth():
            return globals_[name] if name in globals_ else builtins.get(name, MISSING)

        return self._add("read_global", function, name, truth, f"global {name} {len(self.all)}")

    def of_module(self, module, name):
        def truth():
            return getattr(module, name, MISSING)

        return self._add("read_attr", module, name, truth, f"module {name} {len(self.all)}")

    def settled(self):
        """Nothing is stale, before and after a drain; what the handles were told meanwhile, sorted."""
        for claim in self.all:
            claim.check()
        told = sorted(self.log.drained())
        for claim in self.all:
            claim.check_settled()
        return told

    def changed(self, *claims):
        """These claims, and no others, have just stopped to hold, without a drain until now."""
        assert [claim.handle.broken for claim in claims] == [1] * len(claims)
        assert self.settled() == sorted(("invalidated", claim.label) for claim in claims)

    def restored(self, *claims):
        """These claims, and no others, hold again."""
        assert self.settled() == sorted(("resumed", claim.label) for claim in claims)
        assert all(claim.handle.valid for claim in claims)

    def unchanged(self):
        """Nothing has happened that anybody was told of."""
        assert self.settled() == []

"""`pytest --depwatch-leaks`: which test left a global, attribute or function changed, and where (docs/pytest.md)."""

import fnmatch
import json
import os
import sys
import sysconfig
import threading
import unittest
import weakref
from collections import Counter, defaultdict, namedtuple
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

import _pytest
import pytest

import depwatch

PYTEST, UNITTEST = (os.path.join(*package.__path__, "") for package in (_pytest, unittest))
LIBRARY: Final = sysconfig.get_path("stdlib")
NEVER: Final = {"depwatch", "pytest", "_pytest", "pluggy", "xdist", "execnet", "iniconfig", "py", "__main__", ""}
BY_PYTHON: Final = (
    "__warningregistry__ __annotations__ __annotations_cache__ __builtins__ __spec__ __loader__ __file__ __cached__"
)
SCALARS: Final = set(map(id, (int, float, complex, str, bytes, bool, type(None), type(...), range, CodeType)))
CONTAINERS: Final[dict[int, Any]] = {id(list): tuple, id(tuple): tuple} | dict.fromkeys(
    map(id, (set, frozenset, dict)), frozenset
)
DEPTH: Final = 12  # to which values are compared
FIELDS: Final = ("test", "scope", "thread", "name", "old", "new", "file", "line")  # of a leak, in the JSON
names_in_module, names_in_class = vars(ModuleType)["__dict__"].__get__, vars(type)["__dict__"].__get__
qualname_of, bases_of = vars(type)["__qualname__"].__get__, vars(type)["__bases__"].__get__
all_threads = getattr(threading, "_dangling", None) or threading.enumerate()  # those that have ended, too

Changed = namedtuple("Changed", "watch key old new file line thread importing")  # a name with another value than before
Span = namedtuple("Span", "test scope home changed")  # a test, a fixture of wider scope, or no test; what changed then


def is_a(value: Any, kind: type) -> bool:
    return issubclass(type(value), kind)  # isinstance() would run the __class__ of the program's value


def parts_of(value: Any) -> list[Any]:
    """A class or function itself, the functions of a method or a property; of other values nothing."""
    value = value.__func__ if is_a(value, staticmethod) or is_a(value, classmethod) else value
    parts = (value.fget, value.fset, value.fdel) if type(value) is property else (value,)
    return [part for part in parts if type(part) is FunctionType or is_a(part, type)]


def full_name(value: Any) -> str:
    """The dotted name of a module, a class or a function; "" of anything else."""
    names: tuple[Any, ...] = (names_in_module(value).get("__name__"),) if is_a(value, ModuleType) else ()
    if is_a(value, type):
        names = names_in_class(value).get("__module__"), qualname_of(value)
    elif type(value) is FunctionType:
        names = value.__module__, value.__qualname__
    return ".".join(name for name in names if type(name) is str)


def state_of(owner: Any) -> dict[str, Any]:
    """What can change in a module, a class or a function, by name."""
    if type(owner) is FunctionType:
        keywords = {f"__kwdefaults__[{name!r}]": value for name, value in (owner.__kwdefaults__ or {}).items()}
        return {"__code__": owner.__code__, "__defaults__": owner.__defaults__} | keywords
    names = (names_in_class(owner) if is_a(owner, type) else names_in_module(owner)).copy()
    if is_a(owner, type):  # the two Nones: these attributes would keep the class alive
        names |= {"__bases__": bases_of(owner), "__dict__": None, "__weakref__": None}
    return {name: value for name, value in names.items() if type(name) is str}


def id_of_type(value: Any) -> int:
    return id(type(value))  # a type may have an __eq__ and a __hash__ of the program's


def form_of(value: Any, other: Callable[[Any], Any] = id, depth: int = DEPTH) -> Any:
    """Equal forms: the values are equal and of built-in types, or classes or functions of the same code."""
    kind, parts = id_of_type(value), parts_of(value) if depth else []
    if kind in SCALARS:
        return kind, value
    if kind in CONTAINERS and depth:
        items = value.items() if type(value) is dict else value
        return kind, CONTAINERS[kind](form_of(each, other, depth - 1) for each in items)
    if is_a(value, type) and depth < DEPTH:
        return full_name(value)  # a class in another one has a finding of its own
    if parts and parts[0] is value:
        return full_name(value), form_of(state_of(value), id_of_type if is_a(value, type) else id, depth - 1)
    return (kind, *(form_of(each, id, depth - 1) for each in parts)) if parts else other(value)


def words(value: Any) -> str:
    """The value in short words; no __repr__ of the program's is called."""
    kind, name = id_of_type(value), full_name(value)
    if type(value) is CodeType:
        return f"<code {value.co_qualname}>"
    if kind in SCALARS or kind in CONTAINERS:
        inner = (*value, *(value.values() if type(value) is dict else ())) if kind in CONTAINERS else ()
        short = len(inner) <= 20 and all(id_of_type(each) in SCALARS for each in inner)
        text = repr(value) if short else f"<{type(value).__name__} of {len(value)} items>"
        return text if len(text) <= 80 else f"{text[:77]}..."
    what = "class" if is_a(value, type) else "module" if is_a(value, ModuleType) else "function"
    if value is depwatch.MISSING:
        return "absent"
    return f"<{what} {name}>" if name else f"<{qualname_of(type(value))} object>"


class Watch:
    """One module, class or function, and its values at the last comparison."""

    def __init__(self, watches: "Watches", owner: Any, name: str) -> None:
        self.watches, self.name, self.owner = watches, name, weakref.ref(owner, self.forget)
        self.is_function, self.before = type(owner) is FunctionType, state_of(owner)
        self.writes: dict[str | None, tuple[Any, ...]] = {}  # the last one of each name
        self.subscription = depwatch.subscribe(self.changed, owner)

    def changed(self, event: depwatch.Event) -> None:
        watches, owner, thread, loading = self.watches, self.owner(), "MainThread", []
        if event.thread != watches.main_thread:
            thread = [*(each.name for each in all_threads if each.ident == event.thread), str(event.thread)][0]
        elif watches.loading:
            modules = [module for each in watches.loading.values() if (module := each()) is not None]
            specs = [(module, names_in_module(module).get("__spec__")) for module in modules]
            loading = [id(module) for module, spec in specs if getattr(spec, "_initializing", False) is True]
            if id(owner) in loading:  # it makes the values that it begins with
                self.before = state_of(owner)
                watches.look_at(event.new)
        if event.facet is None:
            self.writes.clear()  # what concerns all names is later than what concerned one
        self.writes[event.facet] = id(event.new), event.filename, event.lineno, thread, bool(loading)
        watches.touched[self] = None

    def changes(self, dropped: bool) -> Iterator[Changed]:
        owner, before, writes = self.owner(), self.before, self.writes
        now, self.writes = before if owner is None else state_of(owner), {}
        self.before = now
        for key in [key for key in before | now if before.get(key, self) is not now.get(key, self)]:
            old, new = before.get(key, depwatch.MISSING), now.get(key, depwatch.MISSING)
            last = writes.get(key.partition("[")[0].strip("_") if self.is_function else key) or writes.get(None)
            if last is None or (dropped and last[0] != id(new)):
                last = new, None, None, "unknown", False
            yield Changed(self, key, old, new, *last[1:])

    def forget(self, _: object = None) -> None:
        self.subscription.cancel()
        self.before = {}


class Watches:
    """All that is watched."""

    def __init__(self, root: str, not_under_test: set[str], added: list[str], omitted: list[str]) -> None:
        self.root, self.omitted, self.packages = root, omitted, set(added)
        self.watched: dict[int, Watch] = {}  # by the id of the owner
        self.touched: dict[Watch, None] = {}
        self.loading: dict[
            str, weakref.ref[ModuleType]
        ] = {}  # what was imported for the first time since the last comparison
        self.known, self.main_thread = set(sys.modules), threading.main_thread().ident
        self.package_of_file: dict[str, str] = {}
        for module in filter(self.in_root, list(sys.modules.values())):
            found = {full_name(value).partition(".")[0] for value in (module, *state_of(module).values())}
            self.packages |= found - ((NEVER | not_under_test | sys.stdlib_module_names) - set(added))
        self.watch_modules()
        self.of_modules = depwatch.subscribe(self.imported, sys.modules)
        self.dropped = depwatch.stats()["details_dropped"]

    def in_root(self, module: Any) -> bool:
        file = str(names_in_module(module).get("__file__")) if is_a(module, ModuleType) else ""
        return file.startswith(self.root) and "site-packages" not in file

    def watch_modules(self) -> None:
        for name, module in list(sys.modules.items()):
            self.watch_module(name, module)

    def watch_module(self, name: str, module: Any) -> None:
        package = name.partition(".")[0]
        if name in ("builtins", "sys"):
            self.watch(module, name)
        elif is_a(module, ModuleType) and (package in self.packages or (package not in NEVER and self.in_root(module))):
            self.packages.add(package)
            self.package_of_file[str(names_in_module(module).get("__file__"))] = package
            self.watch(module, name)
            self.look_at(*state_of(module).values())

    def look_at(self, *values: Any) -> None:
        """Watch the classes and functions of the packages under test among these values."""
        for each in (part for value in values for part in parts_of(value)):
            name = full_name(each)
            if name.partition(".")[0] in self.packages and self.watch(each, name) and is_a(each, type):
                self.look_at(*state_of(each).values())

    def watch(self, owner: Any, name: str) -> bool:
        known = self.watched.get(id(owner))
        if known is not None and known.owner() is owner:
            return False
        if not any(fnmatch.fnmatchcase(name, each) or name.startswith(f"{each}.") for each in self.omitted):
            self.watched[id(owner)] = Watch(self, owner, name)
        return True

    def imported(self, event: depwatch.Event) -> None:
        """Told of each change of sys.modules, and so of a new module before its code runs."""
        module: Any = sys.modules.get(event.facet or "")
        if event.facet and is_a(module, ModuleType) and id(module) not in self.watched:
            self.loading |= {event.facet: weakref.ref(module)} if event.facet not in self.known else {}
            self.watch_module(event.facet, module)

    def changes(self) -> list[Changed]:
        """What has changed since the last call."""
        count = depwatch.stats()["details_dropped"]  # this drains
        dropped, self.dropped = count != self.dropped, count
        touched, self.touched = list(self.watched.values() if dropped else self.touched), {}
        found = [changed for watch in touched for changed in watch.changes(dropped)]
        self.known |= set(self.loading)
        self.loading.clear()
        for part in [part for changed in found for part in parts_of(changed.old)]:
            if (watch := self.watched.pop(id(part), None)) is not None:
                watch.forget()  # or it would keep a class alive; if that is elsewhere, too, it is watched again
        if dropped or any(parts_of(changed.old) or parts_of(changed.new) for changed in found):
            self.watch_modules()
        return found


class Leaks:
    """The plugin of a run: attributes each change to a span, judges it, and reports it."""

    def __init__(self, config: pytest.Config, mode: str) -> None:
        self.config, self.mode, self.root = config, mode, str(config.rootpath) + os.sep
        self.spans = [Span(None, "none", None, {})]  # the innermost is the last
        self.of_fixtures: dict[int, Span] = {}
        self.left: defaultdict[Any, list[tuple[Any, str]]] = defaultdict(
            list
        )  # old values, and which test replaced them
        self.filled: set[Any] = set()
        self.found: list[dict[str, Any]] = []  # since the last report
        self.all: list[dict[str, Any]] = []
        file = config.getoption("depwatch_leaks_baseline")
        self.baseline = [(each["test"], each["name"]) for each in json.loads(Path(file).read_text())] if file else []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        is_worker = hasattr(self.config, "workerinput")
        if not is_worker and self.config.getoption("dist", "no") != "no":
            return (yield)  # the workers of xdist run the tests
        files = [file for _, plugin in self.config.pluginmanager.list_plugin_distinfo() for file in plugin.files or ()]
        self.test_files = {str(item.path) for item in session.items if isinstance(item, pytest.Function)}
        names = (self.config.getoption(f"depwatch_leaks_{what}") for what in ("add", "omit"))
        self.watches = Watches(self.root, {file.parts[0] for file in files}, *names)
        try:
            return (yield)
        finally:
            self.settle(ends=True)
            for ending in (self.watches.of_modules, *(each.subscription for each in self.watches.watched.values())):
                ending.cancel()
            if is_worker:
                self.config.__dict__["workeroutput"]["depwatch_leaks"] = self.found
            self.all += self.found

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.all += getattr(node, "workeroutput", {}).get("depwatch_leaks", [])

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.all += getattr(report, "depwatch_leaks", [])

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self.settle(ends=True)
        self.spans.append(Span(item.nodeid, "function", None, {}))
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, Any, Any]:
        if fixturedef.scope == "function":
            return (yield)
        node = request.node
        span = Span(node.nodeid or "session", fixturedef.scope, getattr(node, "obj", None), {})
        self.of_fixtures[id(fixturedef)] = span
        self.enter(span)
        try:
            return (yield)
        finally:
            self.settle()
            self.spans.pop()
            fixturedef.addfinalizer(lambda: self.enter(span))  # runs before the other ones of the fixture

    def pytest_fixture_post_finalizer(self, fixturedef: Any) -> None:
        if self.of_fixtures.get(id(fixturedef)) is self.spans[-1]:
            self.settle(ends=True)
            self.spans.pop()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        report = yield
        if call.when == "teardown":
            self.settle(ends=True)
            self.spans[1:] = []
            report.depwatch_leaks, self.found = self.found, []
            leaks = [in_words(each) for each in report.depwatch_leaks if each["kind"] == "leak" and each["test"]]
            if leaks and self.mode == "error" and report.passed:
                report.outcome, report.longrepr = "failed", "\n".join(["depwatch: left changed", *leaks])
        return report

    # --- judging ------------------------------------------------------------------------------------------------------

    def enter(self, span: Span) -> None:
        self.settle()
        self.spans.append(span)

    def settle(self, *, ends: bool = False) -> None:
        """Attribute to the innermost span what has changed; if the span ends, find what it leaves changed."""
        span = self.spans[-1]
        for each in self.watches.changes():
            at = each.watch, each.key
            span.changed[at] = each._replace(old=span.changed.get(at, each).old)
        for each in list(span.changed.values()) if ends else []:
            if each.old is not each.new and each.old is not each.watch.before.get(each.key, depwatch.MISSING):
                name, file = f"{each.watch.name}.{each.key}", each.file and each.file.removeprefix(self.root)
                kind = self.judge(each, span, name)
                values = span.test, span.scope, each.thread, name, words(each.old), words(each.new), file, each.line
                self.found.append(dict(zip(FIELDS, values, strict=True)) | {"kind": kind})
        if ends:
            span.changed.clear()

    def judge(self, each: Changed, span: Span, name: str) -> str:
        """The kind of a change that was not put back."""
        at, file, form = (each.watch, each.key), each.file or "", form_of(each.new)
        for i, (value, test) in enumerate(self.left[at]):
            if (value is each.new or form_of(value) == form) and each.new is each.watch.before.get(
                each.key, depwatch.MISSING
            ):
                del self.left[at][i:]
                return f"undoes the leak of {test}"
        is_mock, filled = file.endswith("mock.py"), each.old is None or each.old is depwatch.MISSING
        if (form_of(each.old) == form and parts_of(each.new)) or (file.startswith(UNITTEST) and not is_mock):
            return "nothing"
        if each.key in BY_PYTHON.split() or name == "builtins._":
            return "declared: Python's own"
        if form_of(each.old) == form:
            return "made anew and equal, no leak"
        if file.startswith(PYTEST) and not file.endswith("monkeypatch.py"):
            return "declared: pytest's own"
        if each.importing or (file.startswith("<frozen importlib") and each.old is depwatch.MISSING):
            return "declared: by the first import"
        if span.home is not None and each.watch.owner() is span.home:
            return "declared: in the test class or module itself"
        if each.new is not depwatch.MISSING and filled and not is_mock:
            if file.startswith(LIBRARY) and each.key.startswith("__"):
                return "declared: Python's own"
            if at not in self.filled and self.is_own(each.watch.name.partition(".")[0], file):
                self.filled.add(at)
                return "declared: filled once by its own package"
        self.left[at].append((each.old, span.test))
        return "accepted" if (span.test, name) in self.baseline else "leak"

    def is_own(self, package: str, file: str) -> bool:
        """Whether the file belongs to the package and has no tests."""
        folders = os.path.relpath(file or ".", self.root).split(os.sep)
        is_test = file in self.test_files or folders[-1] == "conftest.py" or not {"test", "tests"}.isdisjoint(folders)
        return bool(file) and not is_test and self.watches.package_of_file.get(file) == package

    # --- reporting ----------------------------------------------------------------------------------------------------

    def pytest_sessionfinish(self) -> None:
        file = self.config.getoption("depwatch_leaks_json")
        if file and not hasattr(self.config, "workerinput"):
            leaks = [{name: each[name] for name in FIELDS} for each in self.all if each["kind"] in ("leak", "accepted")]
            Path(file).write_text(json.dumps(leaks, indent=1) + "\n")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        leaks, more = defaultdict(list), []
        for each in self.all:
            if each["kind"] == "leak":
                leaks[each["name"]].append(in_words(each))
            elif self.mode == "all" or each["kind"].startswith(("undoes", "made anew")):
                more.append(f"  {in_words(each)} ({each['kind']})")
        terminalreporter.section("depwatch: what tests left changed")
        lines = []
        for name, places in sorted(leaks.items(), key=lambda group: (-len(group[1]), group[0])):
            shown = places if self.mode == "all" else places[:5]
            lines += [f"{name}, left changed by {len(places)}:", *(f"  {place}" for place in shown)]
            lines += [f"  and {len(places) - 5} more: --depwatch-leaks=all"] * (len(places) > len(shown))
        lines += ["no leaks:", *more] if more else []
        count = Counter(each["kind"] for each in self.all)
        lines.append(f"{count['leak']} leaks, {count['accepted']} accepted by the baseline")
        for line in lines:
            terminalreporter.write_line(line)


def in_words(leak: dict[str, Any]) -> str:
    scope = "" if leak["scope"] in ("none", "function") else f" ({leak['scope']})"
    thread = "" if leak["thread"] in ("MainThread", "unknown") else f", by thread {leak['thread']}"
    where = f"{leak['file']}:{leak['line']}" if leak["file"] else "line unknown"
    test = leak["test"] or "while no test ran"
    return f"{test}{scope}: {leak['name']}: {leak['old']} → {leak['new']}, {where}{thread}"


def pytest_addoption(parser: pytest.Parser) -> None:
    group, name = parser.getgroup("depwatch"), "--depwatch-leaks"
    modes = {
        "warn": "say at the end what tests left changed",
        "error": "and fail them",
        "all": "and show what is declared",
    }
    for mode, text in modes.items():  # an option with an optional value would take the path that follows it
        names = [name] * (mode == "warn") + [f"{name}={mode}"]
        group.addoption(*names, action="store_const", const=mode, dest="depwatch_leaks", help=text)
    group.addoption(f"{name}-json", metavar="FILE", help="write the leaks to this file")
    group.addoption(f"{name}-baseline", metavar="FILE", help="accept the leaks in this file, made by -json")
    for what, text in (
        ("add", "watch this package, too"),
        ("omit", "leave out names that match, such as shop.cache.*"),
    ):
        group.addoption(f"{name}-{what}", metavar="NAME", action="append", default=[], help=text)


def pytest_configure(config: pytest.Config) -> None:
    if mode := config.getoption("depwatch_leaks"):
        if os.environ.get("DEPWATCH") == "0":
            raise pytest.UsageError("--depwatch-leaks sees no change while DEPWATCH=0 is set: unset it")
        config.pluginmanager.register(Leaks(config, mode), "depwatch-leaks")

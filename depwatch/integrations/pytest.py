"""`pytest --depwatch-leaks`: which test left a global, attribute or function changed, and where (docs/pytest.md)."""

import fnmatch
import inspect
import json
import os
import sys
import threading
import types
import unittest
import weakref
from collections import Counter, defaultdict, namedtuple
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import depwatch
from depwatch.integrations.contents import MISSING, contents_of, file_of, form_of, full_name, is_a, parts_of, words

RUNNERS: Final = tuple(os.path.join(os.path.dirname(inspect.getfile(part)), "") for part in (pytest.Item, unittest))
IMPORT: Final = "<frozen importlib._bootstrap>"
NEVER: Final = {"depwatch", "pytest", "_pytest", "pluggy", "xdist", "execnet", "iniconfig", "py", "__main__", ""}
BY_PYTHON: Final = ("__annot", "__builtins__", "__slotnames__", "__spec__", "__warningregistry__")  # they begin so
LAZY_IMPORT: Final = getattr(types, "LazyImportType", None)  # CPython 3.15 has them
FIELDS: Final = ("test", "scope", "thread", "name", "old", "new", "file", "line")  # of a leak, in the JSON

Write = namedtuple("Write", "file line thread importing")  # importing: that thread ran a module for the first time
Changed = namedtuple("Changed", "watch key old new write")  # a name that has another value; its last write
Span = namedtuple("Span", "test scope home changed")  # a test, a fixture of wider scope, or no test; what changed then
NOT_TOLD: Final = Write(None, None, "unknown", False)


class Watch:
    """One module, class or function, and what it contained at the last comparison."""

    def __init__(self, watches: "Watches", owner: Any, name: str) -> None:
        self.watches, self.name, self.owner = watches, name, weakref.ref(owner, self.forget)
        self.writes = dict[Any, Write]()
        self.subscription = depwatch.subscribe(self.written, owner)
        self.before = contents_of(owner)

    def written(self, event: depwatch.Event) -> None:
        if event.facet is None:
            self.writes.clear()  # what concerns all names is later than what concerned one
        is_main = event.thread == threading.main_thread().ident
        names = {} if is_main else {each.ident: each.name for each in threading.enumerate()}
        thread = "MainThread" if is_main else names.get(event.thread, "that has ended")
        importing = event.thread in self.watches.importing.values()
        self.writes[event.facet] = Write(event.filename, event.lineno, thread, importing)
        self.watches.touched[self] = None

    def changes(self, lost: bool) -> Iterator[Changed]:
        owner, before, writes = self.owner(), self.before, {} if lost else self.writes
        now = before if owner is None else contents_of(owner)
        self.writes, is_function = {}, type(owner) is types.FunctionType
        for key in before | now if is_function or not writes or None in writes else writes:
            old, new = before.get(key, MISSING), now.get(key, MISSING)
            if old is not new:
                before[key] = new  # only this one: what was written since the drain has an event to come
                facet = key.partition("[")[0].strip("_") if is_function else key
                yield Changed(self, key, old, new, writes.get(facet) or writes.get(None, NOT_TOLD))

    def forget(self, _: object = None) -> None:
        self.subscription.cancel()
        self.before = {}


class Watches:
    """All that is watched."""

    def __init__(self, config: pytest.Config) -> None:
        self.root, self.omitted = str(config.rootpath) + os.sep, config.getoption("depwatch_leaks_omit")
        self.packages = set(config.getoption("depwatch_leaks_add"))
        self.watched, self.touched = dict[int, Watch](), dict[Watch, None]()  # the former by the id of the owner
        self.package_of_file: dict[str, str] = {}
        self.imported, self.importing = set(sys.modules), dict[str, int]()  # the latter with their threads
        self.look_at(sys.modules)  # those in the rootdir, and then the packages from which they import anything
        plugins = [file for _, plugin in config.pluginmanager.list_plugin_distinfo() for file in plugin.files or ()]
        values = [value for watch in self.watched.values() for value in watch.before.values()]
        never = NEVER | sys.stdlib_module_names | {file.parts[0].partition(".")[0] for file in plugins}
        self.packages |= {full_name(value).partition(".")[0] for value in values} - never
        self.look_at(sys.modules)
        self.subscription = depwatch.subscribe(self.modules_changed, sys.modules)
        self.dropped = depwatch.stats()["details_dropped"]

    def modules_changed(self, event: depwatch.Event) -> None:
        """An import stores the module in sys.modules, runs it, takes it out and stores it again."""
        name = event.facet or ""
        if event.change == depwatch.Change.ADDED and event.filename == IMPORT and name not in self.imported:
            self.imported.add(name)
            self.importing[name] = event.thread
        else:
            self.importing.pop(name, None)
            self.look_at({name: sys.modules.get(name)})

    def look_at(self, modules: dict[str, Any]) -> None:
        """Watch those of the packages under test, and their classes and functions, if they are not watched yet."""
        owners, seen = [], set[int]()
        for name, module in list(modules.items()):
            package, file = name.partition(".")[0], file_of(module)
            if package not in NEVER and file.startswith(self.root) and "site-packages" not in file:
                self.packages.add(package)
            if name in ("builtins", "sys") or (package in self.packages and name not in self.importing):
                self.package_of_file[file] = package
                owners += [(name, module)] * is_a(module, types.ModuleType)
        for name, owner in owners:  # which grow
            if id(owner) not in seen and not any(fnmatch.fnmatchcase(f"{name}.", f"{each}.*") for each in self.omitted):
                seen.add(id(owner))
                if id(owner) not in self.watched or self.watched[id(owner)].owner() is not owner:
                    self.watched[id(owner)] = Watch(self, owner, name)
                parts = [(full_name(part), part) for value in contents_of(owner).values() for part in parts_of(value)]
                owners += [(name, part) for name, part in parts if name.partition(".")[0] in self.packages]

    def changes(self) -> list[Changed]:
        """What has changed since the last call."""
        dropped, self.dropped = self.dropped, depwatch.stats()["details_dropped"]  # this drains
        if lost := self.dropped != dropped:
            self.importing.clear()
        touched, self.touched = list(self.watched.values() if lost else self.touched), {}
        found = [changed for watch in touched for changed in watch.changes(lost)]
        for part in [part for changed in found for part in parts_of(changed.old)]:
            if (watch := self.watched.pop(id(part), None)) is not None:
                watch.forget()  # or it would keep a class alive; if that is elsewhere, too, it is watched again
        if lost or any(parts_of(changed.old) or parts_of(changed.new) for changed in found):
            self.look_at(sys.modules)
        return found


class Leaks:
    """The plugin of a run: attributes each change to a span, judges it, and reports it."""

    def __init__(self, config: pytest.Config, mode: str) -> None:
        self.config, self.mode = config, mode
        self.spans = [Span(None, "none", None, {})]  # the innermost is the last
        self.left = defaultdict[Any, list[tuple[Any, Any, str]]](list)  # what leaks replaced, its form, and which test
        self.filled: set[Any] = set()
        self.found, self.all = list[dict[str, Any]](), list[dict[str, Any]]()  # since the last report; in the run
        file = config.getoption("depwatch_leaks_baseline")
        self.baseline = [(each["test"], each["name"]) for each in json.loads(Path(file).read_text())] if file else []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        is_worker = hasattr(self.config, "workerinput")
        if not is_worker and self.config.getoption("dist", "no") != "no":
            return (yield)  # the workers of xdist run the tests
        self.test_files = {str(item.path) for item in session.items if isinstance(item, pytest.Function)}
        self.watches = Watches(self.config)
        try:
            return (yield)
        finally:
            self.settle(ends=True)
            self.watches.subscription.cancel()
            for watch in self.watches.watched.values():
                watch.forget()
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
        span = Span(request.node.nodeid or "session", fixturedef.scope, getattr(request.node, "obj", None), {})
        fixturedef.addfinalizer(lambda: self.leave(ends=True))  # the last of the fixture's finalizers
        self.enter(span)
        try:
            return (yield)
        finally:
            self.leave()
            fixturedef.addfinalizer(lambda: self.enter(span))  # the first one

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        report = yield
        if call.when == "teardown":
            self.leave(ends=True)
            report.depwatch_leaks, self.found = self.found, []
            leaks = [in_words(each) for each in report.depwatch_leaks if each["kind"] == "leak" and each["test"]]
            if leaks and self.mode == "error" and report.passed:
                report.outcome, report.longrepr = "failed", "\n".join(["depwatch: left changed", *leaks])
        return report

    def enter(self, span: Span) -> None:
        self.settle()
        self.spans.append(span)

    def leave(self, *, ends: bool = False) -> None:
        self.settle(ends=ends)
        self.spans.pop()

    def settle(self, *, ends: bool = False) -> None:
        """Attribute to the innermost span what has changed; if the span ends, find what it leaves changed."""
        span = self.spans[-1]
        for each in self.watches.changes():
            at = each.watch, each.key
            span.changed[at] = each._replace(old=span.changed.get(at, each).old)
        for each in list(span.changed.values()) if ends else []:
            now, (file, line, thread, _) = each.watch.before.get(each.key, MISSING), each.write
            if each.old is not each.new and each.old is not now:
                name, file = f"{each.watch.name}.{each.key}", file and file.removeprefix(self.watches.root)
                values = span.test, span.scope, thread, name, words(each.old), words(each.new), file, line
                kind = self.judge(each, span, name, stays=each.new is now)
                self.found.append(dict(zip(FIELDS, values, strict=True)) | {"kind": kind})
        if ends:
            span.changed.clear()

    def judge(self, each: Changed, span: Span, name: str, *, stays: bool) -> str:
        """The kind of a change that was not put back."""
        at, file, form, old_form = (each.watch, each.key), each.write.file or "", form_of(each.new), form_of(each.old)
        for i, (value, its_form, test) in enumerate(self.left[at] if stays else ()):
            if value is each.new or its_form == form:
                del self.left[at][i:]
                return f"undoes the leak of {test}"
        if each.key.startswith(BY_PYTHON) or name == "builtins._" or (file == IMPORT and each.key.startswith("__")):
            return "declared: Python's own"
        if old_form == form:
            return "declared: of the same code" if parts_of(each.new) else "made anew and equal, no leak"
        if file.startswith(RUNNERS) and not file.endswith(("mock.py", "monkeypatch.py")):
            return "declared: by pytest or unittest itself"
        if each.write.importing or type(each.old) is LAZY_IMPORT or (file == IMPORT and each.old is MISSING):
            return "declared: by the first import"
        if span.home is not None and each.watch.owner() is span.home:
            return "declared: in the test class or module itself"
        is_filled = (each.old is None or each.old is MISSING) and each.new is not MISSING
        if is_filled and at not in self.filled and self.is_own(each.watch.name.partition(".")[0], file):
            self.filled.add(at)
            return "declared: filled once by its own package"
        self.left[at].append((each.old, old_form, span.test))
        return "accepted" if (span.test, name) in self.baseline else "leak"

    def is_own(self, package: str, file: str) -> bool:
        """Whether the file belongs to the package and has no tests."""
        if self.watches.package_of_file.get(file) != package or file in self.test_files:
            return False
        return {"test", "tests", "conftest.py"}.isdisjoint(os.path.relpath(file, self.watches.root).split(os.sep))

    def pytest_sessionfinish(self) -> None:
        if (file := self.config.getoption("depwatch_leaks_json")) and not hasattr(self.config, "workerinput"):
            leaks = [{name: each[name] for name in FIELDS} for each in self.all if each["kind"] in ("leak", "accepted")]
            Path(file).write_text(json.dumps(leaks, indent=1) + "\n")

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        leaks, more, lines = defaultdict[str, list[str]](list), list[str](), list[str]()
        for each in self.all:
            if each["kind"] == "leak":
                leaks[each["name"]].append(f"  {in_words(each)}")
            elif self.mode == "all" or not each["kind"].startswith(("accepted", "declared")):
                more.append(f"  {in_words(each)} ({each['kind']})")
        for name, places in sorted(leaks.items(), key=lambda group: -len(group[1])):
            shown = places if self.mode == "all" else places[:5]
            lines += [f"{name}, left changed by {len(places)}:", *shown]
            lines += [f"  and {len(places) - 5} more: --depwatch-leaks=all"] * (len(places) > len(shown))
        lines += ["no leaks:", *more] if more else []
        count = Counter(each["kind"] for each in self.all)
        lines.append(f"{count['leak']} leaks, {count['accepted']} accepted by the baseline")
        terminalreporter.section("depwatch: what tests left changed")
        terminalreporter.write_line("\n".join(lines))


def in_words(leak: dict[str, Any]) -> str:
    test, scope, thread, name, old, new, file, line = (leak[field] for field in FIELDS)
    scope = "" if scope in ("none", "function") else f" ({scope})"
    thread = "" if thread in ("MainThread", "unknown") else f", by thread {thread}"
    where = f"{file}:{line}" if file else "line unknown"
    return f"{test or 'while no test ran'}{scope}: {name}: {old} → {new}, {where}{thread}"


def pytest_addoption(parser: pytest.Parser) -> None:
    group, name = parser.getgroup("depwatch"), "--depwatch-leaks"
    modes = {"warn": "say at the end what tests left changed", "error": "and fail them", "all": "and show all"}
    for mode, text in modes.items():  # an option with an optional value would take the path that follows it
        names = [name, f"{name}={mode}"] if mode == "warn" else [f"{name}={mode}"]
        group.addoption(*names, action="store_const", const=mode, dest="depwatch_leaks", help=text)
    group.addoption(f"{name}-json", metavar="FILE", help="write the leaks to this file")
    group.addoption(f"{name}-baseline", metavar="FILE", help="accept the leaks in this file, made by -json")
    watched = {"add": "watch this package, too", "omit": "leave out names that match, such as shop.cache.*"}
    for what, text in watched.items():
        group.addoption(f"{name}-{what}", metavar="NAME", action="append", default=[], help=text)


def pytest_configure(config: pytest.Config) -> None:
    if mode := config.getoption("depwatch_leaks"):
        if os.environ.get("DEPWATCH") == "0":
            raise pytest.UsageError("--depwatch-leaks sees no change while DEPWATCH=0 is set: unset it")
        config.pluginmanager.register(Leaks(config, mode), "depwatch-leaks")

"""What a corpus consists of, as its TOML file says; benchmarks/corpus.toml explains the keys."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from string import Formatter
from typing import Any, Final

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
_PINNED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,._-]+\])?==[0-9][A-Za-z0-9.!+_-]*")
PLACEHOLDERS: Final = frozenset({"programs", "site", "sources", "stdlib", "benchmarks"})


class CorpusError(Exception):
    """The corpus cannot be used; the text is one line."""


class Kind(StrEnum):
    """Whether what hot code looks up is rebound while a program runs."""

    QUIET = "quiet"
    MUTATING = "mutating"


class Chosen(StrEnum):
    """How a program came into the corpus; corpus/rule.md has the rules."""

    HAND = "hand"
    PYPERFORMANCE = "pyperformance"
    RANK = "rank"


@dataclass(frozen=True, slots=True)
class Entry:
    """A program of the corpus."""

    name: str
    kind: Kind
    why: str  # it is of that kind
    command: tuple[str, ...]  # what follows `python`, with placeholders
    packages: tuple[str, ...] = ()  # name==version each; none: the program runs in the environment of depwatch itself
    from_source: tuple[str, ...] = ()  # names of packages
    sources: tuple[str, ...] = ()  # name==version each: sdists that are unpacked, as wheels have no tests
    chosen: Chosen = Chosen.HAND


@dataclass(frozen=True, slots=True)
class Corpus:
    path: Path
    programs: Path  # the directory of the scripts that belong to the corpus
    constraints: Path | None  # pins what the packages need in turn
    entries: tuple[Entry, ...]

    def scripts(self, entry: Entry) -> list[Path]:
        """The files of the corpus that entry's command names."""
        return [Path(part.format_map(_Only(self.programs))) for part in entry.command if "{programs}" in part]


class _Only(dict[str, str]):
    """Leaves all placeholders but {programs}."""

    def __init__(self, programs: Path) -> None:
        super().__init__(programs=str(programs))

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def load(path: Path) -> Corpus:
    """Read and check a corpus. Raises CorpusError."""
    try:
        with open(path, "rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: no TOML: {error}") from None
    table = _Table(data, str(path))
    programs = path.parent / table.text("programs", "")
    constraints = table.text("constraints", "")
    if constraints and not (path.parent / constraints).is_file():
        raise CorpusError(f"{path}: constraints: there is no file {constraints!r} beside it")
    entries = tuple(_entries(table))
    table.end()
    corpus = Corpus(path, programs, path.parent / constraints if constraints else None, entries)
    for entry in entries:
        for script in corpus.scripts(entry):
            if not script.is_file():
                raise CorpusError(f"{path}: program {entry.name!r}: there is no {script.name} in {programs}")
    return corpus


def _entries(table: "_Table") -> Iterator[Entry]:
    programs = table.take("program", list, [])
    if not programs:
        raise CorpusError(f"{table.where}: no [[program]] in it")
    names = set()
    for number, program in enumerate(programs, 1):
        if not isinstance(program, dict):
            raise CorpusError(f"{table.where}: program {number} is {program!r}, no table: write [[program]]")
        entry = _entry(_Table(program, f"{table.where}: program {program.get('name', number)!r}"))
        if entry.name in names:
            raise CorpusError(f"{table.where}: two programs are called {entry.name!r}")
        names.add(entry.name)
        yield entry


def _entry(table: "_Table") -> Entry:
    name = table.text("name")
    if not _NAME.fullmatch(name):
        raise CorpusError(f"{table.where}: name: only lower-case letters, digits, '.', '_' and '-'")
    kind = table.one_of("kind", Kind)
    chosen = table.one_of("chosen", Chosen, Chosen.HAND)
    command = table.texts("command")
    if not command or (command[0] == "-m" and len(command) < 2):
        raise CorpusError(f"{table.where}: command is empty: give a script, or '-m' and a module")
    for part in command:
        _check_placeholders(part, table.where)
    packages, sources = table.texts("packages", ()), table.texts("sources", ())
    for package in packages + sources:
        if not _PINNED.fullmatch(package):
            raise CorpusError(f"{table.where}: package {package!r} is not pinned: write name==version")
    if sources and not packages:
        raise CorpusError(f"{table.where}: sources without packages: they are unpacked into the environment of these")
    from_source = table.texts("from_source", ())
    entry = Entry(name, kind, table.text("why"), command, packages, from_source, sources, chosen)
    table.end()
    return entry


def _check_placeholders(part: str, where: str) -> None:
    try:
        used = {name for _, name, _, _ in Formatter().parse(part) if name is not None}
    except ValueError as error:
        raise CorpusError(f"{where}: command: {part!r}: {error}") from None
    if unknown := used - PLACEHOLDERS:
        known = ", ".join(f"{{{name}}}" for name in sorted(PLACEHOLDERS))
        raise CorpusError(f"{where}: command: no placeholder is called {{{min(unknown)}}}; there are {known}")


class _Table:
    """A table of the file whose keys are taken out one by one: what is left over is a mistake."""

    def __init__(self, data: dict[str, Any], where: str) -> None:
        self._rest = dict(data)
        self.where = where

    def take(self, key: str, kind: type, default: Any = None) -> Any:
        value = self._rest.pop(key, default)
        if value is None:
            raise CorpusError(f"{self.where}: {key} is missing")
        if not isinstance(value, kind):
            raise CorpusError(f"{self.where}: {key} is {value!r}; it must be a {_WORDS[kind]}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        text: str = self.take(key, str, default)
        return text

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        values = self.take(key, list, None if default is None else list(default))
        for value in values:
            if not isinstance(value, str):
                raise CorpusError(f"{self.where}: {key} has {value!r} in it; it must be a list of strings")
        return tuple(values)

    def one_of[Member: StrEnum](self, key: str, members: type[Member], default: Member | None = None) -> Member:
        value = self.text(key, default)
        if value not in tuple(members):
            raise CorpusError(
                f"{self.where}: {key} is {value!r}; it must be {' or '.join(map(repr, map(str, members)))}"
            )
        return members(value)

    def end(self) -> None:
        if self._rest:
            raise CorpusError(f"{self.where}: no key is called {min(self._rest)!r}")


_WORDS: Final[dict[type, str]] = {str: "string", list: "list"}

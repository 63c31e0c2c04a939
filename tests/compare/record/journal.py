"""Reads a journal into rows with names, for the tests: slow, and strict about what must not be there."""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NULL = 0xFFFFFFFF
_KINDS = ["object", "facet", "function", "dependency", "resolved", "calls"]
_KINDS += ["change", "value", "drain", "gone", "tick", "end", "lost"]
_ROW = struct.Struct("<QQIIIIIiIIIIBB2xI")
SAME, SAME_GIVEN, PATCHABLE, PATCHABLE_GIVEN, CALLS, COUNT, VALUE = (1 << bit for bit in range(7))


@dataclass
class Journal:
    rows: list[dict[str, Any]] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    json: dict[str, Any] = field(default_factory=dict)
    bytes: int = 0

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["kind"] in kinds]


def read(directory: Path) -> Journal:
    journal = Journal()
    paths = sorted(directory.glob("*.journal"))
    assert [path.name for path in paths] == [f"{number:08}.journal" for number in range(len(paths))]
    for path in paths:
        data = path.read_bytes()
        magic, used, closed = data[:8], *struct.unpack_from("<QQ", data, 8)
        assert magic == b"DWJRNL1\n"
        assert len(data) == min(512 << 10 << int(path.stem), 4 << 20)
        assert used % 64 == 0
        if used == 0 and path is paths[-1]:
            continue  # a spare one
        journal.bytes += used
        _read_segment(journal, data[64 : 64 + used])
        if not closed:
            later = paths[paths.index(path) + 1 :]
            assert all(struct.unpack_from("<Q", spare.read_bytes(), 8)[0] == 0 for spare in later)
            break
    return journal


def _read_segment(journal: Journal, data: bytes) -> None:
    at = 0
    while at < len(data):
        entry = _ROW.unpack_from(data, at)
        time, calls, function, object_, facet, via, count, value, line, type_, name, file, kind, flags, moments = entry
        at += 64
        if kind >= 254:
            text = data[at : at + count].decode("utf-8", "surrogatepass")
            at += (count + 63) // 64 * 64
            if kind == 254:
                journal.json |= json.loads(text)
            else:
                assert name == len(journal.strings)
                assert count <= 1000
                journal.strings.append(text)
            continue
        row: dict[str, Any] = {"kind": _KINDS[kind], "time": time}
        for key, number in (("function", function), ("object", object_), ("facet", facet), ("via", via)):
            if number != NULL:
                row[key] = number
        for key, number in (("type", type_), ("name", name), ("file", file)):
            if number != NULL:
                row[key] = journal.strings[number]
        for key, number, given in (("calls", calls, CALLS), ("count", count, COUNT), ("value", value, VALUE)):
            if flags & given:
                row[key] = number
            else:
                assert number == 0, (key, row)
        if line:
            row["line"] = line
        if moments != NULL:
            row["moments"] = moments
        if flags & SAME_GIVEN:
            row["same"] = bool(flags & SAME)
        if flags & PATCHABLE_GIVEN:
            row["patchable"] = bool(flags & PATCHABLE)
        assert not journal.rows or time >= journal.rows[-1]["time"]
        journal.rows.append(row)


def story(journal: Journal) -> list[str]:
    """What the journal says of the program's own functions and of what they depend on, in words.

    Calls are told before each change of what they depend on: a tick, which comes at any time, may have had them before.
    """
    names = {key: {row[key]: row["name"] for row in journal.of(key)} for key in ("object", "function", "facet")}
    own = {row["function"] for row in journal.of("function") if row["file"].startswith("<program>/")}
    objects = {row["object"] for row in journal.of("dependency") if row["function"] in own}
    found: dict[int, set[int]] = {function: set() for function in own}
    depends: dict[int, set[int]] = {}
    calls: dict[int, int] = {}
    told_calls: dict[int, int] = {}
    told: list[str] = []
    for row in journal.rows:
        kind, function = row["kind"], row.get("function")
        if function is not None and function not in own:
            continue
        if kind == "calls":
            calls[function] = row["calls"]
        elif kind == "dependency":
            found[function].add(row["object"])
        elif kind == "resolved":
            depends[function] = depends.get(function, set()) | found[function]  # some policy may go on with what was
            found[function] = set()
        elif kind == "change":
            for each in sorted(depends):
                if row["object"] in depends[each] and calls.get(each, 0) != told_calls.get(each, 0):
                    told_calls[each] = calls[each]
                    told.append(f"{names['function'][each]}: {calls[each]} calls")
        if function is not None or kind == "drain" or row.get("object") in objects:
            told += _in_words(row, names)
    return told


def _in_words(row: dict[str, Any], names: dict[str, dict[int, str]]) -> list[str]:
    function, object_ = names["function"].get(row.get("function", -1)), names["object"].get(row.get("object", -1))
    facet = names["facet"].get(row.get("facet", -1))
    count = f" x{row['count']}" if row.get("count", 1) != 1 else ""
    match row["kind"]:
        case "function":
            return [f"function {function}"]
        case "dependency":
            via = f" via {names['facet'][row['via']]}" if "via" in row else ""
            rigid = "" if row["patchable"] else ", not patchable"
            return [f"{function} needs {facet} in {object_}{via}: {row.get('type')} {row['value']}{rigid}"]
        case "resolved":
            return [f"{function} is resolved at {row['calls']}"]
        case "change":
            place = f" at {row['file'].removeprefix('<program>/')}:{row['line']}" if "file" in row else ""
            return [f"{object_} {row['type']}{count}{place}"]
        case "value":
            return [f"{facet}: {row.get('type')} {row['value']}{', the same' if row['same'] else ''}{count}"]
        case "gone":
            return [f"{function or object_} is gone"]
        case "drain":
            return ["drain"]
    return []

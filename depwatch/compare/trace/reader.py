"""Opens a trace and gives its columns as arrays of numbers."""

import json
import os
import stat
from importlib.metadata import version
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .entries import ENTRY, NULL, NUMBER, ROWS
from .folder import TraceError
from .schema import OLDEST, SCHEMA, VERSION, Row

NO_VALUE: Final = -(1 << 31)  # null in the column `value`
_MAGIC: Final = b"PAR1"
_LONGEST: Final = 9  # digits of a version
_SMALLEST: Final = 12  # bytes: two magics and the length of a footer
_FLAGS: Final = ("same", "patchable")
_TEXTS: Final = ("type", "name", "file")
_NULLS: Final = {"calls": 0, "count": 0, "line": 0, "value": NO_VALUE}


# What pyarrow raises for bytes that make no sense: names that are no UTF-8 are a ValueError.
_UNREADABLE: Final = (OSError, pa.ArrowException, ValueError, KeyError, IndexError)


class Trace:
    """A trace, opened. Raises TraceError, at once or when a column is read.

    Cost: the footer is read at once; each column when it is first asked for.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Final = os.fspath(path)
        self.strings: Final[list[str]] = []  # of the text columns that have been read so far
        self._numbers: Final[dict[str, int]] = {}
        self._columns: Final[dict[str, Any]] = {}
        self._file: Final = self._opened()
        try:
            self.program: Final = self._checked()
        except BaseException:
            self._file.close()
            raise
        self.rows: Final[int] = self._file.metadata.num_rows

    @property
    def complete(self) -> bool:
        """Whether the trace goes to the program's end. If not, it goes as far as it goes."""
        return self.rows > 0 and self.column("kind")[-1] == NUMBER[Row.END]

    @property
    def exit(self) -> int | None:
        """The program's exit status, or minus the signal that killed it; None: not known."""
        status = self.program.get("exit")
        return status if isinstance(status, int) else None

    @property
    def seconds(self) -> float:
        """Until the last row."""
        return int(self.column("time")[-1]) / 1e9 if self.rows else 0.0

    def column(self, name: str) -> Any:
        """A column of the schema, read once.

        kind is the number of the row's kind in schema.Row; type, name and file are numbers of self.strings; same and
        patchable are 1 or 0. Null is 0xffffffff in these texts, function, object, facet, via and moments; NO_VALUE in
        value; -1 in same and patchable; 0 in calls, count and line.
        """
        if name not in self._columns:
            groups = [self._group(number, name) for number in range(self._file.num_row_groups)]
            column = np.concatenate([np.empty(0, _dtype(name)), *groups])
            if len(column) != self.rows:
                raise self._error(f"is damaged: its footer says {self.rows:,} rows, its row groups {len(column):,}")
            self._columns[name] = column
        return self._columns[name]

    def close(self) -> None:
        """Columns that have been read stay."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _error(self, text: str) -> TraceError:
        return TraceError(f"{self.path}: {text}")

    def _opened(self) -> Any:
        try:
            status = os.stat(self.path)
            if not stat.S_ISREG(status.st_mode):
                raise self._error("is no file; name a trace that `depwatch record` wrote")
            with open(self.path, "rb") as file:
                begin = file.read(len(_MAGIC))
                file.seek(-min(status.st_size, len(_MAGIC)), os.SEEK_END)
                end = file.read()
        except OSError as error:
            raise self._error(f"cannot be opened: {error.strerror}") from None
        if begin != _MAGIC:
            raise self._error(f"is no Parquet file: it begins with {begin!r}, not {_MAGIC!r}")
        if end != _MAGIC or status.st_size < _SMALLEST:
            raise self._error(
                f"is truncated: {status.st_size:,} bytes are there, and the end of a Parquet file is not among them; "
                "copy it again, or record again"
            )
        try:
            return pq.ParquetFile(self.path, page_checksum_verification=True)
        except _UNREADABLE as error:
            raise self._error(f"is damaged: its footer cannot be read: {_first_line(error)}") from None

    def _checked(self) -> dict[str, Any]:
        """Whether the file is a trace that we can read; what ran."""
        try:
            metadata = self._file.metadata.metadata or {}
            schema = self._file.schema_arrow
        except _UNREADABLE as error:
            raise self._error(f"is damaged: its footer cannot be read: {_first_line(error)}") from None
        self._check_version(metadata.get(b"depwatch.trace"))
        self._check_schema(schema)
        return self._described(metadata.get(b"depwatch.program", b"{}"))

    def _check_version(self, found: bytes | None) -> None:
        if found is None:
            raise self._error("is a Parquet file, but no trace: it has no metadata depwatch.trace")
        number = int(found) if found.isdigit() and len(found) < _LONGEST else None
        if number is not None and OLDEST <= number <= VERSION:
            return
        reads = f"version {VERSION}" if OLDEST == VERSION else f"versions {OLDEST} to {VERSION}"
        newer = number is not None and number > VERSION
        raise self._error(
            f"is a trace of version {found.decode(errors='backslashreplace')}; this depwatch, {version('depwatch')}, "
            f"reads {reads}: {'install a newer depwatch' if newer else 'record again'}, or use the one that wrote it"
            f"{self._writer()}"
        )

    def _writer(self) -> str:
        """Which depwatch wrote it, in brackets, if it says so."""
        try:
            told = json.loads((self._file.metadata.metadata or {})[b"depwatch.program"])["depwatch"]
        except (ValueError, RecursionError, KeyError, TypeError):
            return ""
        return f" ({told})" if isinstance(told, str) else ""

    def _check_schema(self, schema: Any) -> None:
        for name in SCHEMA.names:
            at = schema.get_field_index(name)
            if at < 0:
                raise self._error(f"has no column {name!r}, and a trace of version {VERSION} has")
            if schema.field(at).type != SCHEMA.field(name).type:
                raise self._error(f"column {name!r} is {schema.field(at).type}, not {SCHEMA.field(name).type}")

    def _described(self, text: bytes) -> dict[str, Any]:
        try:
            program = json.loads(text)
        except (ValueError, RecursionError):
            program = None
        if not isinstance(program, dict):
            raise self._error(f"its metadata depwatch.program is no JSON object: {text[:40]!r}")
        return program

    def _group(self, number: int, name: str) -> Any:
        """A column of one row group."""
        try:
            chunks = self._file.read_row_group(number, columns=[name]).column(0)
            array = chunks.combine_chunks() if chunks.num_chunks != 1 else chunks.chunk(0)
            if isinstance(array, pa.ChunkedArray):  # of no chunks
                return np.empty(0, _dtype(name))
            rows = self._file.metadata.row_group(number).num_rows
            if len(array) != rows:
                raise pa.ArrowInvalid(f"it has {len(array):,} rows, and the group has {rows:,}")
            array.validate(full=True)
            if name == "kind":
                return self._kinds(array, number)
            if name in _TEXTS:
                return self._texts(array)
        except _UNREADABLE as error:
            where = f"row group {number} of {self._file.num_row_groups}, column {name!r}"
            raise self._error(f"is damaged: {where} cannot be read: {_first_line(error)}") from None
        if name in _FLAGS:
            array = array.cast(pa.int8()).fill_null(-1)
        elif array.null_count:
            array = array.fill_null(_NULLS.get(name, NULL))
        return array.to_numpy(zero_copy_only=False)

    def _kinds(self, array: Any, group: int) -> Any:
        kinds = array.dictionary.to_pylist()
        unknown = [kind for kind in kinds if kind not in ROWS]
        if unknown or array.null_count:
            raise self._error(f"row group {group} has rows of the kind {unknown[0] if unknown else None!r}")
        numbers = np.array([NUMBER[Row(kind)] for kind in kinds], _dtype("kind"))
        return numbers[array.indices.to_numpy()]

    def _texts(self, array: Any) -> Any:
        numbers = [NULL if text is None else self._number(text) for text in array.dictionary.to_pylist()]
        numbers.append(NULL)
        codes = array.indices.fill_null(len(numbers) - 1).to_numpy(zero_copy_only=False)
        return np.array(numbers, _dtype("type"))[codes]

    def _number(self, text: str) -> int:
        number = self._numbers.setdefault(text, len(self.strings))
        if number == len(self.strings):
            self.strings.append(text)
        return number


def _dtype(name: str) -> Any:
    return np.dtype(np.int8) if name in _FLAGS else ENTRY[name]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

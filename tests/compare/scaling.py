"""Makes long traces of short ones: the rows of a trace, again and again, each time of other functions and later."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from depwatch.compare.trace.schema import SCHEMA

NUMBERS = {"function": "function", "object": "object", "facet": "facet", "via": "facet"}


def scale(source: Path, target: Path, rows: int) -> int:
    """Repeat all of source but its end until there are at least so many rows; return how often that was.

    So every count of a replay is that many times the one of source, but for the start-up and what is read from time.
    """
    file = pq.ParquetFile(source)
    table = file.read()
    kinds = np.array(table.column("kind").to_pylist())
    assert kinds[-1] == "end"
    body = table.slice(0, len(table) - 1)
    times = -(-rows // len(body))
    repeated = np.repeat(np.arange(times), len(body))
    ticks = np.tile(kinds[:-1] == "tick", times)
    arrays = []
    for field in SCHEMA:
        column = body.column(field.name).unify_dictionaries().combine_chunks()
        column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        values, null = column, column.is_null().to_numpy(zero_copy_only=False)
        if pa.types.is_dictionary(field.type):
            values = column.indices
        numbers = np.tile(values.fill_null(pa.scalar(0).cast(values.type)).to_numpy(zero_copy_only=False), times)
        if field.name == "time":
            numbers += (repeated * (numbers.max() + 1)).astype(numbers.dtype)
        elif field.name in NUMBERS:
            step = _highest(table, NUMBERS[field.name]) + 1
            numbers += (repeated * step).astype(numbers.dtype)
        elif field.name == "calls":
            total = int(table.column("calls")[-1].as_py())
            numbers = np.where(ticks, numbers + (repeated * total).astype(numbers.dtype), numbers)
        array = pa.array(numbers, values.type, mask=np.tile(null, times))
        if pa.types.is_dictionary(field.type):
            array = pa.DictionaryArray.from_arrays(array, column.dictionary)
        arrays.append(array)
    whole = pa.Table.from_arrays(arrays, schema=SCHEMA)
    last = table.slice(len(table) - 1)
    time = SCHEMA.get_field_index("time")
    last = last.set_column(time, SCHEMA.field(time), whole.column("time")[-1:])
    calls = SCHEMA.get_field_index("calls")
    last = last.set_column(calls, SCHEMA.field(calls), whole.column("calls")[-1:])
    metadata = {**(SCHEMA.metadata or {}), b"depwatch.program": file.metadata.metadata[b"depwatch.program"]}
    whole = pa.concat_tables([whole, last]).unify_dictionaries().replace_schema_metadata(metadata)
    pq.write_table(whole, target, row_group_size=1 << 17, compression="zstd", write_page_checksum=True)
    return times


def _highest(table: pa.Table, column: str) -> int:
    return max((number for number in table.column(column).to_pylist() if number is not None), default=-1)

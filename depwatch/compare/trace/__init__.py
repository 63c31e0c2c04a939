"""Trace: the Parquet file of a recorded run. docs/trace-format.md says what its rows mean."""

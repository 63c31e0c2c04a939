"""Pages in a browser: what tests and benchmarks of reports have in common."""

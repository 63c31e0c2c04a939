"""`depwatch compare`: what each way of invalidating optimized code costs a real program.

One direction: monitor (calls, lines) -> bytecode -> facets -> policies and real handles -> report.
Only depwatch's public API is used.
"""

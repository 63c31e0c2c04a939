import sys

from tool import change, check, work

set_tracer = getattr(sys, sys.argv[1])
needed = (
    ("call", "line", "return", "exception")
    if set_tracer is sys.settrace
    else ("call", "return", "c_call", "c_return", "c_exception")
)


def tracer(frame, event, argument):
    if set_tracer is sys.settrace:
        frame.f_trace_opcodes = True
    change(event, 499 if set_tracer is sys.settrace else 29)
    return tracer


set_tracer(tracer)
try:
    for _ in range(15):
        work()
finally:
    set_tracer(None)
check(*needed)

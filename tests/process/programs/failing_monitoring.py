import sys

from tool import change, check, work

monitoring = sys.monitoring
tool = 3
monitoring.use_tool_id(tool, "failing")
failures = 0


def fail(*args):
    global failures
    change("LINE")
    failures += 1
    if failures % 50 == 0:
        raise RuntimeError("of the tool")


monitoring.register_callback(tool, monitoring.events.LINE, fail)
for _ in range(60):
    monitoring.set_events(tool, monitoring.events.LINE)
    try:
        work()
    except RuntimeError as error:
        monitoring.set_events(tool, 0)
        assert str(error) == "of the tool"
    monitoring.set_events(tool, 0)
assert failures >= 100
check("LINE")

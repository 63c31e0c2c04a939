import sys

from tool import change, check, work

monitoring = sys.monitoring
names = [name for name in vars(monitoring.events) if name.isupper() and getattr(monitoring.events, name)]
tool, mask = 3, 0
monitoring.use_tool_id(tool, "changing")
for name in names:
    mask |= getattr(monitoring.events, name)
    monitoring.register_callback(tool, getattr(monitoring.events, name), lambda *args, name=name: change(name))
monitoring.set_events(tool, mask)
try:
    for _ in range(3):
        work()
finally:
    monitoring.set_events(tool, 0)
    monitoring.free_tool_id(tool)
check(
    "PY_START",
    "PY_RETURN",
    "PY_YIELD",
    "PY_RESUME",
    "CALL",
    "C_RETURN",
    "C_RAISE",
    "LINE",
    "INSTRUCTION",
    "JUMP",
    "RAISE",
    "EXCEPTION_HANDLED",
)

"""Counts, when a recorded program ends, the look-ups that CPython has specialised in hot code, apart from the recorder;
and of these, the ones that the recorder follows. Writes DEPWATCH_CENSUS: JSON, by kind of instruction.

All code that was called is known by a callback of its own of sys.monitoring, its instructions by dis, adaptive=True.
"""

import os

if "DEPWATCH_CENSUS" in os.environ:
    import dis
    import json
    import sys

    from depwatch.compare.policies import HOT_AFTER
    from depwatch.compare.record import _tap, recording

    _TOOL = 4
    _START = sys.monitoring.events.PY_START
    _KINDS = {
        "attribute": ("LOAD_ATTR_", "STORE_ATTR_", "LOAD_SUPER_ATTR_"),
        "global": ("LOAD_GLOBAL_",),
        "call": ("CALL_PY_", "CALL_BOUND_METHOD_", "CALL_KW_PY", "CALL_KW_BOUND", "CALL_ALLOC_"),
    }

    class Census(recording.Recording):
        """The recorder, with counts of its own."""

        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.path = os.environ["DEPWATCH_CENSUS"]
            self.calls = {}
            self.of = {}
            sys.monitoring.use_tool_id(_TOOL, "census")
            sys.monitoring.register_callback(_TOOL, _START, self.on_start)

        def start(self, *described):
            super().start(*described)
            sys.monitoring.set_events(_TOOL, _START)

        def on_start(self, code, _):
            self.calls[code] = self.calls.get(code, 0) + 1

        def _resolve(self, code, function):
            found = super()._resolve(code, function)
            self.of.setdefault(code, []).append(function)
            return found

        def _leave_monitoring(self):
            super()._leave_monitoring()
            if sys.monitoring.get_tool(_TOOL) is not None:
                sys.monitoring.set_events(_TOOL, 0)
                sys.monitoring.free_tool_id(_TOOL)
                if _tap.is_on():
                    _tap.switch(False)
                    self.count()
                    _tap.switch(True)

        def count(self):
            ours = os.path.dirname(os.path.dirname(os.path.dirname(recording.__file__)))
            counted = {}
            worst = {}
            for code, calls in self.calls.items():
                if calls < HOT_AFTER or code.co_filename.startswith(ours):
                    continue
                followed = set().union(*(function.followed for function in self.of.get(code, ())))
                for instruction in dis.get_instructions(code, adaptive=True):
                    name = instruction.opname
                    kind = next((kind for kind, starts in _KINDS.items() if name.startswith(starts)), None)
                    if kind is None:
                        continue
                    row = counted.setdefault(f"{kind} {name}", [0, 0, 0, 0])
                    is_followed = instruction.offset in followed
                    row[0] += 1
                    row[1] += is_followed
                    row[2] += calls
                    row[3] += calls * is_followed
                    if not is_followed:
                        line = f"{code.co_filename}:{instruction.positions.lineno}"
                        place = f"{name} {instruction.argrepr} {code.co_qualname} {line}"
                        worst[place] = worst.get(place, 0) + calls
            places = sorted(worst, key=lambda place: -worst[place])[:100]
            with open(self.path, "w", encoding="utf-8") as file:
                json.dump({"counted": counted, "worst": {place: worst[place] for place in places}}, file, indent=1)

    recording.Recording = Census

import sys
import threading
import types

import depwatch

module = types.ModuleType("dies_at_exit")
sys.modules["dies_at_exit"] = module
for i in range(1000):
    setattr(module, f"f{i}", lambda i=i: i)
cycle = lambda: cycle
cycle.me = cycle


def live():
    while True:
        (lambda: 0).__defaults__ = (1,)


depwatch.set_lifecycle_callback(lambda *told: None)
threading.Thread(target=live, daemon=True).start()
depwatch.subscribe(lambda event: None, cycle, "existence")

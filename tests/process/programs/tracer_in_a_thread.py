import contextlib
import sys
import threading

from tool import change, check, compiled, work, wrong

import depwatch

set_tracer = getattr(threading, sys.argv[1])


def tracer(frame, event, argument):
    change(event)
    return tracer


def traced():
    for _ in range(15):
        work()


set_tracer(tracer)
thread = threading.Thread(target=traced)
thread.start()
set_tracer(None)
while thread.is_alive():
    with contextlib.suppress(depwatch.Stale):
        compiled("attribute").release()
thread.join()
# The other thread can run between a check's two looks; only the state at the end is asserted.
wrong.clear()
check("call", "return")

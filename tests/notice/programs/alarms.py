import signal

import depwatch


class Alarm(Exception):
    pass


def handler(number, frame):
    raise Alarm


signal.signal(signal.SIGALRM, handler)
rounds, names = 40, [f"X{i}" for i in range(300)]
heard = caught = 0
changed = []
namespace = dict.fromkeys(names, 0)
recorder = depwatch.Recorder("f")
for name in names:
    recorder.read_global(namespace, name)
# A listener that no handler can interrupt: C code.
subscription = depwatch.subscribe(changed.append, namespace, *names)
for number in range(1, rounds + 1):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        while True:
            for name in names:
                namespace[name] += 1
    except Alarm:
        caught += 1
    depwatch.drain()
stored = sum(namespace.values())
dropped = depwatch.stats()["details_dropped"]
print(caught, len(changed) + dropped == stored, dropped == 0 or dropped < stored)

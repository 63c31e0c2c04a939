import sys

import depwatch

RATE = 1
exec(sys.argv[1])  # defines f and call()
recorder = depwatch.Recorder("h")
recorder.read_global(call, "RATE")  # noqa: F821
handle = recorder.commit()
entry = None


def step(i):
    global entry, RATE
    if i == 20_000:
        entry = depwatch.install(f, lambda *a, **k: "optimized", handle)  # noqa: F821
    if i == 40_000:
        RATE = 2
    if i == 60_000:
        RATE = 1
    if i == 80_000:
        entry.remove()


LOOP = """
def loop():
    runs = []
    for i in range(100_000):
        if i % 20_000 == 0:
            step(i)
        result = CALL
        if not runs or runs[-1][0] != result:
            runs.append([result, 0])
        runs[-1][1] += 1
    return runs
"""
exec(LOOP.replace("CALL", sys.argv[2]))
print(loop())  # noqa: F821

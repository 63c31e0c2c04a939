import threading

import depwatch

namespace = {"X": 0}
started = threading.Barrier(4)


def build():
    started.wait()
    while True:
        try:
            recorder = depwatch.Recorder("daemon", 60000)
            recorder.read_global(namespace, "X")
            handle = recorder.commit(on_invalidate=lambda handle: None)
            depwatch.drain()
            handle.release()
        except depwatch.Stale:
            pass


def change():
    started.wait()
    while True:
        namespace["X"] = (namespace["X"] + 1) % 1000


for work in (build, build, change):
    threading.Thread(target=work, daemon=True).start()
started.wait()
depwatch.subscribe(lambda event: None, namespace)

import threading
import time

import depwatch

X = 0


def change():
    global X
    while True:
        X += 1
        time.sleep(1e-5)


recorder = depwatch.Recorder("exit", 60000)
recorder.read_global(change, "X")
handle = recorder.commit(on_invalidate=lambda handle: None)
depwatch.subscribe(lambda event: None, globals(), "X")
threading.Thread(target=change, daemon=True).start()

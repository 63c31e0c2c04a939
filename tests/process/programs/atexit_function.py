import atexit

X = 1
handle = None


@atexit.register
def at_exit():
    global X
    X = 2
    print(handle.valid, flush=True)
    depwatch.drain()


import depwatch

recorder = depwatch.Recorder("exit")
recorder.read_global(at_exit, "X")
handle = recorder.commit()

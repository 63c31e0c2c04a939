import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor

import workers


def use():
    context = multiprocessing.get_context(METHOD)
    handle = workers.compiled()
    queue = context.SimpleQueue()
    processes = [context.Process(target=workers.put, args=(queue, 3))]
    for process in processes:
        process.start()
    answers = [queue.get() for _ in processes]
    for process in processes:
        process.join()
    dying = context.Process(target=workers.die, args=(7,))
    dying.start()
    dying.join()
    if sys.argv[2] == "main":
        with context.Pool(2) as pool:
            answers += pool.map(workers.work, range(6))
    else:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            answers += pool.map(workers.work, range(4))
    assert [process.exitcode for process in (*processes, dying)] == [0, 7]
    assert all(good for good, _ in answers), answers
    assert os.getpid() not in {process for _, process in answers}
    assert handle.valid and workers.TOLD == []
    workers.RATE = 5
    assert handle.broken == 1
    depwatch = sys.modules["depwatch"]
    depwatch.drain()
    assert workers.TOLD == [handle]


if __name__ == "__main__":
    import threading
    import warnings

    METHOD = sys.argv[1]
    if sys.argv[2] == "thread":
        warnings.simplefilter("ignore", DeprecationWarning)  # CPython's, of forks beside threads
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    else:
        use()
    print("used")

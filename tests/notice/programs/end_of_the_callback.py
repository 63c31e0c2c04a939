import atexit


@atexit.register
def after_depwatch():
    print("the end", flush=True)
    f.__defaults__ = (3,)
    depwatch.set_lifecycle_callback(callback)
    f.__defaults__ = (4,)
    print(depwatch.drain(), depwatch.get_lifecycle_callback(), flush=True)


import depwatch


class Callback:
    def __call__(self, event, function, attribute, new_value):
        if event is not depwatch.FunctionEvent.DESTROYED and function is f:
            print(attribute.name, new_value, flush=True)

    def __del__(self):
        print("callback destroyed", flush=True)


class Meddler:
    def __del__(self):
        f.__defaults__ = (5,)
        print("meddler destroyed", (lambda: 1)(), flush=True)


f = lambda: 0
callback, meddler, functions = Callback(), Meddler(), [lambda: i for i in range(100)]
depwatch.set_lifecycle_callback(callback)


@atexit.register
def before_depwatch():
    f.__defaults__ = (2,)


f.__defaults__ = (1,)

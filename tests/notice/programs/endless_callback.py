import weakref

import depwatch

heard, depth, nested, last = [], 0, 0, None


def hear(event, function, attribute, new_value):
    global depth, nested, last
    depth += 1
    nested = max(nested, depth)
    heard.append(event.name)
    if event is depwatch.FunctionEvent.CREATED:
        made = lambda: 0
        last = weakref.ref(made)
    wait(10)  # were there a drain inside the drain, it would come here
    depth -= 1


def wait(times=10_000):
    for _ in range(times):
        len(heard)


def told():
    wait()
    counts = heard.count("CREATED"), heard.count("DESTROYED")
    heard.clear()
    return counts


print(told())
depwatch.set_lifecycle_callback(hear)
print(told())
make = lambda: 0
print(told())
make.__defaults__ = ()
print(told())
print(depwatch.drain(), told())
print(nested)
print(last() is None)
depwatch.set_lifecycle_callback(None)
print(told())
print(last() is None)

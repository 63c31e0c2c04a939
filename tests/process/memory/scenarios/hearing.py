"""Subscriptions and the lifecycle callback: making and ending them."""

from scenarios import scenario

import depwatch
from support import namespace


@scenario
def a_listener_subscribes(stage):
    globals_ = namespace(X=stage.value(), Y=1)
    subscription = yield lambda: depwatch.subscribe(stage.heard, globals_, "X", "Y", "X")
    stage.finally_do(subscription.cancel)
    globals_["X"] = 2
    globals_["Y"] = 3


@scenario
def a_listener_subscribes_to_a_class_and_a_function(stage):
    class Class:
        x = 1

    def function():
        pass

    subscriptions = []
    stage.finally_do(lambda: [each.cancel() for each in subscriptions])
    subscriptions.append((yield lambda: depwatch.subscribe(stage.heard, Class, "x")))
    subscriptions.append((yield lambda: depwatch.subscribe(stage.heard, function, "code", "existence")))
    Class.x = 2
    function.__code__ = (lambda: 2).__code__


@scenario
def a_listener_subscribes_to_new_functions(stage):
    def make():
        return lambda: None

    subscription = yield lambda: depwatch.subscribe_created(lambda event: stage.log.append("made"), make().__code__)
    stage.finally_do(subscription.cancel)
    make()


@scenario
def more_listeners_subscribe(stage):
    globals_ = namespace(**{f"N{i}": i for i in range(80)})
    made = []
    stage.finally_do(lambda: [each.cancel() for each in made])

    def subscribe():
        while len(made) < 80:
            made.append(depwatch.subscribe(stage.heard, globals_, f"N{len(made)}"))

    yield subscribe
    globals_["N5"] = 1


@scenario
def a_listener_cancels(stage):
    globals_ = namespace(X=stage.value(), Y=1)
    kept = depwatch.subscribe(stage.heard, globals_, "X")
    subscription = depwatch.subscribe(stage.heard, globals_, "X", "Y")
    stage.finally_do(kept.cancel)
    globals_["X"] = 2
    yield subscription.cancel


@scenario
def the_lifecycle_callback_is_set(stage):
    def hear(event, function, attribute, value):
        if event is depwatch.FunctionEvent.CREATED and function.__name__ == "mine":
            stage.log.append("mine")

    yield lambda: depwatch.set_lifecycle_callback(hear)
    assert depwatch.get_lifecycle_callback() is hear
    exec("def mine(): pass", {})
    depwatch.drain()
    yield lambda: depwatch.set_lifecycle_callback(None)
    assert depwatch.get_lifecycle_callback() is None

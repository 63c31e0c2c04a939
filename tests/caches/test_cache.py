"""depwatch.integrations.functools beside functools: its look, what it keeps and when results go."""

import functools
import gc
import inspect
import threading
import warnings
import weakref

import pytest

import depwatch
from depwatch.integrations.functools import UnseenWarning, cache, explain, lru_cache
from support import python

RATE = 2
calls = []


@pytest.fixture(autouse=True)
def at_first():
    global RATE
    RATE = 2
    calls.clear()


def note(x):
    calls.append(x)


TRUSTED = ("note", "calls")


def test_it_has_the_look_of_functools():
    def f(x: int, y: int = 1) -> int:
        "What it is for."
        return x + y

    ours, theirs = lru_cache(maxsize=3, typed=True)(f), functools.lru_cache(maxsize=3, typed=True)(f)
    for each in (ours, theirs):
        assert [each(1), each(1), each(2), each(1.0), each(x=1)] == [2, 2, 3, 2.0, 2]
    assert ours.cache_info() == theirs.cache_info() == (1, 4, 3, 3)
    assert (ours.__name__, ours.__doc__, ours.__wrapped__) == ("f", "What it is for.", f)
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert ours.cache_parameters() == theirs.cache_parameters()
    for each in (ours, theirs):
        each.cache_clear()
    assert ours.cache_info() == theirs.cache_info() == (0, 0, 3, 0)


@pytest.mark.parametrize("made", [cache, cache(), lru_cache, lru_cache(), lru_cache(5), lru_cache(None), lru_cache(-1)])
def test_it_decorates_with_and_without_arguments(made):
    theirs = {id(cache): functools.cache}.get(id(made))
    f = made(lambda x: x + 1)
    assert (f(1), f(1)) == (2, 2)
    assert f.cache_parameters()["maxsize"] == f.cache_info().maxsize
    assert theirs is None or f.cache_parameters() == theirs(lambda x: x).cache_parameters()


def test_results_are_computed_once_and_kept():
    @cache(ignore=TRUSTED)
    def f(x):
        note(x)
        return x * RATE

    assert ([f(1), f(1), f(2), f(1)], calls) == ([2, 2, 4, 2], [1, 2])


def test_results_go_at_the_first_call_after_a_change():
    global RATE

    @cache(ignore=TRUSTED)
    def f(x):
        note(x)
        return x * RATE

    assert (f(1), f(2)) == (2, 4)
    RATE = 3
    assert (calls, f.cache_info().currsize) == ([1, 2], 2)
    assert (f(2), f.cache_info()) == (6, (0, 3, None, 1))


def test_any_number_of_changes_is_followed():
    global RATE
    f = cache(lambda x: x * RATE)
    for rate in range(50):
        RATE = rate
        assert (f(3), f(3)) == (3 * rate, 3 * rate)
    assert f.cache_info() == (50, 50, None, 1)


def test_a_result_from_a_change_that_was_undone_meanwhile_is_not_kept():
    global RATE
    due = [lambda: globals().update(RATE=3), lambda: globals().update(RATE=2)]

    @cache(ignore=("due",))
    def f(x):
        if due:
            due.pop(0)()
        result = x * RATE
        if due:
            due.pop(0)()
        return result

    assert (f(1), f(1), f(1)) == (3, 2, 2)


def test_a_result_from_a_change_by_another_thread_is_not_kept():
    global RATE
    inside, go_on, results = threading.Event(), threading.Event(), []

    @cache(ignore=("inside", "go_on", "set", "wait"))
    def f(x):
        inside.set()
        go_on.wait(10)
        return x * RATE

    thread = threading.Thread(target=lambda: results.append(f(1)))
    thread.start()
    assert inside.wait(10)
    RATE = 3
    go_on.set()
    thread.join()
    RATE = 2
    assert (results, f(1)) == ([3], 2)


def test_a_change_by_a_hash_of_an_argument_is_seen():
    global RATE

    class Key:
        def __hash__(self):
            globals()["RATE"] = 3
            return 1

        def __eq__(self, other):
            return self is other

    @cache(on_unseen="ignore")
    def f(key):
        result = RATE
        globals()["RATE"] = 2
        return result

    key = Key()
    f(key)
    assert f(key) == 3


def test_exceptions_are_not_kept():
    global RATE

    @cache(ignore=TRUSTED)
    def f(x):
        note(x)
        if x < RATE:
            raise ValueError(x)
        return x

    for _ in range(2):
        with pytest.raises(ValueError, match="1"):
            f(1)
    RATE = 1
    assert (f(1), f(1), calls) == (1, 1, [1, 1, 1])


@pytest.mark.parametrize("use", ["x * GONE", "GONE(x)", "GONE.a + x", "GONE[x]", "f'{GONE}'", "x in GONE"])
def test_a_deleted_global_raises_name_error_until_it_is_there_again(use):
    names = {"GONE": 1}
    exec(f"def f(x): return {use}\ndef g(x): return GONE * x", names)
    f, g = cache(names["f"]), cache(names["g"])
    assert g(3) == 3
    del names["GONE"]
    for function in (f, g, f, g):
        with pytest.raises(NameError, match="name 'GONE' is not defined"):
            function(3)
    names["GONE"] = 2
    assert g(3) == 6


def test_recursion_computes_each_result_once():
    names = {"cache": cache, "ONE": 1}
    exec("@cache\ndef fib(n): return ONE if n < 2 else fib(n - 1) + fib(n - 2)", names)
    assert names["fib"](80) == 37889062373143906
    assert names["fib"].cache_info() == (78, 81, None, 81)
    names["ONE"] = 2
    thread = threading.Thread(target=lambda: names.update(result=names["fib"](80)))
    thread.start()  # nobody drains while this waits
    thread.join()
    assert names["result"] == 2 * 37889062373143906


def test_methods_have_results_for_each_object():
    class Shop:
        rate = 2

        @cache
        def price(self, x):
            return x * Shop.rate

    one, two = Shop(), Shop()
    assert ([one.price(1), two.price(1), one.price(1)], Shop.price.cache_info()) == ([2, 2, 2], (1, 2, None, 2))
    Shop.rate = 3
    assert (one.price(1), two.price(1)) == (3, 3)


def test_methods_of_arguments_are_followed_for_each_class():
    class Metric:
        __slots__ = ()  # or an object may have a `factor` of its own

        def factor(self):
            return RATE

    class Imperial:
        __slots__ = ()

        def factor(self):
            return 10

    @cache
    def f(system, x):
        return system.factor() * x

    metric, imperial = Metric(), Imperial()
    assert (f(metric, 1), f(imperial, 1)) == (2, 10)
    Imperial.factor = lambda self: 20
    assert (f(metric, 1), f(imperial, 1)) == (2, 20)
    Metric.factor = lambda self: 30
    assert (f(metric, 1), f(imperial, 1)) == (30, 20)


def test_many_threads_get_what_is_right():
    global RATE
    f = cache(lambda x: (RATE, x))
    wrong, stop = [], threading.Event()

    def call():
        while not stop.is_set():
            low = RATE
            got = f(1)[0]
            high = RATE
            if not low <= got <= high:
                wrong.append((low, got, high))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for rate in range(3, 300):
        RATE = rate
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_cache_clear_computes_again():
    f = cache(ignore=TRUSTED)(lambda x: note(x))
    f(1), f(1)
    f.cache_clear()
    f(1)
    assert (calls, f.cache_info()) == ([1, 1], (0, 1, None, 1))


def test_explain_says_what_results_rest_on_and_why_they_went():
    global RATE

    @cache
    def f(x):
        return x * RATE

    assert f.explain().splitlines()[-1] == "no call has looked into it since"
    f(1)
    RATE = 3
    f(1)
    text = explain(f)
    assert "results went 1 times, last as RATE was 2, is 3" in text
    assert "global 'RATE' of module test_cache is 3" in text
    with pytest.raises(TypeError, match="is no function of depwatch"):
        explain(len)


UNSEEN = {
    "a list": ("L = [1]\ndef f(x): return L[0]", r"__getitem__ of <list of 1 item> in line 2 of f, which uses L"),
    "an instance": (
        "class C: x = 1\nc = C()\ndef f(x): return c.x", r"\.x of <C object> in line 3 of f, which uses c, x",
    ),
    "an environment": ("import os\ndef f(x): return os.environ.get('A')", "line 2 of f, which uses os, environ"),
    "a function as argument": (
        "def f(x): return x(1)", "call of a value of unknown class in line 1 of f, which uses x",
    ),
    "a variable that code assigns": (
        "def outer():\n  n = 1\n  def f(x): return n\n  def put(y):\n    nonlocal n\n    n = y\n  return f, put\n"
        "f, put = outer()",
        r"variable 'n' of a function around it, which outer\.<locals>\.put assigns",
    ),
    "exec": ("def f(x): return exec('x')", r"exec\(\.\.\.\)"),
}  # fmt: skip


@pytest.mark.parametrize("text, named", UNSEEN.values(), ids=UNSEEN)
def test_what_cannot_be_seen_is_refused_by_name(text, named):
    names = {"__name__": "program"}
    exec(text, names)
    argument = abs if "x(1)" in text else 1
    with pytest.raises(depwatch.Unwatchable, match=named) as raised:
        cache(names["f"])(argument)
    assert 'on_unseen="ignore"' in str(raised.value)
    with pytest.warns(UnseenWarning, match=named):
        warned = cache(on_unseen="warn")(names["f"])
        want = warned(argument)
    with warnings.catch_warnings(action="error"):
        ignored = cache(on_unseen="ignore")(names["f"])
        assert (ignored(argument), ignored(argument), warned(argument)) == (want, want, want)


def test_what_is_ignored_by_name_is_no_change():
    global RATE
    f = cache(ignore=("RATE",))(lambda x: x * RATE)
    assert f(1) == 2
    RATE = 3
    assert f(1) == 2


def test_what_becomes_unseen_is_refused_at_that_call():
    names = {"__name__": "program"}
    exec("RATE = 2\ndef f(x): return x * RATE", names)
    f = cache(names["f"])
    assert f(1) == 2
    names["RATE"] = [1]
    with pytest.raises(depwatch.Unwatchable, match="list of 1 item"):
        f(1)
    names["RATE"] = 4
    assert f(1) == 4


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda: cache(len), TypeError, "only Python functions can be looked into, and <built-in function len> is"),
        (lambda: cache(generator), TypeError, "generator is a generator or coroutine: its results can be used once"),
        (lambda: cache(on_unseen="no"), ValueError, "on_unseen is 'no'; it must be"),
        (lambda: cache(ignore=(1,)), TypeError, "ignore must have the names"),
        (lambda: lru_cache("x"), TypeError, "maxsize must be an int, None or the function, not 'x'"),
        (lambda: cache(lambda x: x)([]), TypeError, "unhashable type"),
    ],
)
def test_wrong_use_is_refused_with_the_reason(make, error, text):
    with pytest.raises(error, match=text):
        make()


def generator():
    yield 1


def test_a_function_and_its_results_die_together():
    class Result:
        pass

    @cache
    def f(x):
        return Result()

    gone = weakref.ref(f), weakref.ref(f(1))
    del f
    gc.collect()
    depwatch.drain()
    gc.collect()
    assert [each() for each in gone] == [None, None]


def test_depwatch_switched_off_leaves_functools():
    code = (
        "import functools; from depwatch.integrations.functools import cache\n"
        "print(type(cache(lambda x: x)) is type(functools.cache(len)))"
    )
    assert python(code, DEPWATCH="0") == "True\n"

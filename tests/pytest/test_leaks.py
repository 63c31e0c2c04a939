"""pytest --depwatch-leaks: what counts as a leak of a test, and what does not."""

import builtins
import re
import sys

import pytest


def test_a_global_that_a_test_leaves_changed_is_told_with_its_line(run):
    done = run("def test_it():\n    shop.MODE = 'odd'\n")
    assert done.rows == [
        {
            "test": "test_shop.py::test_it",
            "scope": "function",
            "thread": "MainThread",
            "name": "shop.MODE",
            "old": "'plain'",
            "new": "'odd'",
            "file": "test_shop.py",
            "line": 3,
        }
    ]
    assert done.outcomes == {"passed": 1}


def test_all_kinds_of_names_that_can_be_left_changed_are_told(run, monkeypatch):
    for module in (builtins, sys):
        monkeypatch.setattr(module, "shop_price", 1, raising=False)
    tests = """
        import builtins, sys
        def test_added(): shop.NEW = 1
        def test_deleted(): del shop.NAMES
        def test_through_the_package(): shop.set_mode("odd")
        def test_to_none(): shop.MODE = None
        def test_class(): shop.Base.limit = 2
        def test_equal_to_the_inherited(): shop.Goods.limit = 1
        def test_code(): shop.price.__code__ = (lambda x, y, *, rate: 3).__code__
        def test_defaults(): shop.price.__defaults__ = (5,)
        def test_keywords(): shop.price.__kwdefaults__ = {"rate": 3}
        def test_keywords_in_place(): shop.price.__kwdefaults__["rate"] = 4
        def test_static_method(): shop.Base.rate.__defaults__ = None
        def test_method(): shop.Base.price = None
        def test_bases(): shop.Goods.__bases__ = (dict,) if 0 else (type("Other", (), {}),)
        def test_builtins(): builtins.shop_price = 2
        def test_sys(): sys.shop_price = 2
        VALUE = 1
        def test_its_own_module():
            global VALUE
            VALUE = 2
    """
    done = run(tests)
    assert [(row["test"].partition("::")[2], row["name"], row["old"], row["new"]) for row in done.rows] == [
        ("test_added", "shop.NEW", "absent", "1"),
        ("test_deleted", "shop.NAMES", "['a', 'b']", "absent"),
        ("test_through_the_package", "shop.MODE", "'plain'", "'odd'"),
        ("test_to_none", "shop.MODE", "'odd'", "None"),
        ("test_class", "shop.Base.limit", "1", "2"),
        ("test_equal_to_the_inherited", "shop.Goods.limit", "absent", "1"),
        ("test_code", "shop.price.__code__", "<code price>", "<code test_code.<locals>.<lambda>>"),
        ("test_defaults", "shop.price.__defaults__", "(1,)", "(5,)"),
        ("test_keywords", "shop.price.__kwdefaults__['rate']", "2", "3"),
        ("test_keywords_in_place", "shop.price.__kwdefaults__['rate']", "3", "4"),
        ("test_static_method", "shop.Base.rate.__defaults__", "(1,)", "None"),
        ("test_method", "shop.Base.price", "<function shop.Base.price>", "None"),
        ("test_bases", "shop.Goods.__bases__", "<tuple of 1 items>", "<tuple of 1 items>"),
        ("test_builtins", "builtins.shop_price", "1", "2"),
        ("test_sys", "sys.shop_price", "1", "2"),
        ("test_its_own_module", "test_shop.VALUE", "1", "2"),
    ]
    places = [f"{row['file']}:{row['line']}" for row in done.rows]
    assert places == [f"test_shop.py:{line}" for line in (4, 5)] + ["shop.py:16"] + [
        f"test_shop.py:{line}" for line in (*range(7, 19), 22)
    ]


def test_what_is_put_back_is_no_leak(run):
    tests = """
        from unittest import mock
        @pytest.fixture
        def odd():
            shop.MODE = "odd"
            yield
            shop.MODE = "plain"
        def test_monkeypatch(monkeypatch):
            monkeypatch.setattr(shop, "MODE", 1)
            monkeypatch.setattr(shop.Goods, "limit", 3)
            monkeypatch.delattr(shop, "price")
            monkeypatch.setattr(shop.Base.price, "__defaults__", ())
        def test_mock():
            with mock.patch("shop.price"), mock.patch.object(shop.Goods, "limit", 2): shop.set_mode("plain")
        def test_fixture(odd): pass
        def test_by_hand():
            shop.price.__kwdefaults__["rate"] = 3
            shop.price.__kwdefaults__["rate"] = 2
            shop.NEW = 1
            del shop.NEW
    """
    done = run(tests, mode="--depwatch-leaks=all")
    assert (done.leaks, done.summary) == ([], ["0 leaks, 0 accepted by the baseline"])


def test_a_mock_that_is_left_is_a_leak(run):
    tests = """
        from unittest import mock
        def test_mock(): mock.patch("shop.price").start()
        def test_monkeypatch(): pytest.MonkeyPatch().setattr(shop, "MODE", None)
    """
    assert [(row["name"], row["new"]) for row in run(tests).rows] == [
        ("shop.price", "<MagicMock object>"),
        ("shop.MODE", "None"),
    ]


def test_what_a_wider_fixture_changes_belongs_to_its_scope(run):
    tests = """
        @pytest.fixture(scope="module", autouse=True)
        def undone():
            shop.MODE = "odd"
            yield
            shop.MODE = "plain"
        @pytest.fixture(scope="class")
        def left():
            shop.OPEN = 1
            yield
            shop.CLOSED = 1
        @pytest.fixture(scope="session")
        def session(): shop.SESSION = 1
        def test_first(session): pass
        class TestGoods:
            def test_one(self, left): pass
            def test_two(self, left): shop.TWO = 2
        def test_last(): pass
    """
    assert run(tests).leaks == [
        "test_shop.py::TestGoods class MainThread shop.OPEN absent 1 test_shop.py 10",
        "test_shop.py::TestGoods class MainThread shop.CLOSED absent 1 test_shop.py 12",
        "test_shop.py::TestGoods::test_two function MainThread shop.TWO absent 2 test_shop.py 18",
        "session session MainThread shop.SESSION absent 1 test_shop.py 14",
    ]


def test_what_a_wider_scope_stores_in_its_own_class_or_module_is_declared(run):
    tests = """
        def setup_module(): global VALUE; VALUE = 1
        class TestGoods:
            @classmethod
            def setup_class(cls): cls.goods = 1
            def test_one(self): pass
            def test_two(self): type(self).two = 2
    """
    assert run(tests).leaks == [
        "test_shop.py::TestGoods::test_two function MainThread test_shop.TestGoods.two absent 2 test_shop.py 8"
    ]


def test_what_import_fills_for_the_first_time_is_declared(run):
    done = run(
        """
        def test_import():
            import shop_more
            shop_more.OWN = 5
            shop_more.Thing.size = 6
        def test_package(monkeypatch):
            import shops.late
            monkeypatch.setattr(shops.late, "VALUE", 2)
        """,
        mode="--depwatch-leaks=all",
        shop_more="import shop\nOWN = 4\nclass Thing: size = 1\nThing.size = 2\nshop.set_mode('other')\n",
        **{"shops/__init__": "", "shops/late": "VALUE = 1"},
    )
    assert done.leaks == [
        "test_shop.py::test_import function MainThread shop_more.OWN 4 5 test_shop.py 5",
        "test_shop.py::test_import function MainThread shop_more.Thing.size 2 6 test_shop.py 6",
    ]
    assert [re.sub(r"_bootstrap>:\d+", "_bootstrap>", line) for line in done.summary[4:-1]] == [
        "no leaks:",
        "  test_shop.py::test_import: shop.MODE: 'plain' → 'other', shop.py:16 (declared: by the first import)",
        "  test_shop.py::test_package: shops.late: absent → <module shops.late>, <frozen importlib._bootstrap>"
        " (declared: by the first import)",
    ]


def test_an_import_declares_no_write_of_other_code(run):
    tests = """
        import importlib, sys, types
        def test_by_hand():
            sys.modules["made"] = types.ModuleType("made")
            shop.MODE = "made"
        def test_failed():
            with pytest.raises(ZeroDivisionError): import shop_broken
            shop.MODE = "failed"
        def test_second_time():
            with pytest.raises(ZeroDivisionError): import shop_broken
        def test_reload(): importlib.reload(shop)
    """
    done = run(tests, shop_broken="import shop\nshop.set_mode('broken')\n1 / 0\n")
    assert done.leaks == [
        "test_shop.py::test_by_hand function MainThread shop.MODE 'plain' 'made' test_shop.py 6",
        "test_shop.py::test_failed function MainThread shop.MODE 'made' 'failed' test_shop.py 9",
        "test_shop.py::test_second_time function MainThread shop.MODE 'failed' 'broken' shop.py 16",
    ]


def test_what_the_package_fills_once_is_declared(run):
    tests = """
        import sys
        def test_fill(): shop.fill()
        def test_empty(): shop.CACHE = None
        def test_fill_again(): shop.fill()
        def test_from_a_test(): shop.LATE = {}
        def test_from_no_file(): exec("OTHER = 1", shop.__dict__)
    """
    done = run(tests)
    assert done.leaks == [
        "test_shop.py::test_empty function MainThread shop.CACHE {} None test_shop.py 5",
        "test_shop.py::test_from_a_test function MainThread shop.LATE absent {} test_shop.py 7",
        "test_shop.py::test_from_no_file function MainThread shop.OTHER absent 1 <string> 1",
    ]


def test_what_python_itself_fills_is_declared(run):
    tests = """
        import copy, other
        def test_warning(): other.warn()
        def test_copy(): copy.copy(other.Thing())
        def test_annotations(): other.Thing.__annotations__
        def test_displayhook(): exec(compile("1", "", "single"))
    """
    other = "import warnings\nclass Thing: pass\ndef warn(): warnings.warn('odd')\n"
    done = run(tests, "-Wignore", mode="--depwatch-leaks=all", other=other)
    annotations = ["annotate_func__", "annotations_cache__"] if sys.version_info >= (3, 14) else ["annotations__"]
    names = ["builtins._", *(f"other.Thing.__{name}" for name in (*annotations, "slotnames__"))]
    assert done.leaks == []
    assert sorted((line.split(": ")[1], line.rpartition(" (")[2]) for line in done.summary[1:-1]) == [
        (name, "declared: Python's own)") for name in (*names, "other.__warningregistry__")
    ]


def test_what_the_library_stores_for_a_test_is_a_leak(run):
    tests = "import functools, other\ndef test_it(): functools.total_ordering(other.Thing)\n"
    done = run(tests, other="class Thing:\n    def __lt__(self, other): return False\n")
    assert sorted(row["name"] for row in done.rows) == [f"other.Thing.__{name}__" for name in ("ge", "gt", "le")]


@pytest.mark.skipif(sys.version_info < (3, 15), reason="nothing to test: lazy imports came with CPython 3.15")
def test_a_lazy_import_that_a_test_makes_is_declared(run):
    tests = "import other\ndef test_it(): other.parse('2')\ndef test_leak(): other.json = None\n"
    done = run(tests, other="lazy import json\ndef parse(text): return json.loads(text)\n")
    assert done.leaks == [
        "test_shop.py::test_leak function MainThread other.json <module json> None test_shop.py 4",
    ]


def test_the_same_write_from_a_test_file_is_a_leak(run):
    helper = "import shop\ndef fill(): shop.CACHE = {}\n"
    done = run("import tests.helper\ndef test_it(): tests.helper.fill()\n", **{"tests/helper": helper})
    assert done.leaks == ["test_shop.py::test_it function MainThread shop.CACHE None {} tests/helper.py 2"]


def test_a_value_made_anew_and_equal_is_told_as_that(run):
    done = run("def test_it():\n    shop.NAMES = list(shop.NAMES)\n")
    where = "test_shop.py::test_it: shop.NAMES: ['a', 'b'] → ['a', 'b'], test_shop.py:3"
    assert done.leaks == []
    assert done.summary == [
        "no leaks:",
        f"  {where} (made anew and equal, no leak)",
        "0 leaks, 0 accepted by the baseline",
    ]


def test_functions_and_classes_of_the_same_code_are_no_leak_of_a_reload(run):
    tests = """
        import importlib
        def test_reload():
            importlib.reload(shop)
        def test_later():
            shop.Goods.limit = 3
            shop.price.__defaults__ = (4,)
    """
    done = run(tests)
    assert done.leaks == [
        "test_shop.py::test_later function MainThread shop.Goods.limit absent 3 test_shop.py 7",
        "test_shop.py::test_later function MainThread shop.price.__defaults__ (1,) (4,) test_shop.py 8",
    ]
    made = "test_shop.py::test_reload: shop.NAMES: ['a', 'b'] → ['a', 'b'], shop.py:2 (made anew and equal, no leak)"
    assert done.summary[-3:-1] == ["no leaks:", f"  {made}"]


def test_a_reload_that_changes_code_is_a_leak(run):
    tests = """
        import importlib, pathlib
        def test_reload():
            file = pathlib.Path(shop.__file__)
            file.write_text(file.read_text().replace("x * y", "x + y + 0"))
            importlib.reload(shop)
    """
    assert [(row["name"], row["line"]) for row in run(tests).rows] == [("shop.price", 10)]


def test_a_test_that_undoes_an_earlier_leak_is_told_so(run):
    tests = """
        def test_leaks(): shop.MODE = "odd"
        def test_undoes(): shop.MODE = "plain"
    """
    done = run(tests)
    assert done.leaks == ["test_shop.py::test_leaks function MainThread shop.MODE 'plain' 'odd' test_shop.py 3"]
    assert done.summary == [
        "shop.MODE, left changed by 1:",
        "  test_shop.py::test_leaks: shop.MODE: 'plain' → 'odd', test_shop.py:3",
        "no leaks:",
        "  test_shop.py::test_undoes: shop.MODE: 'odd' → 'plain', test_shop.py:4"
        " (undoes the leak of test_shop.py::test_leaks)",
        "1 leaks, 0 accepted by the baseline",
    ]


def test_a_class_far_down_a_hierarchy_is_recognised(run):
    tests = """
        class A: pass
        for _ in range(8):
            class A(A):
                kind = A
                def method(self): pass
        def test_leaks(): shop.MODE = A
        def test_again(): shop.MODE = None
        def test_undoes(): shop.MODE = A
    """
    assert [(row["test"], row["new"]) for row in run(tests).rows] == [
        ("test_shop.py::test_leaks", "<class test_shop.A>"),
        ("test_shop.py::test_again", "None"),
    ]


def test_values_that_contain_one_another_are_not_compared_for_ever(run):
    tests = """
        def graph():
            nodes = [{} for _ in range(12)]
            for node in nodes: node["all"] = nodes
            return nodes
        shop.NODES = graph()
        def test_it(): shop.NODES = graph()
    """
    assert run(tests).leaks == [
        "test_shop.py::test_it function MainThread shop.NODES <list of 12 items> <list of 12 items> test_shop.py 8"
    ]


def test_a_full_queue_loses_lines_but_no_leak(run):
    tests = """
        import collections, itertools, operator
        def test_many():  # in one loop in C, so that no drain comes between
            writes = map(operator.setitem, itertools.repeat(vars(shop)), itertools.repeat("COUNT"), range(30000))
            last = map(setattr, [shop.Base], ["limit"], [7])
            collections.deque(itertools.chain(writes, last), maxlen=0)
        def test_next(): shop.MODE = "odd"
    """
    assert run(tests).leaks == [
        "test_shop.py::test_many function unknown shop.COUNT absent 29999 None None",
        "test_shop.py::test_many function unknown shop.Base.limit 1 7 None None",
        "test_shop.py::test_next function MainThread shop.MODE 'plain' 'odd' test_shop.py 8",
    ]


def test_a_write_from_another_thread_is_told_with_its_line(run):
    tests = """
        import threading
        def test_ended():
            other = threading.Thread(target=lambda: setattr(shop, "MODE", 1))
            other.start()
            other.join()
        def test_running():
            def work():
                shop.NEW = 2
                written.set()
                told.wait()
            written, told = threading.Event(), threading.Event()
            other = threading.Thread(target=work, name="stock")
            other.start()
            written.wait()
            shop.MODE = "plain"  # here the main thread learns of the write
            told.set()
            other.join()
    """
    done = run(tests)
    assert done.summary[:4] == [
        "shop.MODE, left changed by 1:",
        "  test_shop.py::test_ended: shop.MODE: 'plain' → 1, test_shop.py:5, by thread that has ended",
        "shop.NEW, left changed by 1:",
        "  test_shop.py::test_running: shop.NEW: absent → 2, test_shop.py:10, by thread stock",
    ]
    assert [row["thread"] for row in done.rows] == ["that has ended", "stock"]


def test_a_write_while_no_test_runs_is_told_as_such_with_its_line(run):
    conftest = "import shop\ndef pytest_runtest_logfinish(nodeid): shop.SEEN = nodeid[-3:]\n"
    done = run("def test_one(): pass\ndef test_two(): pass\n", mode="--depwatch-leaks=error", conftest=conftest)
    assert done.leaks == [
        "None none MainThread shop.SEEN absent 'one' conftest.py 2",
        "None none MainThread shop.SEEN 'one' 'two' conftest.py 2",
    ]
    assert done.summary[1] == "  while no test ran: shop.SEEN: absent → 'one', conftest.py:2"
    assert done.outcomes == {"passed": 2}


def test_doctests_unittest_classes_and_subtests_are_watched(run):
    tests = """
        import unittest
        class Case(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.goods = 1
                cls.addClassCleanup(print)
            def test_sub(self):
                for i in range(2):
                    with self.subTest(i): shop.MODE = i
            @unittest.expectedFailure
            def test_fails(self): self.fail()
        def test_subtests(subtests):
            with subtests.test("one"): shop.NEW = 1
    """
    done = run(tests, "--doctest-modules", more='"""\n>>> import shop\n>>> shop.DOC = 1\n>>> 2\n2\n"""')
    assert done.leaks == [
        "more.py::more function MainThread shop.DOC absent 1 <doctest more[1]> 1",
        "test_shop.py::Case::test_sub function MainThread shop.MODE 'plain' 1 test_shop.py 11",
        "test_shop.py::test_subtests function MainThread shop.NEW absent 1 test_shop.py 15",
    ]


def test_a_coroutine_of_asyncio_is_watched(run):
    tests = """
        import asyncio
        async def work():
            await asyncio.sleep(0)
            shop.MODE = "odd"
        def test_it(): asyncio.run(work())
    """
    assert run(tests).leaks == ["test_shop.py::test_it function MainThread shop.MODE 'plain' 'odd' test_shop.py 6"]


def test_nothing_of_the_program_is_called_to_compare_or_to_describe(run):
    tests = """
        def test_it():
            class Sly(type):
                def __getattribute__(cls, name): raise SystemError
                def __eq__(cls, other): raise SystemError
                def __hash__(cls): raise SystemError
            class Odd(metaclass=Sly):
                def __repr__(self): raise SystemError
                def __eq__(self, other): raise SystemError
                __class__ = property(lambda self: 1 / 0)
            shop.MODE = Odd()
            shop.NAMES = [Odd()]
            shop.Odd = Odd
    """
    assert [(row["name"], row["new"]) for row in run(tests).rows] == [
        ("shop.MODE", "<test_it.<locals>.Odd object>"),
        ("shop.NAMES", "<list of 1 items>"),
        ("shop.Odd", "<class test_shop.test_it.<locals>.Odd>"),
    ]


def test_what_is_watched_dies_as_it_would_without_the_plugin(run):
    tests = """
        import gc, importlib, sys, types, weakref
        def test_at_once():
            for name in ("shop.made", "made"):
                sys.modules[name] = types.ModuleType(name)
                sys.modules[name].function = shop.NEW = lambda: 1
                made = weakref.ref(sys.modules[name]), weakref.ref(shop.NEW)
                del sys.modules[name], shop.NEW
                assert [each() for each in made] == [None, None]
        def test_reload():
            global old
            old = weakref.ref(shop.Goods), weakref.ref(shop.price)
            importlib.reload(shop)
        def test_the_old_ones_are_gone():
            gc.collect()
            assert [each() for each in old] == [None, None]
    """
    assert run(tests).outcomes == {"passed": 3}

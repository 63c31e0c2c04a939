"""The options of pytest --depwatch-leaks, its summary, and xdist."""

import json
import textwrap

LEAKY = """
def test_one(): shop.MODE = 1
def test_two(): shop.MODE = 2
def test_three(): shop.NEW = 3
"""


def test_without_the_option_nothing_is_watched_or_told(pytester):
    pytester.makepyfile("""
        def test_it(pytestconfig):
            has_plugin = pytestconfig.pluginmanager.has_plugin
            assert (has_plugin("depwatch"), has_plugin("depwatch-leaks")) == (True, False)
    """)
    done = pytester.runpytest_inprocess()
    assert done.parseoutcomes() == {"passed": 1}
    assert "depwatch: what tests left changed" not in str(done.stdout)


def test_the_summary_begins_with_what_most_tests_left_changed(run):
    done = run("def test_zero(): shop.A = 1\n" + LEAKY)
    assert done.summary == [
        "shop.MODE, left changed by 2:",
        "  test_shop.py::test_one: shop.MODE: 'plain' → 1, test_shop.py:4",
        "  test_shop.py::test_two: shop.MODE: 1 → 2, test_shop.py:5",
        "shop.A, left changed by 1:",
        "  test_shop.py::test_zero: shop.A: absent → 1, test_shop.py:2",
        "shop.NEW, left changed by 1:",
        "  test_shop.py::test_three: shop.NEW: absent → 3, test_shop.py:6",
        "4 leaks, 0 accepted by the baseline",
    ]


def test_a_path_may_follow_the_option(run):
    assert run(LEAKY, "--depwatch-leaks", "test_shop.py").summary[-1] == "3 leaks, 0 accepted by the baseline"


def test_error_fails_the_tests_that_leak(run):
    done = run(LEAKY + "def test_four(): pass\n", mode="--depwatch-leaks=error")
    assert done.outcomes == {"passed": 4, "errors": 3}
    assert "test_shop.py::test_one: shop.MODE: 'plain' → 1, test_shop.py:3" in done.lines


def test_the_error_is_one_of_the_teardown_where_the_scope_ends(run):
    tests = """
        @pytest.fixture(scope="class")
        def left(): shop.MODE = 1
        @pytest.fixture
        def torn():
            yield
            shop.NEW = 1
            raise RuntimeError("torn")
        class TestGoods:
            def test_one(self, left): pass
            def test_two(self): pass
        def test_torn(torn): pass
        def test_undone(monkeypatch): monkeypatch.setattr(shop, "MODE", 2)
        @pytest.mark.xfail  # of the suite under test: a test that fails as expected can leak, too
        def test_xfail():
            shop.LATE = 1
            assert 0
    """
    done = run(tests, mode="--depwatch-leaks=error")
    assert done.outcomes == {"passed": 4, "xfailed": 1, "errors": 3}
    assert [line for line in done.lines if line.startswith("ERROR ")] == [
        "ERROR test_shop.py::TestGoods::test_two - depwatch: left changed",
        "ERROR test_shop.py::test_torn - RuntimeError: torn",
        "ERROR test_shop.py::test_xfail - depwatch: left changed",
    ]
    assert [row["name"] for row in done.rows] == ["shop.MODE", "shop.NEW", "shop.LATE"]


def test_a_run_can_stop_at_the_first_leak(run):
    assert run(LEAKY, "-x", mode="--depwatch-leaks=error").outcomes == {"passed": 1, "errors": 1}


def test_a_baseline_accepts_what_is_known_and_a_new_leak_still_fails(run):
    known = run(LEAKY).file.rename("known.json")
    again = run(LEAKY, f"--depwatch-leaks-baseline={known}", mode="--depwatch-leaks=error")
    assert (again.outcomes, again.summary) == ({"passed": 3}, ["0 leaks, 3 accepted by the baseline"])
    assert json.loads(again.file.read_text()) == json.loads(known.read_text())
    more = LEAKY + "def test_four(): shop.NEW = 4\n"
    done = run(more, f"--depwatch-leaks-baseline={known}", mode="--depwatch-leaks=error")
    assert done.outcomes == {"passed": 4, "errors": 1}
    assert done.summary == [
        "shop.NEW, left changed by 1:",
        "  test_shop.py::test_four: shop.NEW: 3 → 4, test_shop.py:6",
        "1 leaks, 3 accepted by the baseline",
    ]


def test_names_can_be_left_out(run):
    tests = "import other\n" + LEAKY + "def test_other(): other.X = 1; shop.Base.limit = 3\n"
    arguments = [f"--depwatch-leaks-omit={name}" for name in ("other", "shop.B*")]
    assert {row["name"] for row in run(tests, *arguments, other="").rows} == {"shop.MODE", "shop.NEW"}


def test_other_packages_can_be_added(run, monkeypatch):
    monkeypatch.setattr(textwrap, "LIMIT", 1, raising=False)
    monkeypatch.setattr(textwrap.dedent, "__defaults__", None)
    tests = "from textwrap import dedent\nimport textwrap\ndef test_it():\n"
    tests += "    textwrap.LIMIT += 1\n    dedent.__defaults__ = (textwrap.LIMIT,)\n"
    assert run(tests).leaks == []
    done = run(tests, "--depwatch-leaks-add=textwrap")
    assert [(row["name"], row["old"], row["new"]) for row in done.rows] == [
        ("textwrap.LIMIT", "2", "3"),
        ("textwrap.dedent.__defaults__", "(2,)", "(3,)"),
    ]


def test_an_installed_package_that_the_tests_import_is_watched(run):
    done = run(
        "import sys; sys.path.append('site-packages')\nfrom goods import sell\nimport goods\n"
        "def test_it(): goods.core.PRICE = 1\n",
        **{
            "site-packages/goods/__init__": "from goods.core import sell",
            "site-packages/goods/core": "def sell(): pass",
        },
    )
    assert done.leaks == ["test_shop.py::test_it function MainThread goods.core.PRICE absent 1 test_shop.py 5"]


def test_plugins_of_pytest_are_not_under_test(run, pytester, monkeypatch):
    folder = pytester.mkdir("site-packages")
    (information := folder / "goods-1.dist-info").mkdir()
    for name, text in {
        "METADATA": "Name: goods\nVersion: 1\n",
        "RECORD": "goods.py,,\n",
        "entry_points.txt": "[pytest11]\ngoods = goods\n",
    }.items():
        (information / name).write_text(text)
    (folder / "goods.py").write_text("")
    monkeypatch.syspath_prepend(folder)
    tests = "import goods\ndef test_it(): goods.NEW = shop.NEW = 1\n"
    assert [row["name"] for row in run(tests, plugins=None).rows] == ["shop.NEW"]


def test_workers_of_xdist_tell_the_run(run):
    done = run(
        LEAKY,
        *("-n", "1"),
        plugins=("xdist.plugin", "depwatch.integrations.pytest"),
        conftest="import shop\ndef pytest_runtest_logfinish(nodeid): shop.SEEN = nodeid[-3:]\n",
    )
    assert done.leaks == [
        "test_shop.py::test_one function MainThread shop.MODE 'plain' 1 test_shop.py 3",
        "None none MainThread shop.SEEN absent 'one' conftest.py 2",
        "test_shop.py::test_two function MainThread shop.MODE 1 2 test_shop.py 4",
        "None none MainThread shop.SEEN 'one' 'two' conftest.py 2",
        "test_shop.py::test_three function MainThread shop.NEW absent 3 test_shop.py 5",
        "None none MainThread shop.SEEN 'two' 'ree' conftest.py 2",
    ]
    assert done.summary[-1] == "6 leaks, 0 accepted by the baseline"


def test_a_process_where_depwatch_is_off_is_refused(run, monkeypatch):
    monkeypatch.setenv("DEPWATCH", "0")
    done = run(LEAKY)
    refusal = "ERROR: --depwatch-leaks sees no change while DEPWATCH=0 is set: unset it"
    assert (done.leaks, [line for line in done.errors if line]) == (None, [refusal])


def test_a_test_that_fails_is_still_looked_at(run):
    done = run("def test_it():\n    shop.MODE = 1\n    assert 0\n", mode="--depwatch-leaks=error")
    assert done.leaks == ["test_shop.py::test_it function MainThread shop.MODE 'plain' 1 test_shop.py 3"]
    assert done.outcomes == {"failed": 1, "errors": 1}

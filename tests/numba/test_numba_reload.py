"""Code that is reloaded by importlib, by IPython's %autoreload and by jurigged, as docs/reload.md tells."""

import textwrap
from pathlib import Path

import pytest

import parent

BEGIN = """
import importlib, os, sys, time
sys.dont_write_bytecode = True
sys.path.insert(0, os.getcwd())
"""
RELOADERS = {
    "importlib.reload": """
import prices
def reload(): importlib.reload(prices)
""",
    "autoreload": """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "autoreload")
shell.run_line_magic("autoreload", "2")
shell.run_cell("import prices")
import prices
def reload(): shell.run_cell("pass").raise_error()
""",
    "jurigged": """
import jurigged
watcher = jurigged.watch(pattern=os.getcwd() + "/*.py", autostart=False, logger=None)
import prices
def reload(): watcher.refresh(os.getcwd() + "/prices.py")
""",
}
RULE = Path(__file__).parents[2].joinpath("docs", "reload.md").read_text().split("```python\n")[1].split("```")[0]

PRICES = """
import numba
RATE, UNIT = {rate}, "{unit}"
@numba.njit
def price(x): return x * RATE + len(UNIT) + {body}
def plain(x): return x * RATE + {body}
"""
USER = """
import numba, prices
from prices import price, plain
@numba.njit
def by_name(x): return price(x)
@numba.njit
def by_module(x): return prices.price(x)
"""
PROGRAM = """
from depwatch.integrations import numba as watched
watched.patch()
{reloader}
import user
def show(): print(prices.price(1), user.price(1), user.by_name(1), user.by_module(1))
show()
edit({edit})
reload()
show()
"""
EDIT = """
def edit(**values):
    with open("prices.py", "w") as file:
        file.write({prices!r}.format(**{{"rate": 2, "unit": "kg", "body": 0}} | values))
    os.utime("prices.py", (time.time() + 10,) * 2)
"""


def run(program, folder):
    (folder / "user.py").write_text(USER)
    prices = folder / "prices.py"
    prices.write_text(PRICES.format(rate=2, unit="kg", body=0))
    done = parent.parent("numba", "IPython.core.interactiveshell", "jurigged").run(
        BEGIN + EDIT.format(prices=PRICES) + textwrap.dedent(program), cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("reloader", RELOADERS)
@pytest.mark.parametrize("edit, right", [("rate=5", "7 7 7 7"), ("unit='pound'", "7 7 7 7")])
def test_functions_follow_the_values_of_a_module_that_is_reloaded(tmp_path, reloader, edit, right):
    program = PROGRAM.format(reloader=RELOADERS[reloader], edit=edit)
    assert run(program, tmp_path) == ["4 4 4 4", right]


@pytest.mark.parametrize("reloader", ["importlib.reload", "autoreload"])
def test_a_function_that_was_imported_by_name_stays_the_old_one(tmp_path, reloader):
    program = PROGRAM.format(reloader=RELOADERS[reloader], edit="body=10")
    assert run(program, tmp_path) == ["4 4 4 4", "14 4 4 14"]


def test_with_the_rule_of_the_docs_autoreload_changes_functions_of_numba_too(tmp_path):
    program = PROGRAM.format(reloader=RELOADERS["autoreload"] + RULE, edit="body=10")
    assert run(program, tmp_path) == ["4 4 4 4", "14 14 14 14"]


def test_functions_whose_code_jurigged_changes_are_compiled_again(tmp_path):
    program = PROGRAM.format(reloader=RELOADERS["jurigged"], edit="body=10")
    assert run(program, tmp_path) == ["4 4 4 4", "14 14 14 14"]


INSTALLED = """
import depwatch
{reloader}
from prices import plain
recorder = depwatch.Recorder("plain")
recorder.read_function(plain, "code")
rate = recorder.read(plain, "RATE")
entry = depwatch.install(plain, lambda x: ("optimized", x * rate), recorder.commit())
print(plain(1), entry.active)
edit({edit})
reload()
print(plain(1), entry.active)
"""


@pytest.mark.parametrize(
    "reloader, edit, right",
    [
        ("importlib.reload", "rate=5", "5 False"),
        ("autoreload", "body=10", "12 False"),
        ("jurigged", "body=10", "12 False"),
    ],
)
def test_an_installed_function_runs_its_new_code_after_a_reload(tmp_path, reloader, edit, right):
    program = INSTALLED.format(reloader=RELOADERS[reloader], edit=edit)
    assert run(program, tmp_path) == ["('optimized', 2) True", right]

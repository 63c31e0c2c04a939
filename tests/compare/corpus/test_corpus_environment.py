"""The environment of a program that has packages, made by a stand-in for uv: nothing is fetched."""

import json
import os
import platform
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest
from tiny import Tiny, variables

# Makes environments as uv does; as packages it installs all that we have, under another name.
UV = """#!{python}
import json, subprocess, sys
with open({calls!r}, "a") as file:
    print(json.dumps(sys.argv[1:]), file=file)
if sys.argv[1] == "venv":
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", sys.argv[-1]], check=True)
elif "broken==1" in sys.argv:
    sys.exit("error: no such package: broken")
else:
    python = sys.argv[sys.argv.index("--python") + 1]
    site = "import sysconfig; print(sysconfig.get_path('purelib'))"
    with open(subprocess.check_output([python, "-c", site], text=True).strip() + "/all.pth", "w") as file:
        print({site!r}, file=file)
"""

# Numbers of calls must be the same for the plain and the recorded run; where they run is written for the test to see.
PROGRAM = """
import sys, depwatch
with open(sys.argv[1], 'a') as file:
    print(sys.prefix, depwatch.__file__, sys.argv[2], file=file)
"""

VERSION = platform.python_version()


class FakeUv:
    def __init__(self, directory: Path) -> None:
        self._calls = directory / "calls"
        self._bin = directory / "bin"
        self._bin.mkdir()
        text = UV.format(python=sys.executable, calls=str(self._calls), site=sysconfig.get_path("purelib"))
        (self._bin / "uv").write_text(text, encoding="utf-8")
        (self._bin / "uv").chmod(0o755)

    def calls(self) -> list[list[str]]:
        lines = self._calls.read_text(encoding="utf-8").splitlines() if self._calls.exists() else []
        self._calls.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    def run(self, tiny: Tiny) -> subprocess.CompletedProcess[str]:
        environment = variables() | {"PATH": f"{self._bin}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run(tiny.command(), capture_output=True, text=True, timeout=120, env=environment)


@pytest.fixture
def uv(tmp_path: Path) -> FakeUv:
    return FakeUv(tmp_path)


def write(tiny: Tiny, *packages: str, constraints: str = "") -> None:
    tiny.write({"packaged": PROGRAM})
    text = tiny.toml.read_text(encoding="utf-8").replace('/ran"]', '/ran", "{site}/x"]')
    text += f'packages = {json.dumps(packages)}\nfrom_source = ["thing"]\n'
    (tiny.directory / "pins.txt").write_text(constraints, encoding="utf-8")
    tiny.toml.write_text('constraints = "pins.txt"\n' + text, encoding="utf-8")


@pytest.mark.slow
def test_a_program_with_packages_runs_in_an_environment_of_its_own_that_is_made_once(tiny: Tiny, uv: FakeUv) -> None:
    write(tiny, "thing==1.0")
    assert uv.run(tiny).stderr.splitlines()[-1] == f"{tiny.results}: 1 of 1 programs"
    environment = tiny.directory / "cache" / VERSION / "packaged" / "environment"
    site = environment / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    ran = [str(environment), str(site / "depwatch" / "__init__.py"), str(site / "x")]
    assert tiny.runs() == ran * 2  # plain and recorded
    python = ["--python", str(environment / "bin" / "python")]
    what = ["thing==1.0", f"pyroaring=={version('pyroaring')}", "--no-binary", "thing"]
    pins = ["--constraints", str(tiny.directory / "pins.txt")]
    assert uv.calls() == [
        ["venv", "--quiet", "--python", sys.executable, str(environment)],
        ["pip", "install", "--quiet", "--compile-bytecode", *python, *what, *pins],
    ]
    (trace,) = tiny.report()["traces"]
    assert (trace["packages"], trace["program"][-1]) == (["thing==1.0"], "{site}/x")
    assert str(environment) not in tiny.results.read_text(encoding="utf-8")

    (tiny.directory / "cache" / VERSION / "packaged" / "measured.json").unlink()
    assert uv.run(tiny).returncode == 0
    assert (uv.calls(), len(tiny.runs())) == ([], 12)

    write(tiny, "thing==1.0", constraints="other==2.0\n")
    assert uv.run(tiny).returncode == 0
    assert (len(uv.calls()), len(tiny.runs())) == (2, 18)


@pytest.mark.slow
def test_packages_that_cannot_be_installed_leave_no_environment_to_be_used(tiny: Tiny, uv: FakeUv) -> None:
    write(tiny, "broken==1")
    for _ in range(2):
        done = uv.run(tiny)
        assert done.returncode == 1
        why = "installing ended with status 1: error: no such package: broken"
        assert done.stderr.splitlines()[-1] == f"failed: packaged: {why}"
        assert tiny.report()["corpus"]["failed"] == {"packaged": why}
        assert len(uv.calls()) == 2
    assert tiny.runs() == []


def test_without_uv_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from corpus import environment

    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(environment.CorpusError) as raised:
        environment.find_uv()
    line = "no uv on PATH to make the programs' environments with: pip install uv"
    assert str(raised.value) == line

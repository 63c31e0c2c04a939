"""What users with type checkers see of depwatch. Part of ./dev lint: the environment of the tests has no checkers."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "build" / "types" / "readme.py"  # its code; pyproject.toml names the folder for pyright
COMPILED = ("depwatch._core", "depwatch.compare.record._tap", "depwatch.compare.replay._engine")


def run(module: str, *arguments: str | Path) -> bool:
    environment = os.environ | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}  # of a newer version
    return subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT, env=environment).returncode == 0


def clients() -> list[Path]:
    README.parent.mkdir(parents=True, exist_ok=True)
    README.write_text("\n".join(re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)))
    examples = [path for path in sorted(ROOT.glob("examples/**/*.py")) if path.name != "setup.py"]
    return [README, *examples, *sorted(ROOT.glob("tests/workshop/types/*.py"))]


def modules_of_the_api() -> list[str]:
    """Not the whole package: stubtest imports each module, also those that run a program or need an extra."""
    text = (ROOT / "depwatch" / "__init__.py").read_text()
    return sorted(set(re.findall(r"^from (depwatch\.[a-z]\w*) import", text, re.M)))


passed = [
    run("mypy", "--strict", *clients()),
    run("pyright", "--pythonpath", sys.executable),
    run(
        "mypy.stubtest",
        *(*COMPILED, *modules_of_the_api(), "--concise", "--mypy-config-file", "pyproject.toml"),
        *("--allowlist", "tests/workshop/stubtest.txt", "--ignore-unused-allowlist"),
    ),
]
sys.exit(not all(passed))

"""jedi completes and infers names in modules of the standard library, and counts its depth in a global as it goes."""

import sysconfig
from pathlib import Path

import jedi

MODULES = ("textwrap.py", "shlex.py", "queue.py", "bisect.py")


def main() -> None:
    environment = jedi.InterpreterEnvironment()
    completions = names = 0
    for module in MODULES:
        text = (Path(sysconfig.get_path("stdlib")) / module).read_text(encoding="utf-8")
        script = jedi.Script(text, environment=environment)
        for number, line in enumerate(text.splitlines(), 1):
            if "." in line and not number % 6:
                completions += len(script.complete(number, line.index(".") + 1))
        for name in script.get_names(all_scopes=True)[::3]:
            names += len(name.infer())
    print(len(MODULES), "modules,", completions > 0, names > 0)


main()

"""The extras of depwatch's distribution, which install what commands need beyond depwatch itself."""

import sys
from importlib.util import find_spec


def need(command: str, extra: str, *packages: str) -> None:
    """End this process with status 2 and one sentence if any of packages, which the extra installs, is missing."""
    if missing := [package for package in packages if find_spec(package) is None]:
        packages_missing = " and ".join(filter(None, (", ".join(missing[:-1]), missing[-1])))
        print(
            f"depwatch {command} needs {packages_missing}, which the extra {extra!r} installs: "
            f'pip install "depwatch[{extra}]"',
            file=sys.stderr,
        )
        sys.exit(2)

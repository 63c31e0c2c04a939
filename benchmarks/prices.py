"""What a recompile, an invalidation, a patch, a guard and a cold call cost in CPython's JIT, CinderX and numba.

Which of them is measured depends on the interpreter: 3.15 with its JIT, 3.14 for CinderX, 3.13 for numba.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from corpus.entries import CorpusError, load
from corpus.peers import Cinderx, Cpython, Found, Numba, Peer
from corpus.run import CORPUS, DIRECTORY
from corpus.units import quartiles
from depwatch.compare.output import Output
from measure import machine

FUNCTIONS = 100  # of each price, at least
FOUND = "found.json"


def main() -> None:
    parser = argparse.ArgumentParser("./dev bench prices", description=__doc__)
    parser.add_argument("--only", default="", help="these programs, separated by commas")
    parser.add_argument("--all", action="store_true", help=f"not only until each price has {FUNCTIONS} functions")
    parser.add_argument("--resume", action="store_true", help="take what an interrupted run has found")
    parser.add_argument("-o", dest="output", type=Path, help="default: results/prices-PEER.json")
    arguments = parser.parse_args()
    peer = _peer()
    output = arguments.output or CORPUS.parent / "results" / f"prices-{peer.name}.json"
    only = [name for name in arguments.only.split(",") if name] or peer.programs()
    found: dict[str, Found] = {}
    failed: dict[str, str] = {}
    for program in only:
        try:
            found[program] = _found(peer, program, arguments.resume)
        except CorpusError as error:
            failed[program] = str(error).replace(str(DIRECTORY), "<corpus>")
        print(f"{program}: {failed.get(program, counted(found.get(program, {})))}", file=sys.stderr)
        report = reported(peer, found, failed)
        with Output(str(output)) as file:
            file.write(json.dumps(report, indent=1) + "\n")
        if not arguments.all and enough(report["prices"]):
            break
    print(output.read_text(encoding="utf-8"))
    for name, price in report["prices"].items():
        if price.get("functions", FUNCTIONS) < FUNCTIONS:
            print(f"prices: {name}: only {price['functions']} functions of {FUNCTIONS}", file=sys.stderr)


def _peer() -> Peer:
    """That which runs on this interpreter."""
    version = sys.version.split()[0]
    jit = getattr(sys, "_jit", None)
    if jit is not None and jit.is_available() and sys.version_info[:2] == (3, 15):
        return Cpython(DIRECTORY / f"{version}-cpython", load(CORPUS))
    if sys.version_info[:2] == (3, 14):
        return Cinderx(DIRECTORY / f"{version}-cinderx", load(CORPUS))
    if sys.version_info[:2] == (3, 13):
        return Numba(DIRECTORY / f"{version}-numba")
    sys.exit(
        "prices: CPython 3.15 has a JIT that can be timed, CinderX runs on 3.14 and numba on 3.13: set PYTHON and "
        "DEPWATCH_VENV"
    )


def _found(peer: Peer, program: str, resume: bool) -> Found:
    """Raises CorpusError."""
    kept = peer.directory / program / FOUND
    if resume and kept.exists():
        found: Found = json.loads(kept.read_text(encoding="utf-8"))
        return found
    found = peer.found(program)
    kept.write_text(json.dumps(found), encoding="utf-8")
    return found


def counted(found: Found) -> str:
    return ", ".join(f"{price}: {len({name for name, _ in rows})}" for price, rows in found.items())


def enough(prices: dict[str, Any]) -> bool:
    return all(price["functions"] >= FUNCTIONS for price in prices.values() if "functions" in price)


def reported(peer: Peer, found: dict[str, Found], failed: dict[str, str]) -> dict[str, Any]:
    """Of each price how many were timed, of how many functions, and in ns the least, three quartiles, the most."""
    prices: dict[str, Any] = {}
    for program, those in found.items():
        for price, rows in those.items():
            one = prices.setdefault(price, {"pieces": 0, "functions": set(), "ns": []})
            one["pieces"] += len(rows)
            one["functions"] |= {(program, name) for name, _ in rows}
            one["ns"] += [ns for _, ns in rows]
    for price, one in prices.items():
        if not one["pieces"]:
            prices[price] = {"none": "no function of these programs has one"}
            continue
        values = [round(value, 3) for value in quartiles(one.pop("ns"))]
        one |= {"functions": len(one["functions"]), "number" if price.startswith("guards") else "ns": values}
    prices |= {price: {"none": why} for price, why in peer.has_none.items()}
    return {
        "peer": peer.name,
        "python": sys.version.split()[0],
        "cpu": machine()["cpu"],
        "when": time.strftime("%Y-%m-%d"),
        "programs": {program: {price: len(rows) for price, rows in those.items()} for program, those in found.items()},
        "failed": failed,
        "prices": prices,
    }


if __name__ == "__main__":
    main()

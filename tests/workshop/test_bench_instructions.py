"""./dev bench instructions, CI's gate: what fails, what does not, and what it says."""

import json
import sys

import pytest

import instructions

BASE = {"a store": 300.0}


@pytest.fixture
def gate(monkeypatch, tmp_path, capsys):
    """Runs the command with these counts; its exit status, and what it printed."""
    monkeypatch.setattr(instructions, "result_path", lambda *name: tmp_path / "reference.json")
    monkeypatch.setattr(instructions.shutil, "which", lambda name: name)
    monkeypatch.setattr(instructions, "compiler", lambda: "gcc 1")

    def run(*arguments, **ours):
        """Of several counts of an operation the first is found first."""
        several = {name.replace("_", " "): n if isinstance(n, list) else [n] for name, n in ours.items()}
        rounds = iter(range(instructions.COUNTED_AT_MOST))

        def count():
            turn = next(rounds)
            return {name: found[min(turn, len(found) - 1)] for name, found in several.items()}, BASE

        monkeypatch.setattr(instructions, "count", count)
        monkeypatch.setattr(sys, "argv", ["instructions", *arguments])
        status = instructions.main()
        return status, capsys.readouterr().out

    monkeypatch.setattr(instructions, "finish", with_reference(tmp_path / "reference.json"))
    assert run("--renew", a_store=340, a_commit=9000)[0] == 0
    return run


def with_reference(path):
    finish = instructions.finish

    def finished(name, title, rows, *, check, write, more):
        if write:
            path.write_text(
                json.dumps({"rows": [{"case": row.case, "value": {"median": row.value.median}} for row in rows]} | more)
            )
        return finish(name, title, rows, check=check, write=False, more=more)

    return finished


def test_three_percent_more_pass_and_a_fall_does_too(gate):
    assert gate("--check", a_store=341, a_commit=9260)[0] == 0
    assert gate("--check", a_store=310, a_commit=4000)[0] == 0


def test_what_rose_by_more_is_named_and_only_a_check_fails(gate):
    status, printed = gate("--check", a_store=340, a_commit=9300)
    assert (status, printed.splitlines()[-1]) == (1, "missed 1: a commit")
    status, printed = gate("--check", a_store=342, a_commit=9000)  # 42 added, not 40: the base is no part of it
    assert (status, printed.splitlines()[-1]) == (1, "missed 1: a store")
    assert gate(a_store=342, a_commit=9300)[0] == 0


def test_what_is_too_much_is_counted_three_times_and_the_least_counts(gate):
    assert gate("--check", a_store=[350, 350, 340], a_commit=[9000, 9900, 9900])[0] == 0
    status, printed = gate("--check", a_store=[350, 345, 350], a_commit=9000)
    assert (status, printed.splitlines()[-1]) == (1, "missed 1: a store")


def test_an_operation_that_is_no_longer_counted_fails(gate):
    status, printed = gate("--check", a_store=340)
    assert status == 1
    assert "no longer counted, so renew the reference: a commit" in printed


def test_another_compiler_than_that_of_the_reference_is_said_and_allowed_more(gate, monkeypatch):
    monkeypatch.setattr(instructions, "compiler", lambda: "gcc 2")
    status, printed = gate("--check", a_store=347, a_commit=10000)
    assert (status, printed.splitlines()[0]) == (
        0,
        "the reference is of gcc 1, this is gcc 2: 20% more are allowed, not 3%",
    )
    assert gate("--check", a_store=349, a_commit=9000)[0] == 1


def test_without_a_reference_a_check_says_how_to_make_one(gate, monkeypatch, tmp_path):
    (tmp_path / "reference.json").unlink()
    with pytest.raises(SystemExit, match=r"no reference reference\.json in results/: write it with --renew"):
        gate("--check", a_store=340)

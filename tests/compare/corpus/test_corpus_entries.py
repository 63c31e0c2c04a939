"""The corpus's TOML: what is refused, in one line, and the corpus that depwatch has."""

from pathlib import Path

import pytest
from tiny import ROOT, Tiny

from corpus.entries import Chosen, Corpus, CorpusError, Entry, Kind, load

ENTRY = '[[program]]\nname = "a"\nkind = "quiet"\nwhy = "so"\ncommand = ["-m", "this"]\n'


def test_an_entry_is_read_with_all_its_keys(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    (tmp_path / "s.py").touch()
    (tmp_path / "pins.txt").touch()
    path.write_text(
        'constraints = "pins.txt"\n'
        + ENTRY.replace('["-m", "this"]', '["{programs}/s.py", "{site}/x"]')
        + 'packages = ["x-y[z]==1.0"]\nfrom_source = ["x-y"]\nsources = ["x-y==1.0"]\nchosen = "rank"\n',
        encoding="utf-8",
    )
    command = ("{programs}/s.py", "{site}/x")
    entry = Entry("a", Kind.QUIET, "so", command, ("x-y[z]==1.0",), ("x-y",), ("x-y==1.0",), Chosen.RANK)
    assert load(path) == Corpus(path, tmp_path, tmp_path / "pins.txt", (entry,))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[program]", "no TOML: Expected ']]' at the end of an array declaration (at line 1, column 10)"),
        ("", "no [[program]] in it"),
        ("program = 3", "program is 3; it must be a list"),
        ("program = [3]", "program 1 is 3, no table: write [[program]]"),
        ("colour = 1\n" + ENTRY, "no key is called 'colour'"),
        ('constraints = "none.txt"\n' + ENTRY, "constraints: there is no file 'none.txt' beside it"),
        ("programs = 1\n" + ENTRY, "programs is 1; it must be a string"),
        (ENTRY + "colour = 1", "program 'a': no key is called 'colour'"),
        (ENTRY.replace('kind = "quiet"', ""), "program 'a': kind is missing"),
        (ENTRY.replace("quiet", "loud"), "program 'a': kind is 'loud'; it must be 'quiet' or 'mutating'"),
        (ENTRY.replace('"a"', '"../a"'), "program '../a': name: only lower-case letters, digits, '.', '_' and '-'"),
        (ENTRY.replace('name = "a"', ""), "program 1: name is missing"),
        (ENTRY + ENTRY, "two programs are called 'a'"),
        (ENTRY.replace('"this"', "7"), "program 'a': command has 7 in it; it must be a list of strings"),
        (ENTRY.replace(', "this"', ""), "program 'a': command is empty: give a script, or '-m' and a module"),
        (
            ENTRY.replace("this", "{home}/x"),
            "program 'a': command: no placeholder is called {home}; "
            "there are {benchmarks}, {programs}, {site}, {sources}, {stdlib}",
        ),
        (ENTRY.replace("this", "{x"), "program 'a': command: '{x': expected '}' before end of string"),
        (ENTRY + 'packages = ["x"]', "program 'a': package 'x' is not pinned: write name==version"),
        (ENTRY + 'packages = ["x>=1"]', "program 'a': package 'x>=1' is not pinned: write name==version"),
        (ENTRY + 'packages = ["y==1"]\nsources = ["x"]', "program 'a': package 'x' is not pinned: write name==version"),
        (
            ENTRY + 'sources = ["x==1"]',
            "program 'a': sources without packages: they are unpacked into the environment of these",
        ),
        (
            ENTRY + 'chosen = "me"',
            "program 'a': chosen is 'me'; it must be 'hand' or 'pyperformance' or 'rank'",
        ),
        (ENTRY.replace("this", "{programs}/gone.py"), "program 'a': there is no gone.py in {directory}"),
    ],
)
def test_a_mistake_in_the_file_is_told_in_one_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError) as raised:
        load(path)
    assert str(raised.value) == f"{path}: {problem.replace('{directory}', str(tmp_path))}"


def test_what_cannot_be_begun_is_one_line_and_makes_nothing(tiny: Tiny) -> None:
    done = tiny.run()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"corpus: {tiny.toml}: No such file or directory\n"
    tiny.toml.write_text(ENTRY, encoding="utf-8")
    done = tiny.run("--only", "b")
    assert done.stderr == f"corpus: {tiny.toml}: no program is called 'b'; there are a\n"
    assert sorted(path.name for path in tiny.directory.iterdir()) == ["tiny.toml"]


def test_the_corpus_is_whole_and_pinned_and_the_forty_are_half_of_each_kind() -> None:
    corpus = load(ROOT / "benchmarks" / "corpus.toml")
    chosen = [entry.chosen for entry in corpus.entries]
    assert [chosen.count(how) for how in Chosen] == [40, 10, 10]
    kinds = [entry.kind for entry in corpus.entries if entry.chosen == Chosen.HAND]
    assert kinds.count(Kind.QUIET) == kinds.count(Kind.MUTATING)
    assert all(entry.packages and entry.why for entry in corpus.entries)
    used = {script.name for entry in corpus.entries for script in corpus.scripts(entry)}
    assert used == {path.name for path in corpus.programs.glob("*.py")}
    versions: dict[str, set[str]] = {}
    assert corpus.constraints is not None
    pins = [line for line in corpus.constraints.read_text(encoding="utf-8").splitlines() if line[:1] not in ("#", "")]
    for package in [*(package for entry in corpus.entries for package in entry.packages), *pins]:
        name, _, version = package.partition("==")
        versions.setdefault(name.lower().replace("_", "-"), set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) != 1} == {}

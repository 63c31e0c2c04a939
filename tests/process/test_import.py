"""What `import depwatch` brings into a process."""

from support import python

LATER = "click dataclasses dis inspect json msgspec numba numpy pyarrow pyroaring rich tokenize"


def test_the_import_loads_nothing_that_only_some_programs_need():
    """Discovery, sets of IDs and the commands are imported where they are used."""
    code = f"import depwatch, sys; print(sorted(set({LATER!r}.split()) & set(sys.modules)))"
    assert python(code, cold=True) == "[]\n"


def test_what_is_imported_later_works_at_its_first_use():
    code = """
        import depwatch
        RATE = 2
        def f(): return RATE
        handle = depwatch.assume(f)
        print([read.name for read in depwatch.discover(f).reads], len(depwatch.dependents(f, "RATE")))
    """
    assert python(code, cold=True) == "['code', 'defaults', 'RATE'] 1\n"

"""The names of the package."""

import depwatch


def test_dir_lists_the_api_and_nothing_else():
    assert dir(depwatch) == sorted(depwatch.__all__)
    assert [name for name in depwatch.__all__ if not hasattr(depwatch, name)] == []

"""A file appears at its place when it is whole, and nothing else does."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from depwatch.compare.output import Output


@pytest.fixture(params=["nameless", "hidden"])
def visible(request: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many files there are while one is written: on a file system with files without a name, and without."""
    if request.param == "nameless":
        return 0
    real = os.open

    def without_nameless(path: Any, flags: int, *more: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return real(path, flags, *more)

    monkeypatch.setattr(os, "open", without_nameless)
    return 1


def test_a_file_is_there_when_it_is_committed(tmp_path: Path, visible: int) -> None:
    target = tmp_path / "out"
    umask = os.umask(0o027)
    try:
        for text in ("first", "the second"):
            before = os.listdir(tmp_path)
            with Output(str(target)) as output:
                Path(output.path).write_text(text)
                assert len(os.listdir(tmp_path)) == len(before) + visible
                assert output.commit() == len(text)
            assert os.listdir(tmp_path) == ["out"]
            assert target.read_text() == text
            assert target.stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(umask)


def test_a_file_that_is_replaced_hands_on_its_mode(tmp_path: Path, visible: int) -> None:
    target = tmp_path / "out"
    for mode in (0o604, 0o755, 0o400):
        target.touch()
        target.chmod(mode)
        with Output(str(target)) as output:
            assert output.write("wörds") == 6
        assert (target.stat().st_mode & 0o777, target.read_text("utf-8")) == (mode, "wörds")


def test_a_file_that_is_not_committed_leaves_nothing(tmp_path: Path, visible: int) -> None:
    target = tmp_path / "out"
    target.write_text("before")
    with pytest.raises(ZeroDivisionError), Output(str(target)) as output:
        Path(output.path).write_text("half")
        1 / 0
    assert os.listdir(tmp_path) == ["out"]
    assert target.read_text() == "before"


def test_a_link_stays_one(tmp_path: Path, visible: int) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real" / "out")
    with Output(str(link)) as output:
        Path(output.path).write_text("whole")
        output.commit()
    assert link.is_symlink()
    assert os.listdir(tmp_path / "real") == ["out"]
    assert link.read_text() == "whole"


@pytest.mark.parametrize("name", ["nowhere/out", "x" * 300, ".", "/dev/null", "file/out"])
def test_a_place_where_no_file_can_be_is_refused_at_once(tmp_path: Path, visible: int, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        Output(str(tmp_path / name))
    assert os.listdir(tmp_path) == ["file"]

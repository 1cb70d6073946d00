"""Files are written whole or not at all, and never over an input."""

from __future__ import annotations

import pytest

from mixfit.base.errors import InputError, UsageError
from mixfit.base.files import check_out, write_text, writing


def test_a_failed_write_leaves_nothing(tmp_path):
    goal = tmp_path / "out.yaml"
    goal.write_text("old")

    def fail():
        with writing(goal) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert goal.read_text() == "old"
    assert list(tmp_path.iterdir()) == [goal]


def test_a_written_file_has_the_usual_permissions(tmp_path):
    write_text(tmp_path / "mixfit.yaml", "x")
    (tmp_path / "plain.yaml").write_text("x")
    modes = [(tmp_path / name).stat().st_mode for name in ("mixfit.yaml", "plain.yaml")]
    assert modes[0] == modes[1]


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot be written \(No such file or directory\)"):
        write_text(tmp_path / "no" / "fit.yaml", "x")
    with pytest.raises(UsageError, match="this is a directory"):
        check_out(str(tmp_path))
    write_text(tmp_path / "a.csv", "x")
    with pytest.raises(UsageError, match="would be overwritten"):
        check_out(str(tmp_path / "a.csv"), [str(tmp_path / "." / "a.csv")])
    check_out("-")
    check_out(None)


def test_a_link_is_followed_and_permissions_stay(tmp_path):
    (tmp_path / "real.yaml").write_text("old")
    (tmp_path / "real.yaml").chmod(0o640)
    (tmp_path / "link.yaml").symlink_to("real.yaml")
    (tmp_path / "dangling.yaml").symlink_to("new.yaml")
    for name in ("link.yaml", "dangling.yaml"):
        write_text(tmp_path / name, "x")
        assert (tmp_path / name).is_symlink()
    assert (tmp_path / "real.yaml").read_text() == (tmp_path / "new.yaml").read_text() == "x"
    assert (tmp_path / "real.yaml").stat().st_mode & 0o777 == 0o640


def test_a_read_only_file_and_a_second_result_are_refused(tmp_path):
    path = tmp_path / "kept.yaml"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(UsageError, match="this file is read-only"):
        check_out(str(path))
    with pytest.raises(UsageError, match="two results would be written"):
        check_out(str(tmp_path / "x.csv"), (), [None, "-", str(tmp_path / "." / "x.csv")])


def test_a_long_name_leaves_room_for_that_of_the_temporary_file(tmp_path):
    name = "a" * 250
    write_text(tmp_path / name, "x")
    assert (tmp_path / name).read_text() == "x"

"""Copies of files, folders and links: as they are, or with the error that stopped them."""

import errno
import os

import pytest

from penstock.runner.kinds import Odd
from penstock.runner.trees import copy_tree


def test_a_folder_is_copied_with_links_modes_and_times(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    (source / "deep/empty").mkdir(parents=True)
    (source / "deep/x").write_text("text")
    (source / "deep/x").chmod(0o751)
    (source / "to").symlink_to("deep/x")
    (source / "nowhere").symlink_to("none")
    for name in ("deep/x", "to", "deep"):
        os.utime(source / name, ns=(10**18 + 1, 10**18 + 3), follow_symlinks=False)
    copy_tree(str(source), str(target))
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*")) == [
        "deep", "deep/empty", "deep/x", "nowhere", "to",
    ]  # fmt: skip
    assert ((target / "deep/x").read_text(), os.readlink(target / "to")) == ("text", "deep/x")
    assert (target / "deep/x").stat().st_mode & 0o777 == 0o751
    assert [(target / name).lstat().st_mtime_ns for name in ("deep/x", "to", "deep")] == [10**18 + 3] * 3


def test_what_is_neither_file_folder_nor_link_is_named(tmp_path):
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a/pipe")
    with pytest.raises(Odd, match=r"a/pipe is a named pipe"):
        copy_tree(str(tmp_path / "a"), str(tmp_path / "b"))


def test_the_error_that_stops_the_copy_of_a_folder_is_the_systems_own(mount, tmp_path):
    disk = mount(tmp_path / "small", "size=1m")
    (tmp_path / "a/deep").mkdir(parents=True)
    (tmp_path / "a/deep/x").write_bytes(bytes(2_000_000))
    with pytest.raises(OSError, match="No space left") as caught:
        copy_tree(str(tmp_path / "a"), str(disk / "b"))
    assert caught.value.errno == errno.ENOSPC

"""What every transport must do, whatever lies between here and there."""

import errno
import os
import sys
import time
from pathlib import Path
from zipfile import ZipFile

import pytest

from penstock.errors import LedgerError
from penstock.transports.protocol import AT_ONCE, MOST, Transport, at_home, read_whole


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def run(transport: Transport, *argv: str, timeout_s: float = 30.0, **environment: str):
    return transport.run(argv, cwd=Path("/"), environment=environment, timeout_s=timeout_s)


# commands


def test_a_command_tells_its_code_and_both_its_outputs(transport: Transport) -> None:
    reply = run(transport, "/bin/sh", "-c", "echo out; echo err >&2; exit 3")
    assert (reply.code, reply.out, reply.err) == (3, "out\n", "err\n")


@pytest.mark.parametrize("word", ["a b", "$HOME", "*", "'", "\\", "ü\n", ""])
def test_a_word_of_a_command_arrives_as_it_is(transport: Transport, word: str) -> None:
    assert run(transport, "/usr/bin/printf", "%s", word).out == word


def test_a_command_runs_in_its_folder_and_sees_its_environment_alone(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "xyzzy")
    reply = run(transport, "/bin/sh", "-c", 'echo "$PWD $GIVEN ${SECRET-none}"', GIVEN="it is")
    assert reply.out == "/ it is none\n"


def test_a_command_that_takes_too_long_has_no_code(transport: Transport) -> None:
    assert run(transport, sys.executable, "-c", "import time; time.sleep(60)", timeout_s=0.5).code is None


def test_a_command_that_is_not_there_is_an_error(transport: Transport) -> None:
    with pytest.raises(FileNotFoundError):
        run(transport, "/no/such/command")


# reading


def test_files_are_read_from_their_offsets_by_one_question(transport: Transport) -> None:
    transport.write({"p1/a": b"0123456789", "p2/b": b"abc"})
    assert transport.read({"p1/a": 4, "p2/b": 0}) == {"p1/a": b"456789", "p2/b": b"abc"}


def test_what_is_absent_is_absent_from_the_answer_and_what_has_no_more_is_empty(transport: Transport) -> None:
    transport.write({"p1/a": b"0123"})
    asked = {"p1/a": 4, "p1/b": 0, "p1": 0, "p1/a/c": 0, "p2/a": 0}
    assert transport.read(asked) == {"p1/a": b""}
    assert transport.read({"p1/a": 99}) == {"p1/a": b""}
    assert transport.read({}) == {}


def test_one_file_gives_at_most_so_many_bytes_and_the_rest_later(transport: Transport) -> None:
    data = os.urandom(AT_ONCE) + b"rest"
    transport.write({"a": data})
    assert transport.read({"a": 0})["a"] == data[:AT_ONCE]
    assert transport.read({"a": AT_ONCE})["a"] == b"rest"
    assert read_whole(transport, "a") == data


def test_a_file_that_is_a_multiple_of_what_is_read_at_once_is_read_whole(transport: Transport) -> None:
    transport.write({"a": bytes(2 * AT_ONCE), "empty": b""})
    assert read_whole(transport, "a") == bytes(2 * AT_ONCE)
    assert (read_whole(transport, "empty"), read_whole(transport, "b")) == (b"", None)


def test_an_answer_has_a_limit_and_what_had_no_room_is_there_all_the_same(transport: Transport) -> None:
    count = MOST // AT_ONCE + 2
    transport.folder.mkdir(parents=True, mode=0o700)
    for n in range(count):  # not through the transport: it would flush them all
        with (transport.folder / f"{n}").open("wb") as file:
            file.truncate(AT_ONCE)
    answer = transport.read({f"{n}": 0 for n in range(count)})
    assert len(answer) == count
    assert sum(map(len, answer.values())) <= MOST
    assert answer["0"] == bytes(AT_ONCE)


# writing


def test_files_are_written_with_their_folders_and_replaced(transport: Transport) -> None:
    transport.write({"p1/a": b"old", "p1/deep/er/b": b"b"})
    transport.write({"p1/a": b"new"})
    assert transport.read({"p1/a": 0, "p1/deep/er/b": 0}) == {"p1/a": b"new", "p1/deep/er/b": b"b"}
    assert names(transport.folder) == ["p1", "p1/a", "p1/deep", "p1/deep/er", "p1/deep/er/b"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_is_written_is_its_owners_alone(transport: Transport, umask: int) -> None:
    before = os.umask(umask)
    try:
        transport.write({"p1/deep/a": b"x"})
    finally:
        os.umask(before)
    folder = transport.folder
    assert [mode(path) for path in (folder, folder / "p1", folder / "p1/deep")] == [0o700] * 3
    assert mode(folder / "p1/deep/a") == 0o600


def test_nothing_is_written_where_others_may_write(transport: Transport) -> None:
    transport.write({"a": b"x"})
    transport.folder.chmod(0o777)
    with pytest.raises(LedgerError, match="chmod 700"):
        transport.write({"b": b"x"})
    assert names(transport.folder) == ["a"]


def test_files_are_written_in_their_order_up_to_the_first_that_cannot_be(transport: Transport) -> None:
    transport.write({"p1/taken/x": b""})
    with pytest.raises(OSError, match="directory"):
        transport.write({"p1/z": b"z", "p1/taken": b"", "p1/a": b"a"})
    assert names(transport.folder) == ["p1", "p1/taken", "p1/taken/x", "p1/z"]


def test_an_error_names_the_file(transport: Transport) -> None:
    transport.write({"p1/taken/x": b""})
    with pytest.raises(OSError, match=r"taken") as caught:
        transport.write({"p1/taken": b""})
    assert caught.value.errno == errno.EISDIR


def test_a_reader_sees_the_old_or_the_new(transport: Transport) -> None:
    transport.write({"a": b"old" * 1000})
    with (transport.folder / "a").open("rb") as reader:
        transport.write({"a": b"new"})
        assert reader.read() == b"old" * 1000
    assert (transport.folder / "a").read_bytes() == b"new"


# listing


def test_folders_are_listed_by_one_question_with_sizes_and_times(transport: Transport) -> None:
    transport.write({"p1/a": b"12345", "p1/.draft": b"", "p2/sub/b": b""})
    found = transport.list(["p1", "p2", "p3", ""])
    assert {folder: sorted(listed) for folder, listed in found.items()} == {
        "p1": [".draft", "a"], "p2": ["sub"], "": ["p1", "p2"]
    }  # fmt: skip
    assert (found["p1"]["a"].size, found["p1"]["a"].is_folder) == (5, False)
    assert abs(found["p1"]["a"].mtime_s - time.time()) < 3600
    assert found["p2"]["sub"].is_folder
    assert "b" not in found["p2"]


def test_what_appeared_is_in_the_next_listing(transport: Transport) -> None:
    transport.write({"p1/a": b""})
    assert list(transport.list(["p1"])["p1"]) == ["a"]
    transport.write({"p1/b": b""})
    assert sorted(transport.list(["p1"])["p1"]) == ["a", "b"]
    assert names(transport.folder) == ["p1", "p1/a", "p1/b"], "looking leaves nothing"


def test_a_listing_makes_no_folder(transport: Transport) -> None:
    assert transport.list(["", "p1"]) == {}
    assert not transport.folder.exists()


def test_a_name_that_went_after_it_was_listed_is_a_missing_key(transport: Transport) -> None:
    transport.write({"a": b"", "b": b""})
    listed = transport.list([""])[""]
    transport.remove(["a"])
    assert (entry := listed.get("a")) is None or entry.size == 0, "gone, or as it was"


# removing


def test_files_and_trees_are_removed_and_what_is_gone_is_gone(transport: Transport) -> None:
    transport.write({"p1/deep/a": b"", "p1/b": b"", "p2/c": b"", "d": b""})
    transport.remove(["p1", "d", "never"])
    assert names(transport.folder) == ["p2", "p2/c"]


def test_a_tree_whose_folders_are_closed_is_removed(transport: Transport) -> None:
    transport.write({"p1/deep/a": b""})
    (transport.folder / "p1/deep").chmod(0)
    transport.remove(["p1"])
    assert names(transport.folder) == []


def test_a_link_is_removed_and_not_what_it_leads_to(transport: Transport, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/precious").touch()
    transport.write({"p1/a": b""})
    (transport.folder / "p1/link").symlink_to(tmp_path / "data")
    (transport.folder / "link").symlink_to(tmp_path / "data")
    transport.remove(["p1", "link"])
    assert names(tmp_path / "data") == ["precious"]
    assert names(transport.folder) == []


@pytest.mark.parametrize("name", ["", ".", "/", "..", "p1/../..", "/etc/passwd", "p1/../../x"])
def test_nothing_outside_the_folder_is_removed(transport: Transport, name: str) -> None:
    transport.write({"p1/a": b""})
    with pytest.raises(ValueError, match=r"folder|below"):
        transport.remove([name])
    assert names(transport.folder) == ["p1", "p1/a"]


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "p1/../../x"])
def test_no_name_leads_out(transport: Transport, name: str) -> None:
    for ask in (
        lambda: transport.read({name: 0}),
        lambda: transport.write({name: b""}),
        lambda: transport.list([name]),
        lambda: transport.pack(name),
    ):
        with pytest.raises(ValueError, match="below"):
            ask()


# packing


def test_a_folder_becomes_one_archive_without_drafts_and_reserves(transport: Transport) -> None:
    transport.write({"p1/spec.json": b"{}", "p1/.draft": b"x", "p1/1.1.reserve": b"x", "p1/1.1.log": b"said"})
    transport.pack("p1")
    assert names(transport.folder) == ["p1.zip"]
    assert mode(transport.folder / "p1.zip") == 0o600
    with ZipFile(transport.folder / "p1.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "spec.json": b"{}", "1.1.log": b"said"
        }  # fmt: skip


def test_packing_may_be_repeated_and_keeps_what_is_packed(transport: Transport) -> None:
    transport.write({"p1/a": b"first"})
    transport.pack("p1")
    whole = (transport.folder / "p1.zip").read_bytes()
    transport.pack("p1")
    transport.write({"p1/a": b"again"})
    transport.pack("p1")
    assert (transport.folder / "p1.zip").read_bytes() == whole
    assert names(transport.folder) == ["p1.zip"]


# the place itself


def test_the_environment_says_where_its_user_is_at_home(transport: Transport) -> None:
    reply = run(transport, "/bin/sh", "-c", 'test -d "$HOME" && echo yes', HOME=transport.environment["HOME"])
    assert reply.out == "yes\n"
    assert at_home(Path("~/a/b"), transport) == Path(transport.environment["HOME"], "a/b")
    assert at_home(Path("/a/~"), transport) == Path("/a/~")


def test_an_empty_folder_is_left_with_the_one_above_and_a_full_one_stays(
    transport: Transport, tmp_path: Path
) -> None:
    transport.write({"a": b""})
    transport.leave()
    assert names(tmp_path / "site") == ["jobs", "jobs/a"]
    transport.remove(["a"])
    transport.leave()
    assert not (tmp_path / "site").exists()
    transport.leave()


def test_folders_and_files_are_looked_at_by_one_question(transport: Transport) -> None:
    transport.write({"p1/a": b"0123", "p2/b": b"x"})
    listed, found = transport.look(["p1", "p3"], {"p1/a": 2, "p2/b": 0, "p2/c": 0})
    assert {folder: [*names] for folder, names in listed.items()} == {"p1": ["a"]}
    assert found == {"p1/a": b"23", "p2/b": b"x"}
    assert transport.look([], {}) == ({}, {})

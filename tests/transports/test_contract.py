"""What every transport must do, whatever lies between here and there."""

import errno
import os
import sys
import time
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

from penstock.errors import LedgerError
from penstock.runner.below import Found
from penstock.runner.blocks import draft_of
from penstock.runner.digests import digest_folder, digest_parts
from penstock.runner.pace import BLOCK
from penstock.runner.store import blob_of
from penstock.transports.protocol import AT_ONCE, MOST, Copy, Part, Transport, at_home, read_whole


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
        lambda: transport.send([Copy(name, Path("/etc/hostname"), 1, "0" * 64)]),
        lambda: transport.fetch([Copy(name, Path("/nowhere/x"), 1, "0" * 64)]),
        lambda: transport.check([(name, 1, None)]),
        lambda: transport.walk([name]),
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


# whole files, there and back


def made(folder: Path, *sizes: int, mode: int = 0o600) -> list[Copy]:
    """Make files here that are to be sent, each of random bytes."""
    folder.mkdir()
    copies = list[Copy]()
    for n, size in enumerate(sizes):
        (folder / f"{n}").write_bytes(data := os.urandom(size))
        copies.append(Copy(f"sent/{n % 3}/{n}", folder / f"{n}", size, sha256(data).hexdigest(), mode))
    return copies


def test_files_arrive_whole_with_their_modes_and_come_back(transport: Transport, tmp_path: Path) -> None:
    modes = 0o444, 0o554, 0o555
    sent = made(tmp_path / "here", 0, 1, 3 << 20)
    copies = [copy._replace(mode=each) for copy, each in zip(sent, modes, strict=True)]
    transport.send(copies)
    there = [transport.folder / copy.name for copy in copies]
    assert [path.read_bytes() for path in there] == [copy.path.read_bytes() for copy in copies]
    assert [mode(path) for path in there] == [copy.mode for copy in copies]
    back = [copy._replace(path=tmp_path / "back" / copy.name, mode=0o640) for copy in copies]
    transport.fetch(back)
    assert [copy.path.read_bytes() for copy in back] == [copy.path.read_bytes() for copy in copies]
    assert [mode(copy.path) for copy in back] == [0o640, 0o750, 0o750]
    for folder in (transport.folder, tmp_path / "back"):
        assert not [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_nothing_is_sent_or_fetched_that_is_there(transport: Transport, tmp_path: Path) -> None:
    (copy,) = made(tmp_path / "here", 1000)
    transport.send([copy])
    inode = (there := transport.folder / copy.name).stat().st_ino
    transport.send([copy._replace(path=tmp_path / "gone", mode=0o500)])
    assert (there.stat().st_ino, mode(there)) == (inode, 0o700), "it gets the mode bits that it lacks"
    there.unlink()
    transport.fetch([copy])
    transport.send([])
    transport.fetch([])


def test_a_file_that_differs_is_replaced(transport: Transport, tmp_path: Path) -> None:
    (copy,) = made(tmp_path / "here", 5)
    transport.write({copy.name: b"other"})
    transport.send([copy])
    assert (transport.folder / copy.name).read_bytes() == copy.path.read_bytes()


def test_a_file_of_which_a_part_is_there_is_continued(transport: Transport, tmp_path: Path) -> None:
    (copy,) = made(tmp_path / "here", 3 * BLOCK, mode=0o444)
    data = copy.path.read_bytes()
    draft = Path(draft_of(str(transport.folder / copy.name), copy.digest))
    transport.write({f"sent/0/{draft.name}": data[: BLOCK + 5]})
    copy.path.write_bytes(bytes(BLOCK) + data[BLOCK:])  # of what is there nothing is read again
    transport.send([copy])
    assert (transport.folder / copy.name).read_bytes() == data


def test_a_whole_draft_that_may_not_be_written_gets_its_name(transport: Transport, tmp_path: Path) -> None:
    (copy,) = made(tmp_path / "here", BLOCK, mode=0o444)
    draft = Path(draft_of(str(transport.folder / copy.name), copy.digest))
    transport.write({f"sent/0/{draft.name}": copy.path.read_bytes()})
    draft.chmod(0o444)
    transport.send([copy])
    assert names(transport.folder) == ["sent", "sent/0", "sent/0/0"]
    assert mode(transport.folder / copy.name) == 0o444


def test_what_has_no_longer_the_bytes_that_were_told_is_not_taken_for_it(
    transport: Transport, tmp_path: Path
) -> None:
    copies = made(tmp_path / "here", 10, 10)
    transport.send(copies)
    for copy in copies:
        (transport.folder / copy.name).write_bytes(b"0123456789")
    back = [copy._replace(path=tmp_path / "back" / copy.name) for copy in copies]
    for transfer, asked in ((transport.fetch, back), (transport.send, [copies[0]._replace(digest="0" * 64)])):
        with pytest.raises(OSError, match=r"digest|size"):
            transfer(asked)
    assert not [path for path in (tmp_path / "back").rglob("*") if path.is_file()]
    assert (transport.folder / copies[0].name).read_bytes() == b"0123456789"


def test_what_is_not_there_cannot_be_fetched(transport: Transport, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        transport.fetch([Copy("nothing", tmp_path / "x", 3, sha256(b"abc").hexdigest())])


# the store that campaigns share


def stored(transport: Transport, *data: bytes, root: str = "winter") -> dict[str, int]:
    """Let a campaign refer to files, and put them into the store."""
    blobs = {sha256(each).hexdigest(): len(each) for each in data}
    transport.hold(root, blobs)
    transport.write({blob_of(digest): each for digest, each in zip(blobs, data, strict=True)})
    return blobs


def test_what_is_held_and_not_in_the_store_with_its_size_is_told(transport: Transport) -> None:
    blobs = {sha256(data).hexdigest(): len(data) for data in (b"a", b"bc", b"")}
    assert sorted(transport.hold("winter", blobs)) == sorted(blobs)
    blobs = stored(transport, b"a", b"bc", b"")
    assert transport.hold("winter", blobs) == []
    first, second, _ = blobs
    (transport.folder / blob_of(first)).unlink()
    (transport.folder / blob_of(second)).write_bytes(b"b")
    assert transport.hold("winter", blobs) == [first, second]
    assert transport.hold("winter", {}) == []


def test_what_a_campaign_refers_to_is_a_sorted_list_that_grows(transport: Transport) -> None:
    one, two = sha256(b"1").hexdigest(), sha256(b"2").hexdigest()
    transport.hold("winter", {one: 1})
    transport.hold("winter", {two: 1})
    assert (transport.folder / "roots/winter").read_text() == "".join(f"{d}\n" for d in sorted([one, two]))
    assert mode(transport.folder / "roots/winter") == 0o600


def test_what_is_released_goes_unless_another_campaign_refers_to_it(transport: Transport) -> None:
    (own, shared), (_, theirs) = stored(transport, b"own", b"shared"), stored(
        transport, b"shared", b"theirs", root="summer"
    )  # fmt: skip
    Path(draft_of(str(transport.folder / blob_of(own)), own)).write_bytes(b"o")
    transport.release("winter", [own, shared])
    kept = sorted(f"store/{digest[:2]}/{digest}" for digest in (shared, theirs))
    assert [name for name in names(transport.folder / "store") if "/" in name] == [k[6:] for k in kept]
    assert names(transport.folder / "roots") == [".lock", "summer"]
    transport.release("winter", [own, shared])
    transport.release("summer", [shared, theirs])
    assert names(transport.folder) == []


def test_what_is_released_by_one_who_never_held_it_stays(transport: Transport) -> None:
    blobs = stored(transport, b"a", b"b")
    transport.release("summer", blobs)
    assert transport.hold("winter", blobs) == []
    transport.release("winter", [next(iter(blobs))])
    assert len(transport.hold("winter", blobs)) == 1, "the other is still there"


def test_nothing_is_made_to_release_something(transport: Transport) -> None:
    transport.release("winter", [sha256(b"a").hexdigest()])
    assert not transport.folder.exists()


@pytest.mark.parametrize("digest", ["", "../../../etc/passwd", "A" * 64, "g" * 64, "0" * 63])
@pytest.mark.parametrize("root", ["winter"])
def test_nothing_but_digests_is_held_or_released(transport: Transport, root: str, digest: str) -> None:
    for ask in (lambda: transport.hold(root, {digest: 1}), lambda: transport.release(root, [digest])):
        with pytest.raises(ValueError, match="SHA-256"):
            ask()


@pytest.mark.parametrize("root", ["", ".", "..", ".lock", "a/b", "a\nb", "x" * 201])
def test_a_campaign_has_a_plain_name_there(transport: Transport, root: str) -> None:
    for ask in (lambda: transport.hold(root, {}), lambda: transport.release(root, [])):
        with pytest.raises(ValueError, match="name of a campaign"):
            ask()


def test_no_store_is_made_where_others_may_write(transport: Transport) -> None:
    transport.write({"a": b""})
    transport.folder.chmod(0o777)
    with pytest.raises(LedgerError, match="chmod 700"):
        transport.hold("winter", {})


# products there


def test_what_is_missing_or_has_another_size_is_told_with_what_is_wrong(transport: Transport) -> None:
    transport.write({"out/a": b"abc", "out/b": b"xyz", "out/f/x": b""})
    files = [("out/a", 3, None), ("out/b", 4, None), ("out/c", 1, None), ("out/f", 99, None)]
    assert transport.check(files) == {
        "out/b": "has 3 bytes, not 4",
        "out/c": "cannot be found (No such file or directory)",
    }
    assert transport.check([]) == {}


def test_other_bytes_are_told_where_a_digest_is_given(transport: Transport) -> None:
    transport.write({"out/a": b"abc", "out/b": b"xyz", "f/x": b"in", "g/x": b"in"})
    digest, folder = sha256(b"abc").hexdigest(), digest_folder(str(transport.folder / "f"))[1]
    (transport.folder / "g/y").touch()
    files = [("out/a", 3, digest), ("out/b", 3, digest), ("f", 2, folder), ("g", 2, folder)]
    assert dict(transport.check(files)) == dict.fromkeys(["out/b", "g"], "differs from what was made")


def test_a_folder_with_a_pipe_in_it_is_told(transport: Transport) -> None:
    transport.write({"f/x": b"in"})
    os.mkfifo(transport.folder / "f/pipe")
    assert "pipe, a named pipe" in transport.check([("f", 2, "0" * 64)])["f"]
    with pytest.raises(OSError, match=r"pipe, a named pipe.*jobs/f"):
        transport.walk(["f"])


def test_all_that_is_in_a_folder_is_told_in_order(transport: Transport) -> None:
    transport.write({"f/b/ü \udcff": b"abc", "f/a": b"", "g/x": b""})
    (transport.folder / "f/a").chmod(0o755)
    (transport.folder / "f/b/link").symlink_to("../a")
    (transport.folder / "f/empty").mkdir()
    found = transport.walk(["f", "g"])
    assert [*found["f"]] == [
        Part("a", 0, sha256(b"").hexdigest(), 0o755, ""),
        Part("b/link", 0, sha256(b"../a").hexdigest(), 0o777, "../a"),
        Part("b/ü \udcff", 3, sha256(b"abc").hexdigest(), 0o600, ""),
    ]
    assert digest_parts(found["f"]) == digest_folder(str(transport.folder / "f"))
    assert [part.name for part in found["g"]] == ["x"]
    assert transport.walk([]) == {}


def test_a_folder_that_is_not_there_is_an_error_with_its_place(transport: Transport) -> None:
    with pytest.raises(FileNotFoundError, match="jobs/gone"):
        transport.walk(["gone"])


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


# what others may see


def test_what_is_public_may_be_read_by_all_also_beside_others(transport: Transport, tmp_path: Path) -> None:
    way = transport.public()
    (tmp_path / "site" / "jobs").mkdir(parents=True)
    (tmp_path / "site" / "jobs").chmod(0o777)
    (tmp_path / "product").write_bytes(b"abc")
    way.write({"a/b/c": b"abc"})
    way.send([Copy("d/e", tmp_path / "product", 3, sha256(b"abc").hexdigest(), 0o644)])
    assert {name: mode(way.folder / name) for name in names(way.folder)} == {
        "a": 0o755, "a/b": 0o755, "a/b/c": 0o644, "d": 0o755, "d/e": 0o644,
    }  # fmt: skip
    assert set(way.list([""])[""]) == {"a", "d"}
    with pytest.raises(LedgerError, match="can be written by others"):
        transport.write({"x": b""})


def test_what_is_at_names_is_told_and_no_link_is_followed(transport: Transport, tmp_path: Path) -> None:
    transport.write({"a/file": b"abc"})
    os.symlink(tmp_path, transport.folder / "a/link")
    os.mkfifo(transport.folder / "a/pipe")
    asked = [
        ("a/file", {3}),
        ("a/file", {4}),
        ("a/link/x", {3}),
        ("a/pipe", ()),
        ("a", ()),
        ("a/b/c", ()),
        ("a/file/x", ()),
    ]
    digest = sha256(b"abc").hexdigest()
    assert [*transport.find(asked)] == [
        Found("a file", "a/file", 3, digest),
        Found("a file", "a/file", 3, ""),
        Found("a link", "a/link"),
        Found("a named pipe", "a/pipe"),
        Found("a folder", "a"),
        Found("", "a/b"),
        Found("a file", "a/file"),
    ]
    with pytest.raises(ValueError, match=r"\.\./x is not below"):
        transport.find([("../x", ())])

"""Files that are continued where they were cut."""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from penstock.runner.blocks import TOGETHER, Wanted, draft_of, held, receive_all, write_shown
from penstock.runner.files import pack_folder
from penstock.runner.pace import BLOCK

DATA = os.urandom(2 * BLOCK + 100)
DIGEST = hashlib.sha256(DATA).hexdigest()


def receive(path: str, digest: str, offset: int, data: Iterable[bytes], *, size: int = len(DATA)) -> None:
    """Receive one file."""
    receive_all([Wanted(path, size, digest, 0o600, offset)], lambda _: data)


def cut_at(size: int, offset: int = 0):
    """Yield the data up to a place, and break there."""
    yield DATA[offset:size]
    raise OSError(errno.EPIPE, "the connection broke")


def test_a_file_appears_when_it_is_whole_and_its_draft_goes(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    assert held(path, len(DATA), DIGEST) == 0
    receive(path, DIGEST, 0, [DATA[:7], DATA[7:]])
    assert (tmp_path / "a").read_bytes() == DATA
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert held(path, len(DATA), DIGEST) is None


@pytest.mark.parametrize("size", [0, 1, BLOCK, 2 * BLOCK + 99, 2 * BLOCK + 100])
def test_what_was_cut_is_continued_with_the_very_next_byte(tmp_path: Path, size: int) -> None:
    path = str(tmp_path / "a")
    with pytest.raises(OSError, match="broke"):
        receive(path, DIGEST, 0, cut_at(size))
    assert not (tmp_path / "a").exists()
    offset = held(path, len(DATA), DIGEST)
    assert offset == size
    receive(path, DIGEST, offset, [DATA[offset:]])
    assert (tmp_path / "a").read_bytes() == DATA
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize(
    "name",
    ["é" * 127, "x" + "頻" * 84, "x" * 255, "\udcff" * 255],
    ids=["French", "Chinese", "ASCII", "no UTF-8"],
)
def test_a_name_as_long_as_the_system_allows_is_received(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    with pytest.raises(OSError, match="broke"):
        receive(path, DIGEST, 0, cut_at(7))
    (draft,) = os.listdir(tmp_path)
    assert len(os.fsencode(draft)) < 220
    assert name.startswith(draft[1:].partition(".")[0])
    receive(path, DIGEST, 7, [DATA[7:]])
    Path(draft_of(path, "a" * 64)).touch()
    write_shown(path, b"other")
    assert os.listdir(tmp_path) == [name]


def test_a_draft_of_other_bytes_is_not_taken_for_the_file(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    Path(draft_of(path, DIGEST)).write_bytes(bytes(BLOCK))
    with pytest.raises(OSError, match="another digest") as caught:
        receive(path, DIGEST, BLOCK, [DATA[BLOCK:]])
    assert caught.value.filename == path
    assert os.listdir(tmp_path) == []


def test_a_draft_of_another_file_is_not_continued(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    with pytest.raises(OSError, match="broke"):
        receive(path, DIGEST, 0, cut_at(BLOCK))
    other = hashlib.sha256(b"other").hexdigest()
    assert held(path, 5, other) == 0
    receive(path, other, 0, [b"other"])
    assert (tmp_path / "a").read_bytes() == b"other"


def test_a_file_of_the_same_size_with_other_bytes_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    other = hashlib.sha256(b"other").hexdigest()
    assert held(str(tmp_path / "a"), 5, other) == 0


def many(folder: Path, count: int, size: int) -> tuple[list[Wanted], dict[str, bytes]]:
    """Return files that are to come, and their bytes."""
    data = {str(folder / f"{n % 7}/{n}"): os.urandom(size) for n in range(count)}
    return [
        Wanted(path, size, hashlib.sha256(each).hexdigest(), 0o440, 0) for path, each in data.items()
    ], data


@pytest.mark.parametrize(("count", "size"), [(2 * TOGETHER + 1, 10), (9, BLOCK // 3), (3, 0), (0, 0)])
def test_many_files_get_their_names_together(tmp_path: Path, count: int, size: int) -> None:
    files, data = many(tmp_path, count, size)
    receive_all(files, lambda file: [data[file.path]])
    assert {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == data


def test_what_is_whole_where_it_breaks_gets_its_name(tmp_path: Path) -> None:
    files, data = many(tmp_path, 5, 10)

    def until_the_third(file: Wanted) -> Iterator[bytes]:
        yield data[file.path][:5]
        if file is files[3]:
            raise OSError(errno.EPIPE, "the connection broke")
        yield data[file.path][5:]

    with pytest.raises(OSError, match="broke") as caught:
        receive_all(files, until_the_third)
    assert caught.value.filename == files[3].path
    whole = [file for file in files if held(file.path, file.size, file.digest) is None]
    assert whole == files[:3]


def test_what_cannot_get_its_name_is_told_by_its_name(tmp_path: Path) -> None:
    files, data = many(tmp_path, 3, 10)
    Path(files[1].path).mkdir(parents=True)
    with pytest.raises(IsADirectoryError) as caught:
        receive_all(files, lambda file: [data[file.path]])
    assert str(caught.value) == f"[Errno {errno.EISDIR}] Is a directory: '{files[1].path}'"


def test_what_another_finished_meanwhile_is_continued_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a"
    draft_path = Path(draft_of(str(path), DIGEST))
    draft_path.write_bytes(DATA[: BLOCK + 5])
    offset = held(str(path), len(DATA), DIGEST)
    assert offset == BLOCK + 5
    draft_path.unlink()
    path.write_bytes(DATA)  # another has completed it, and its draft has this name now
    receive(str(path), DIGEST, offset, [DATA[offset:]])
    assert path.read_bytes() == DATA
    assert os.listdir(tmp_path) == ["a"]


def test_what_is_neither_here_nor_finished_has_to_be_asked_for_again(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    with pytest.raises(FileNotFoundError):
        receive(path, DIGEST, BLOCK, [DATA[BLOCK:]])
    assert held(path, len(DATA), DIGEST) == 0


@pytest.mark.parametrize("cut", [False, True])
def test_folders_that_got_a_new_one_are_flushed_also_when_it_is_cut_off(
    tmp_path: Path, flushed: list[str], *, cut: bool
) -> None:
    path = str(tmp_path / "night/run/a")
    if cut:
        with pytest.raises(OSError, match="broke"):
            receive(path, DIGEST, 0, cut_at(7))
    else:
        receive(path, DIGEST, 0, [DATA])
    assert {str(tmp_path), str(tmp_path / "night"), str(tmp_path / "night/run")} <= {*flushed}


def test_an_archive_has_its_name_for_good_before_the_files_in_it_go(
    tmp_path: Path, flushed: list[str]
) -> None:
    (job := tmp_path / "pabc").mkdir()
    (job / "1.1.jsonl").write_text("{}")
    pack_folder(str(job))
    assert not job.exists()
    assert flushed[-2:] == [str(tmp_path / ".pabc.zip"), str(tmp_path)]


def test_drafts_of_a_shown_file_go_with_the_next_unless_somebody_holds_them(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    left, kept = (Path(draft_of(str(page), digit * 64)) for digit in "ab")
    others = [tmp_path / ".index.html.notes", tmp_path / f".other.html.{'a' * 16}"]
    for path in (left, kept, *others):
        path.write_bytes(b"half")
    with kept.open("r+b") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        write_shown(str(page), b"whole")
        assert not left.exists()
        assert kept.exists()
    write_shown(str(page), b"whole again")
    assert sorted(tmp_path.iterdir()) == sorted([page, *others])
    assert page.read_bytes() == b"whole again"

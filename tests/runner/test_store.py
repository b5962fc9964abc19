"""A store of files by their digests, of which several campaigns refer to some."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from penstock.runner.digests import parts_of
from penstock.runner.store import Branch, blob_of, hold, read_manifest, release, tree_manifest


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def put(workdir: Path, *texts: str) -> dict[str, int]:
    """Put files into the store; return their sizes by their digests."""
    blobs = {digest_of(text): len(text) for text in texts}
    for digest, text in zip(blobs, texts, strict=True):
        path = workdir / blob_of(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return blobs


def test_a_file_of_another_kind_is_not_in_the_store(tmp_path: Path) -> None:
    digest = digest_of("a")
    (tmp_path / blob_of(digest)).mkdir(parents=True)
    assert hold(str(tmp_path), "winter", {digest: 4096}) == [digest]


def test_what_a_kill_left_of_writing_goes_with_the_last_release(tmp_path: Path) -> None:
    blobs = put(tmp_path, "a")
    hold(str(tmp_path), "winter", blobs)
    hold(str(tmp_path), "winter.2", blobs)
    for name in (".winter.123", ".winter.2.456"):
        (tmp_path / "roots" / name).touch()
    release(str(tmp_path), "winter", blobs)
    assert sorted(os.listdir(tmp_path / "roots")) == [".lock", ".winter.2.456", "winter.2"]
    release(str(tmp_path), "winter.2", blobs)
    assert os.listdir(tmp_path) == []


def test_where_references_cannot_be_read_nothing_is_removed(tmp_path: Path) -> None:
    blobs = put(tmp_path, "a")
    hold(str(tmp_path), "winter", blobs)
    (tmp_path / "roots/summer").mkdir()
    with pytest.raises(IsADirectoryError):
        release(str(tmp_path), "winter", blobs)
    assert hold(str(tmp_path), "winter", blobs) == []


def test_files_that_nobody_asked_about_stay(tmp_path: Path) -> None:
    first, second = put(tmp_path, "a", "b")
    hold(str(tmp_path), "winter", {first: 1})
    release(str(tmp_path), "winter", [first])
    assert hold(str(tmp_path), "winter", {second: 1}) == []


def test_a_manifest_says_of_a_folder_what_is_where(tmp_path: Path) -> None:
    (tmp_path / "f/in").mkdir(parents=True)
    (tmp_path / "f/in/x \udcff").write_text("x")
    (tmp_path / "f/link").symlink_to("in")
    (tmp_path / "f/in/x \udcff").chmod(0o755)
    assert read_manifest(tree_manifest(parts_of(str(tmp_path / "f")))) == [
        Branch("in/x \udcff", digest_of("x"), 0o755, ""),
        Branch("link", digest_of("in"), 0o777, "in"),
    ]
    assert read_manifest(tree_manifest([])) == []


@pytest.mark.parametrize("name", ["", "/etc/x", "../x", "a/../../x", "a//b", "a/.", "a\0b"])
def test_no_name_in_a_manifest_leads_out(name: str) -> None:
    with pytest.raises(ValueError, match="leads out"):
        read_manifest(json.dumps([[name, "0" * 64, 0o644, ""]]).encode())


@pytest.mark.parametrize(
    "text", ["", "{", "1", "[1]", '[["a"]]', '[[1,"2",3,""]]', '[["a","' + "../x" * 16 + '",3,""]]']
)
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"manifest|leads out|char"):
        read_manifest(text.encode())

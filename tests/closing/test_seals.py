"""A seal is the same bytes for the same content, and names each file that is not as it was sealed."""

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.closing.seals import (
    Fault,
    Listed,
    canonical_json,
    check_seal,
    files_in,
    keep,
    list_beside,
    read_list,
    sha256,
    write_list,
)
from penstock.errors import PenstockError

NAMES = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0/"), min_size=1, max_size=8
)


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A campaign's folder with two files, a folder of two, and a seal of them."""
    for name in ("a b.txt", "ü.txt", "tree/x", "tree/in/y"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"this is {name}")
    seal(tmp_path)
    return tmp_path


def seal(root: Path, number: int = 1) -> Path:
    files = [Listed(sha256((root / name).read_bytes()), name) for name in ("a b.txt", "ü.txt")]
    lines = write_list([*files, *files_in(root, "tree")])
    document = {"seal": number, "folders": ["tree"], "files": {"sha256": sha256(lines)}}
    path = root / "night.json"
    path.write_bytes(canonical_json(document))
    list_beside(path).write_bytes(lines)
    return path


def test_a_document_has_one_form() -> None:
    one = canonical_json({"b": [1, 2.5], "a": {"é": None}})
    assert (
        one == canonical_json({"a": {"é": None}, "b": [1, 2.5]}) == '{"a":{"é":null},"b":[1,2.5]}\n'.encode()
    )
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json({"a": float("nan")})


@given(st.dictionaries(NAMES, st.binary(max_size=4), max_size=5))
def test_a_list_reads_back_whatever_files_are_called(files: dict[str, bytes]) -> None:
    listed = [Listed(sha256(data), name) for name, data in files.items()]
    assert set(read_list(write_list(listed))) == set(listed)
    assert write_list(reversed(listed)) == write_list(listed)


def test_a_list_is_what_sha256sum_checks(tmp_path: Path) -> None:
    for name in ("a b", "c\\d", "e\nf", "ü%#'\""):
        (tmp_path / name).write_text(name)
    listed = [Listed(sha256(path.read_bytes()), path.name) for path in tmp_path.iterdir()]
    (tmp_path / "list").write_bytes(write_list(listed))
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "list"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.count(": OK")) == (0, 4)


def test_what_is_as_it_was_sealed_has_no_fault(sealed: Path) -> None:
    assert check_seal(sealed, sealed / "night.json", paths=["a b.txt", "ü.txt", "tree"]) == []


@pytest.mark.parametrize("name", ["a b.txt", "ü.txt", "tree/x", "tree/in/y"])
def test_one_flipped_byte_is_named(sealed: Path, name: str) -> None:
    data = bytearray((sealed / name).read_bytes())
    data[3] ^= 1
    (sealed / name).write_bytes(data)
    assert check_seal(sealed, sealed / "night.json") == [Fault("differs", name)]


def test_a_file_that_is_missing_and_one_too_many_are_named(sealed: Path) -> None:
    (sealed / "tree/x").unlink()
    (sealed / "tree/z").write_text("new")
    (sealed / "ü.txt").unlink()
    (sealed / "ü.txt").mkdir()
    found = check_seal(sealed, sealed / "night.json", paths=["a b.txt", "later.txt"])
    assert sorted(found) == [
        Fault("extra", "later.txt"), Fault("extra", "tree/z"), Fault("missing", "tree/x"), Fault("unreadable", "ü.txt"),
    ]  # fmt: skip


def test_a_changed_seal_or_list_is_named(sealed: Path) -> None:
    path = sealed / "night.json"
    recorded = sha256(path.read_bytes())
    assert check_seal(sealed, path, recorded=recorded) == []
    path.write_bytes(path.read_bytes().replace(b'"seal":1', b'"seal":2'))
    assert check_seal(sealed, path, recorded=recorded) == [Fault("differs", "night.json")]
    list_beside(path).write_bytes(b"")
    assert check_seal(sealed, path) == [Fault("differs", "night.sha256")]
    path.unlink()
    assert check_seal(sealed, path) == [Fault("missing", "night.json")]


def test_a_seal_is_kept_under_its_number_as_often_as_one_likes(sealed: Path) -> None:
    path = sealed / "night.json"
    assert keep(path) == keep(path) == sealed / "night.1.json"
    assert (sealed / "night.1.sha256").read_bytes() == (sealed / "night.sha256").read_bytes()
    seal(sealed, 2)
    assert json.loads(keep(path).read_bytes())["seal"] == 2
    assert json.loads((sealed / "night.1.json").read_bytes())["seal"] == 1


def test_another_file_in_its_place_is_not_replaced(sealed: Path) -> None:
    (sealed / "night.1.json").write_text("mine")
    with pytest.raises(PenstockError, match=r"night\.1\.json is not a copy of night\.json: move it away"):
        keep(sealed / "night.json")
    assert (sealed / "night.1.json").read_text() == "mine"

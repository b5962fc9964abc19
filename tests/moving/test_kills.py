"""Moving that is killed before each change of a file: nothing is lost at any moment, and the next one ends alike."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.kills import kill_at
from tests.moving.conftest import FILES, NIGHT, Moving, make_all_but_close, tree
from tests.transports.test_kills import OTHERS, code_of, start

from penstock.closing.group import Group, group_in
from penstock.closing.seals import canonical_json
from penstock.config import load
from penstock.moving.step import bring, files_of, take_all_away
from penstock.runner.digests import digest_at
from penstock.runner.files import remove

CHANGES = {*OTHERS, "os.link", "os.utime", "os.symlink"}


def in_group(root: Path, work: Callable[[Group], object]) -> None:
    with group_in(root, "night", f'["{NIGHT}"]', ()) as group:
        work(group)


def killed(root: Path, step: int, work: Callable[[Group], object]) -> int:
    def doomed() -> None:
        kill_at(step, CHANGES)
        in_group(root, work)

    return code_of(start(doomed))


def restored(saved: Path, root: Path) -> Path:
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(saved, root, symlinks=True)
    return root


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The campaign with one night of two files; not to be changed."""
    files = {name: text for name, text in FILES.items() if NIGHT in name and "c.txt" not in name}
    return make_all_but_close(tmp_path_factory.mktemp("few"), files)


@pytest.mark.parametrize("far", [False, True], ids=["one file system", "two"])
def test_a_kill_while_files_get_their_names_is_made_good(
    few: Path, tmp_path: Path, elsewhere: Path, far: bool
) -> None:
    root, final = tmp_path / "nights", (elsewhere if far else tmp_path) / "final"
    destination = load(restored(few, root)).move["final"]
    destination = type(destination)(destination.name, str(final), destination.files)
    copies, step, code = tree(root / "copies"), 0, -1
    final.mkdir()
    in_group(root, lambda group: bring(group, destination))
    whole = tree(final)
    assert len(whole) == 7
    while code:
        step += 1
        remove(str(final))
        final.mkdir()
        restored(few, root)
        code = killed(root, step, lambda group: bring(group, destination))
        assert code in (0, -signal.SIGKILL)
        assert tree(root / "copies") == copies
        in_group(root, lambda group: bring(group, destination))
        assert tree(final) == whole
    assert step > 12


def test_a_kill_while_another_version_takes_the_place_of_ours_is_made_good(few: Path, tmp_path: Path) -> None:
    root = restored(few, tmp_path / "nights")
    destination = load(root).move["final"]
    in_group(root, lambda group: bring(group, destination))
    whole = tree(root / "final")
    for name in whole:  # an older version, as the journal of an earlier closing has it
        (root / "final" / name).unlink()
        (root / "final" / name).write_bytes(b"old")
    journal = root / f".penstock/moves/final/night/{NIGHT}.json"
    paths = [path for path in (root / "final").glob("*/*") if path.name.startswith(f"{NIGHT}-")]
    paths += [*(root / "final/dl1").glob("*/*"), *(root / "final/sums").iterdir()]
    old = {str(path.relative_to(root / "final")): [digest_at(str(path))[1]] for path in paths}
    journal.write_bytes(canonical_json(old))
    saved, step, code = tmp_path / "saved", 0, -1
    shutil.copytree(root, saved)
    while code:
        step += 1
        restored(saved, root)
        code = killed(root, step, lambda group: bring(group, destination))
        in_group(root, lambda group: bring(group, destination))
        assert tree(root / "final") == whole
    assert step > 15


def test_a_kill_while_files_lose_their_old_names_is_made_good(closed: Moving, tmp_path: Path) -> None:
    root, found = tmp_path / "again", list[str]()
    shutil.copytree(closed.root, tmp_path / "saved")
    step, code = 0, -1
    whole = tree(closed.root / "final")

    def undone(group: Group) -> None:
        for one in files_of(group, "final"):
            found.append(one.old)
            again = shutil.copytree if (root / one.path).is_dir() else os.link
            again(root / one.path, root / one.old)

    while code:
        step += 1
        restored(tmp_path / "saved", root)
        in_group(root, undone)
        code = killed(root, step, lambda group: take_all_away(group, "final"))
        in_group(root, lambda group: take_all_away(group, "final"))
        assert not any(os.path.lexists(root / old) for old in found)
        assert tree(root / "final") == whole
        assert [path for path in (root / "parts").rglob("*") if path.is_file()] == []
    assert step > 7

"""Products go to their final folders when their night is closed, and all that reads them finds them there."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.moving.conftest import NIGHT, Moving, tree

from penstock.closing.checking import check
from penstock.closing.group import group_in
from penstock.closing.seals import Fault
from penstock.conductor.rebuilding import rebuild
from penstock.config import load
from penstock.errors import PenstockError
from penstock.explain import find_units
from penstock.ledger import Ledger
from penstock.moving.step import bring, files_of, take_all_away
from penstock.provenance.files import find_file
from penstock.publishing import wanted

OTHER = "2020-01-18"
A = f"final/dl1/{NIGHT}/a.txt"


def faults(campaign: Moving) -> list[Fault]:
    unit = campaign.unit(f'["{NIGHT}"]')
    with Ledger.open(campaign.root, readonly=True) as ledger:
        return [*check(ledger, unit).faults]


def test_files_are_where_the_record_and_the_seal_say_and_nowhere_else(closed: Moving) -> None:
    working = [path for name in ("copies", "parts", "sums") for path in tree(closed.root / name)]
    assert working == []
    assert {str(path) for path in closed.paths()} == {
        str(path.relative_to(closed.root))
        for place in ("final/dl1/*/*", "final/parts/*", "final/sums/*", "moved/*/*/*", "seals/*/*")
        for path in closed.root.glob(place)
    }
    listed = (closed.root / f"seals/night/{NIGHT}.sha256").read_text()
    assert A in listed
    assert "copies/" not in listed
    assert faults(closed) == []


def test_what_lies_there_is_known_by_both_paths(closed: Moving) -> None:
    with Ledger.open(closed.root, readonly=True) as ledger:
        for text in (A, f"copies/{NIGHT}/a.txt", str(closed.root / f"copies/{NIGHT}/a.txt")):
            assert find_file(ledger, text).path == A
            assert find_file(ledger, text).now == ""
            assert find_units(ledger, text) == [closed.unit(f'["{NIGHT}","a"]')]
        inside = find_file(ledger, f"parts/{NIGHT}/b/one")
        assert inside.path == f"final/parts/{NIGHT}-b"


def test_another_run_finds_nothing_to_do_and_nothing_lost(closed: Moving) -> None:
    before = closed.files()
    assert closed.run().code == 0
    assert closed.run(stale=True).code == 0
    assert closed.rows("SELECT 1 FROM task WHERE stale IS NOT NULL") == []
    assert closed.files() == before
    assert closed.rows("SELECT 1 FROM problem") == []


def test_a_file_that_is_lost_there_is_noticed(closed: Moving) -> None:
    (closed.root / A).unlink()
    closed.run()
    assert closed.rows("SELECT stale FROM task WHERE stale IS NOT NULL") == [(f"product {A} is missing",)]
    assert [fault.path for fault in faults(closed)] == [A]


def test_one_that_is_made_again_is_moved_again_in_the_place_of_ours(closed: Moving) -> None:
    before = tree(closed.root / "final")
    closed.ask("reopen")
    closed.made.write(f"data/{NIGHT}/a.txt", "another")
    assert closed.run(stale=True).code == 0
    assert (closed.root / f"copies/{NIGHT}/a.txt").read_text() == "another"
    assert tree(closed.root / "final") == before
    closed.ask("close")
    assert closed.run().code == 0
    assert (closed.root / A).read_text() == "another"
    after = tree(closed.root / "final")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {f"dl1/{NIGHT}/a.txt", f"parts/{NIGHT}-a/one", f"parts/{NIGHT}-a/two"}
    assert after.keys() == before.keys()
    assert tree(closed.root / "copies") == {}
    assert faults(closed) == []


def test_what_somebody_else_put_in_the_place_of_ours_is_never_replaced(closed: Moving) -> None:
    closed.ask("reopen")
    closed.made.write(f"data/{NIGHT}/a.txt", "another")
    assert closed.run(stale=True).code == 0
    (closed.root / A).write_text("of somebody")
    closed.ask("close")
    assert closed.run().code == 1
    state, why = closed.states()[NIGHT]
    assert state == "failed"
    assert f"{A} has other content that was not moved from here" in str(why)
    assert (closed.root / A).read_text() == "of somebody"
    assert (closed.root / f"copies/{NIGHT}/a.txt").read_text() == "another"
    (closed.root / A).unlink()
    closed.ask("retry")
    assert closed.run().code == 0
    assert (closed.root / A).read_text() == "another"


@pytest.mark.parametrize(
    ("lies", "said"),
    [
        ("file", "has other content that was not moved from here"),
        ("link", "is a link"),
        ("way", "is a link"),
        ("folder", "has other content"),
        ("pipe", "is a named pipe"),
    ],
)
def test_what_is_in_the_way_is_named_and_nothing_of_the_night_is_moved(
    made: Path, tmp_path: Path, lies: str, said: str
) -> None:
    root, outside = shutil.copytree(made, tmp_path / "nights"), tmp_path / "elsewhere"
    place = root / A
    outside.mkdir()
    (place.parent if lies != "way" else place.parent.parent).mkdir(parents=True)
    match lies:
        case "file":
            place.write_text("of somebody")
        case "link":
            place.symlink_to(outside / "a")
        case "way":
            place.parent.symlink_to(outside)
        case "folder":
            place.mkdir()
        case _:
            os.mkfifo(place)
    with pytest.raises(PenstockError, match=f"nothing of {NIGHT} is moved: .*{said}"):
        moved(root)
    assert len(tree(root / f"copies/{NIGHT}")) == 3
    assert [*outside.iterdir()] == []
    assert not (root / f"final/dl1/{NIGHT}/b.txt").exists()


def test_what_is_there_with_the_same_bytes_is_taken_as_it_is(moving: Moving) -> None:
    moving.made.write(A, "17a")
    inode = (moving.root / A).stat().st_ino
    assert moving.run().code == 0
    assert (moving.root / A).stat().st_ino == inode
    assert not (moving.root / f"copies/{NIGHT}/a.txt").exists()


def moved(root: Path) -> None:
    """Move the products of a night."""
    with group_in(root, "night", f'["{NIGHT}"]', ()) as group:
        bring(group, load(root).move["final"])


def test_new_folders_are_there_for_good_before_the_old_names_go(
    made: Path, tmp_path: Path, flushed: list[str]
) -> None:
    root = shutil.copytree(made, tmp_path / "nights")
    moved(root)
    folders = ["", "/final", "/final/dl1", f"/final/dl1/{NIGHT}", "/final/parts", "/final/sums"]
    assert {f"{root}{folder}" for folder in folders} <= {*flushed}


def flip(path: Path) -> None:
    path.write_bytes(b"17A")


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(flip, "is not as recorded"), (Path.unlink, "is not there"), (link, "is a link")],
    ids=["flipped", "away", "link"],
)
def test_a_product_that_is_not_what_was_made_is_named(
    made: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    root = shutil.copytree(made, tmp_path / "nights")
    spoil(root / f"copies/{NIGHT}/a.txt")
    with pytest.raises(
        PenstockError, match=f"nothing of {NIGHT} is moved: the product copies/{NIGHT}/a.txt {said}"
    ):
        moved(root)
    assert tree(root / "final") == {}


def test_a_product_that_somebody_took_there_by_hand_is_taken_as_it_is(made: Path, tmp_path: Path) -> None:
    root = shutil.copytree(made, tmp_path / "nights")
    (root / A).parent.mkdir(parents=True)
    (root / f"copies/{NIGHT}/a.txt").rename(root / A)
    moved(root)
    assert (root / A).read_text() == "17a"


def test_a_rebuilt_record_knows_where_files_are(closed: Moving) -> None:
    before = closed.paths()
    rebuilt = rebuild(load(closed.root))
    assert rebuilt.lacks == []
    assert closed.paths() == before
    assert closed.run().code == 0
    shutil.rmtree(closed.root / ".penstock/ledger.sqlite", ignore_errors=True)
    for file in (closed.root / ".penstock").glob("ledger.sqlite*"):
        file.unlink()
    rebuild(load(closed.root))
    assert closed.paths() == before
    assert len(closed.rows("SELECT 1 FROM moved")) == 14
    assert closed.run().code == 0
    assert faults(closed) == []


def test_products_go_to_another_file_system_as_copies_with_their_times(
    moving: Moving, elsewhere: Path
) -> None:
    moving.define('to = "final"', f'to = "{elsewhere}"')
    assert moving.run().code == 0
    there = elsewhere / f"dl1/{NIGHT}/a.txt"
    assert there.read_text() == "17a"
    assert str(there) in {str(path) for path in moving.paths()}
    assert faults(moving) == []
    assert moving.run(stale=True).code == 0
    assert moving.rows("SELECT 1 FROM task WHERE stale IS NOT NULL") == []
    with Ledger.open(moving.root, readonly=True) as ledger:
        assert find_file(ledger, f"copies/{NIGHT}/a.txt").now == ""
        assert find_file(ledger, str(there)).path == str(there)


def test_a_folder_that_is_not_there_is_named(moving: Moving, tmp_path: Path) -> None:
    moving.define('to = "final"', f'to = "{tmp_path}/disk"')
    assert moving.run().code == 1
    said = f"{tmp_path}/disk, the folder of [move.final], is not there: make it, or mount its disk"
    assert str(moving.states()[NIGHT][1]) == f"not retried: {said}"


def test_a_full_disk_leaves_the_old_files(
    moving: Moving, mount: Callable[[Path, str], Path], tmp_path: Path
) -> None:
    small = mount(tmp_path / "small", "size=64k")
    moving.made.write(f"data/{NIGHT}/b.txt", b"x" * 100_000)
    moving.define('to = "final"', f'to = "{small}"')
    assert moving.run().code == 1
    said = str(moving.states()[NIGHT][1])
    assert f"{small}/" in said
    assert "cannot be moved (No space left on device): no file is lost" in said
    assert len(tree(moving.root / f"copies/{NIGHT}")) == 3
    assert (small / f"dl1/{NIGHT}").is_dir()
    assert not list(small.rglob(".b*"))
    moving.define(f'to = "{small}"', 'to = "final"')
    moving.ask("retry")
    assert moving.run().code == 0


LATER = """
[stage.later]
each = "campaign"
after = "copy"
command = ["sh", "-c", "xargs cat < $0 > $1", "{inputs_file.copy}", "{product}"]
products = "later.txt"
"""


def test_who_reads_products_later_reads_them_where_they_are(closed: Moving) -> None:
    text = (closed.root / "penstock.toml").read_text()
    (closed.root / "penstock.toml").write_text(text.replace("[close.night]", LATER + "[close.night]"))
    assert closed.run().code == 0
    assert (closed.root / "later.txt").read_text() == "17a17b17c18a18b18c"


@pytest.fixture
def cut(closed: Moving) -> Moving:
    """The campaign as it is when the record has the new paths, and the old names are still there."""
    with group_in(closed.root, "night", f'["{NIGHT}"]', ()) as group:
        for one in files_of(group, "final"):
            old, new = closed.root / one.old, closed.root / one.path
            (shutil.copytree if new.is_dir() else os.link)(new, old)
    return closed


def taken_away(campaign: Moving) -> int:
    with group_in(campaign.root, "night", f'["{NIGHT}"]', ()) as group:
        return take_all_away(group, "final")


def test_nothing_is_removed_while_what_was_moved_is_not_as_it_was(cut: Moving) -> None:
    (cut.root / A).unlink()
    (cut.root / A).write_text("17A")
    with pytest.raises(PenstockError, match=f"{A} is not what was moved there: nothing is removed"):
        taken_away(cut)
    assert len(tree(cut.root / "copies")) == 3


def test_what_came_to_the_old_place_since_is_named_and_stays(cut: Moving) -> None:
    came = cut.root / f"copies/{NIGHT}/a.txt"
    came.unlink()
    came.write_text("of somebody")
    with pytest.raises(PenstockError, match=f"copies/{NIGHT}/a.txt came after the products were moved"):
        taken_away(cut)
    assert tree(cut.root / "copies") == {f"{NIGHT}/a.txt": b"of somebody"}
    came.unlink()
    assert taken_away(cut) == 0


def test_what_is_made_again_replaces_what_a_kill_left_at_the_old_place(cut: Moving) -> None:
    cut.ask("reopen")
    cut.made.write(f"data/{NIGHT}/a.txt", "another")
    assert cut.run(stale=True).code == 0
    assert (cut.root / f"copies/{NIGHT}/a.txt").read_text() == "another"
    assert (cut.root / A).read_text() == "17a"


def test_a_definition_that_names_another_folder_moves_it_on(closed: Moving) -> None:
    closed.define('to = "final"', 'to = "archive"')
    closed.ask("reopen")
    closed.ask("close")
    assert closed.run().code == 0
    assert not (closed.root / A).exists()
    assert (closed.root / A.replace("final", "archive")).read_text() == "17a"
    assert f"final/dl1/{OTHER}/a.txt" in closed.paths()
    with Ledger.open(closed.root, readonly=True) as ledger:
        assert find_file(ledger, f"copies/{NIGHT}/a.txt").path == A.replace("final", "archive")


def test_a_publication_calls_products_as_they_were_made(closed: Moving) -> None:
    text = (closed.root / "penstock.toml").read_text()
    (closed.root / "penstock.toml").write_text(text + '[publish.web]\nto = "public"\nfiles = ["copy"]\n')
    campaign = load(closed.root)
    with Ledger.open(closed.root, readonly=True) as ledger:
        parts = wanted(ledger, campaign, campaign.publish["web"], [1]).parts
    items = {path: str(item.source) for part in parts for path, item in part.items.items()}
    assert items[f"copies/{NIGHT}/a.txt"] == str(closed.root / A)

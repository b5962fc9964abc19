"""Publishing into a folder of this machine: what comes there, what stays, and what is never touched."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.publishing.conftest import NIGHTS, Sky, tree

from penstock.errors import DefinitionError, PenstockError
from penstock.publishing.index import PAGE

MANIFEST = f".published/sky/web/night/{NIGHTS[0]}"


def shown(folder: Path) -> dict[str, bytes]:
    """Return what is there for people: no pages, no manifests."""
    return {
        name: data
        for name, data in tree(folder).items()
        if not name.startswith(".published") and Path(name).name != PAGE
    }


def test_products_come_where_they_are_to_be_and_a_list_says_which(done: Sky) -> None:
    found = done.publish()
    assert {one.group: len(one.sent) for one in found} == {NIGHTS[0]: 5, NIGHTS[1]: 5}
    assert shown(done.public) == {
        **{f"sums/{n}.txt": (done.root / f"sums/{n}.txt").read_bytes() for n in NIGHTS},
        **{f"dl1/{n}/{r}.txt": f"{n}{r}".encode() for n in NIGHTS for r in "ab"},
        **{f"parts/{n}-{r}/one": f"{n}{r}".encode() for n in NIGHTS for r in "ab"},
    }
    listed = json.loads((done.public / f"{MANIFEST}.json").read_bytes())
    assert [one["path"] for one in listed["files"]] == sorted(
        name for name in shown(done.public) if NIGHTS[0] in name
    )
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", f"{MANIFEST}.sha256"], cwd=done.public, check=False
    )
    assert checked.returncode == 0


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_all_may_read_it_whatever_the_umask_is(done: Sky, mask: int) -> None:
    before = os.umask(mask)
    try:
        done.publish()
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    for path in (done.public, *done.public.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_what_is_there_is_not_sent_again_and_nothing_is_written(done: Sky) -> None:
    done.publish()
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in done.public.rglob("*")}
    again = done.publish()
    assert [(one.sent, one.removed, len(one.kept)) for one in again] == [([], [], 5), ([], [], 5)]
    files = {path: seen for path, seen in before.items() if path.is_file()}
    assert files == {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def test_what_is_lost_or_made_again_is_sent_and_nothing_else(done: Sky) -> None:
    done.publish()
    (done.public / f"dl1/{NIGHTS[0]}/a.txt").unlink()
    done.made.write(f"raw/{NIGHTS[1]}/b.txt", "another")
    assert done.run(stale=True) == 0
    sent = [path for one in done.publish() for path in one.sent]
    assert sent == [
        f"dl1/{NIGHTS[0]}/a.txt",
        f"sums/{NIGHTS[1]}.txt",
        f"dl1/{NIGHTS[1]}/b.txt",
        f"parts/{NIGHTS[1]}-b/one",
    ]
    assert (done.public / f"dl1/{NIGHTS[1]}/b.txt").read_bytes() == b"another"


def test_one_group_is_published_alone_and_a_run_with_its_night(done: Sky) -> None:
    assert [one.group for one in done.publish(unit=f'["{NIGHTS[1]}"]')] == [NIGHTS[1]]
    assert not [name for name in shown(done.public) if NIGHTS[0] in name]


def test_what_is_no_longer_wanted_goes_if_it_is_ours(done: Sky) -> None:
    done.publish()
    (done.public / "dl1/notes.txt").write_text("of somebody")
    (done.public / f"dl1/{NIGHTS[0]}/a.txt").write_text("changed by somebody")
    done.define('{ stage = "copy", to = "dl1/{night}/" }, ', "")
    assert sorted(path for one in done.publish() for path in one.removed) == [
        f"dl1/{NIGHTS[0]}/b.txt",
        f"dl1/{NIGHTS[1]}/a.txt",
        f"dl1/{NIGHTS[1]}/b.txt",
    ]
    assert {name for name in shown(done.public) if name.startswith("dl1")} == {
        "dl1/notes.txt",
        f"dl1/{NIGHTS[0]}/a.txt",
    }


def test_what_another_manifest_lists_stays(done: Sky) -> None:
    done.define("[publish.web]", '[publish.more]\nto = "public"\nfiles = "sum"\n[publish.web]')
    done.publish()
    done.publish("more")
    done.define('files = ["sum", ', "files = [")
    assert [one.removed for one in done.publish()] == [[], []]
    assert (done.public / f"sums/{NIGHTS[0]}.txt").exists()


def test_groups_that_are_gone_from_the_campaign_go_there_too(done: Sky) -> None:
    done.define('to = "public"', 'to = "public"\neach = "run"')
    done.publish()
    done.define('"public"\neach = "run"', '"public"\neach = "night"')
    assert [one.removed for one in done.publish()] == [[]] * 6  # the nights have all files now
    assert sorted(path.name for path in (done.public / ".published").rglob("*.json")) == [
        f"{night}.json" for night in NIGHTS
    ]
    assert len(shown(done.public)) == 10


def test_unlike_content_is_refused_by_name_and_nothing_is_done(done: Sky) -> None:
    (done.public / f"dl1/{NIGHTS[0]}").mkdir(parents=True)
    (done.public / f"dl1/{NIGHTS[0]}/a.txt").write_text("of somebody else")
    before = tree(done.public)
    assert [len(one.refused) for one in done.publish(dry=True)] == [1, 0]
    with pytest.raises(PenstockError, match=rf"dl1/{NIGHTS[0]}/a.txt has other content.* move it away"):
        done.publish()
    assert tree(done.public) == before


def test_like_content_of_somebody_else_is_taken_as_it_is(done: Sky) -> None:
    (done.public / "sums").mkdir(parents=True)
    shutil.copy(done.root / f"sums/{NIGHTS[0]}.txt", done.public / "sums")
    assert f"sums/{NIGHTS[0]}.txt" in done.publish()[0].kept
    done.define('files = ["sum", ', "files = [")
    assert [one.removed for one in done.publish()] == [[], [f"sums/{NIGHTS[1]}.txt"]]  # it is not ours


@pytest.mark.parametrize("place", ["dl1", f"dl1/{NIGHTS[0]}", f"dl1/{NIGHTS[0]}/a.txt", ".published"])
def test_no_link_is_followed_out_of_the_folder(done: Sky, tmp_path: Path, place: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (done.public / place).parent.mkdir(parents=True)
    (done.public / place).symlink_to(outside / "a.txt" if place.endswith("txt") else outside)
    if place.endswith("txt"):
        (outside / "a.txt").write_text(f"{NIGHTS[0]}a")
    with pytest.raises(PenstockError, match=rf"{place} is a link"):
        done.publish()
    assert [path.name for path in outside.rglob("*")] == (["a.txt"] if place.endswith("txt") else [])


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ('"../x/{run}"', "is no place below the folder"),
        ('"/x/{run}"', "is no place below the folder"),
        ('".published/{run}"', "is no place below the folder"),
        ('"{nihgt}/"', "did you mean 'night'"),
        ('"all.txt"', "every run of 'copy' would be published as"),
    ],
)
def test_a_place_that_leads_out_or_is_unknown_is_refused(sky: Sky, to: str, why: str) -> None:
    sky.define('"dl1/{night}/"', to)
    with pytest.raises(DefinitionError, match=why):
        sky.load()


def test_two_products_at_one_place_are_refused(done: Sky) -> None:
    done.define('"dl1/{night}/"', '"dl1/"')
    with pytest.raises(PenstockError, match=r"would both be published as dl1/a.txt"):
        done.publish()


@pytest.mark.parametrize("to", [".", "..", ".penstock/x", "public/.."])
def test_the_campaigns_own_folder_is_refused(done: Sky, to: str) -> None:
    done.define('to = "public"', f'to = "{to}"')
    with pytest.raises(DefinitionError, match=r"the campaign's own folder"):
        done.publish()


def test_a_product_that_changed_since_it_was_made_is_not_published(done: Sky) -> None:
    (done.root / f"copies/{NIGHTS[0]}/a.txt").write_bytes(b"2020-01-17A")
    with pytest.raises(PenstockError, match=rf"copies/{NIGHTS[0]}/a.txt is not as recorded"):
        done.publish()
    assert not (done.public / f"{MANIFEST}.json").exists()


def test_what_the_record_does_not_know_is_not_published(done: Sky) -> None:
    (done.root / f"copies/{NIGHTS[0]}/c.txt").write_text("of nobody")
    (done.root / f"parts/{NIGHTS[0]}/a/three").write_text("of nobody")
    with pytest.raises(PenstockError, match=rf"parts/{NIGHTS[0]}/a is not as recorded"):
        done.publish()
    (done.root / f"parts/{NIGHTS[0]}/a/three").unlink()
    done.publish()
    assert f"dl1/{NIGHTS[0]}/c.txt" not in shown(done.public)


def test_a_damaged_manifest_is_told(done: Sky) -> None:
    done.publish()
    (done.public / f"{MANIFEST}.json").write_text("{")
    with pytest.raises(PenstockError, match=r"is no manifest any more: move it away"):
        done.publish()


def test_a_full_disk_is_told_and_the_same_command_goes_on(
    done: Sky, mount: Callable[[Path, str], Path], tmp_path: Path
) -> None:
    done.made.write(f"raw/{NIGHTS[0]}/z.txt", os.urandom(3_000_000))
    assert done.run(stale=True) == 0
    folder = mount(tmp_path / "web", "size=2m")
    done.define('to = "public"', f'to = "{folder}"')
    with pytest.raises(PenstockError, match=r"cannot be published \(No space left on device\)"):
        done.publish()
    assert not (folder / f"{MANIFEST}.json").exists()
    mount(folder, "size=20m")
    done.publish()
    assert (folder / f"dl1/{NIGHTS[0]}/z.txt").stat().st_size == 3_000_000
    assert not [path for path in folder.rglob(".*") if path.name != ".published"]

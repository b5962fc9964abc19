"""A sweep as one file; an archive may come from anybody."""

import hashlib
import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile, ZipInfo

import pytest
from click.testing import CliRunner

from penstock.errors import DefinitionError
from penstock.workflows.sweep import plugin
from penstock.workflows.sweep.archive import check_entries, pack, unpack
from penstock.workflows.sweep.campaign import lay_out, read_campaign


@pytest.fixture
def packed(bench) -> Path:
    bench.sweep('[vary]\nlabel = ["a/b", "a_b", "ä"]')
    lay_out(bench.folder)
    pack(bench.folder, read_campaign(bench.folder), bench.folder / "sweep.zip")
    return bench.folder / "sweep.zip"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_packed_comes_back(packed: Path, tmp_path: Path) -> None:
    assert unpack(packed, tmp_path / "there") == 3
    there = tree(tmp_path / "there")
    assert there == {name: content for name, content in tree(packed.parent).items() if name in there}
    assert len(there) == 1 + 3 * 2


def test_the_same_inputs_make_the_same_archive(packed: Path) -> None:
    again = packed.with_name("again.zip")
    pack(packed.parent, read_campaign(packed.parent), again)
    assert again.read_bytes() == packed.read_bytes()
    with pytest.raises(DefinitionError, match="already exists"):
        pack(packed.parent, read_campaign(packed.parent), again)


def test_inputs_that_somebody_changed_are_not_packed(packed: Path) -> None:
    file = next(packed.parent.glob("inputs/*/in.txt"))
    file.write_text("other")
    with pytest.raises(DefinitionError, match=r"in\.txt is not what the sweep wrote"):
        pack(packed.parent, read_campaign(packed.parent), packed.with_name("b.zip"))
    shutil.rmtree(file.parent)
    with pytest.raises(DefinitionError, match="cannot be read; run `penstock sweep extend`"):
        pack(packed.parent, read_campaign(packed.parent), packed.with_name("b.zip"))
    assert sorted(packed.parent.glob("*.zip")) == [packed]


def test_the_commands_pack_and_unpack(packed: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(plugin.group, ["pack", str(packed.parent), str(tmp_path / "p.zip")]).output.startswith(
        "packed 3 points"
    )
    done = run(plugin.group, ["unpack", str(tmp_path / "p.zip"), str(tmp_path / "q")])
    assert (done.exit_code, done.output[:17]) == (0, "unpacked 3 points")


def add(
    name: str, mode: int = stat.S_IFREG, *, content: bytes = b"x", kind: int = ZIP_DEFLATED
) -> Callable[[ZipFile], None]:
    def act(archive: ZipFile) -> None:
        entry = ZipInfo(name)
        entry.external_attr, entry.compress_type = mode << 16, kind
        archive.writestr(entry, content)

    return act


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (add("../out"), "leads out of its folder"),
        (add("inputs/../../out"), "leads out of its folder"),
        (add("/tmp/out"), "leads out of its folder"),
        (add("inputs//x"), "leads out of its folder"),
        (add("inputs/./x"), "leads out of its folder"),
        (add("C:\\out"), "leads out of its folder"),
        (add("inputs\\x"), "leads out of its folder"),
        (add("inputs/a\nb"), "leads out of its folder"),
        (add("inputs/link", stat.S_IFLNK, content=b"/etc/passwd"), "is a link"),
        (add("inputs/pipe", stat.S_IFIFO), "is a link, a folder, or a device"),
        (add("inputs/folder/", stat.S_IFDIR, content=b""), "leads out of its folder"),
        (add("POINTS.csv"), "is there twice"),
        (add("inputs/x", kind=ZIP_BZIP2), "compressed in another way"),
        (add("inputs/stray/in.txt"), "of which its manifest says nothing"),
        (add("penstock.toml"), "of which its manifest says nothing"),
        (add("job.py"), "of which its manifest says nothing"),
    ],
)
def test_what_may_do_harm_is_refused_and_nothing_is_written(
    packed: Path, tmp_path: Path, spoil: Callable[[ZipFile], None], why: str
) -> None:
    with ZipFile(packed, "a") as archive:
        spoil(archive)
    with pytest.raises(DefinitionError, match=why):
        unpack(packed, tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_a_bomb_is_refused_by_what_it_says_and_by_what_it_is(packed: Path, tmp_path: Path) -> None:
    with ZipFile(packed, "a") as archive:
        add("inputs/zeros", content=bytes(10_000_000))(archive)
    with pytest.raises(DefinitionError, match="1,000,000 bytes; it is no sweep"):
        unpack(packed, tmp_path / "there", most_bytes=1_000_000)
    with ZipFile(packed) as archive:
        entries = archive.infolist()
    entries[-1].file_size = 2**50
    with pytest.raises(DefinitionError, match="it is no sweep"):
        check_entries(entries, packed)


def test_an_entry_is_never_longer_than_it_says(packed: Path, tmp_path: Path) -> None:
    raw = bytearray(packed.read_bytes())
    with ZipFile(packed) as archive:
        entry = archive.getinfo("points.csv")
    at = raw.rindex(b"PK\x01\x02", 0, raw.rindex(b"points.csv"))
    assert int.from_bytes(raw[at + 24 : at + 28], "little") == entry.file_size
    raw[at + 24 : at + 28] = (3).to_bytes(4, "little")
    packed.write_bytes(raw)
    with pytest.raises(DefinitionError, match="cannot be unpacked"):
        unpack(packed, tmp_path / "there")


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        (b"[]", "is not a packed sweep"),
        (b"{}", "is not a packed sweep"),
        (b'{"format": 2, "points": {}}', "has the format 2"),
        (b'{"format": 1, "points": {"../x": "0"}}', "is not a packed sweep"),
        (b"[" * 100_000, "is not a packed sweep"),
    ],
)
def test_a_manifest_is_data(tmp_path: Path, manifest: bytes, why: str) -> None:
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("manifest.json", manifest)
        archive.writestr("points.csv", "")
    with pytest.raises(DefinitionError, match=why):
        unpack(tmp_path / "a.zip", tmp_path / "there")


def test_the_inputs_that_a_job_names_stay_in_the_archive(tmp_path: Path) -> None:
    spec = json.dumps({"inputs": {"../../../out": hashlib.sha256(b"x").hexdigest()}}).encode()
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        manifest = {"format": 1, "points": {"p": hashlib.sha256(spec).hexdigest()}}
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("points.csv", "")
        archive.writestr("inputs/p/job.jsonl", spec)
    with pytest.raises(DefinitionError, match="is not a packed sweep"):
        unpack(tmp_path / "a.zip", tmp_path / "there")


def test_what_is_no_zip_or_would_overwrite_a_sweep_is_refused(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK no")
    with pytest.raises(DefinitionError, match="cannot be unpacked: File is not a zip file"):
        unpack(tmp_path / "a.zip", tmp_path / "there")
    assert not (tmp_path / "there").exists()
    with pytest.raises(DefinitionError, match="already exists"):
        unpack(packed, packed.parent)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/inputs").symlink_to("/nowhere")
    with pytest.raises(DefinitionError, match="already exists"):
        unpack(packed, tmp_path / "linked")

"""The end of a job: what is left of it, wherever a crash hits."""

import json
import os
import shutil
import signal
from pathlib import Path
from zipfile import ZipFile

import pytest

from penstock.campaign import Site
from penstock.conductor.finishing import why_not_begun
from penstock.errors import SubmitRejected
from penstock.ledger.archive import read_stretch
from penstock.rendering import batch_text
from penstock.runner.files import archive_of, pack_folder
from penstock.site import LocalSite
from penstock.site.tasksfile import product_folders, read_feed

SLEEPER = """
[stage.a]
each = "unit"
command = ["sh", "-c", "echo $1 >> runs; echo half > $0; [ -e mended ] || sleep 60; echo $1 > $0", "{product}", "{unit}"]
products = "a/{unit}"
[stage.s]
each = "unit"
command = ["sh", "-c", "pwd > $0; [ -e ../../../mended ] || sleep 60", "{product}"]
products = "s/{unit}"
scratch = true
"""


def folder_of_a_job(root: Path) -> Path:
    folder = root / "pabcdefghij"
    folder.mkdir()
    (folder / "1.1.jsonl").write_text("events")
    (folder / "1.1.log").write_text("0123456789")
    (folder / "1.1.reserve").write_bytes(bytes(1000))
    (folder / ".draft").write_text("half")
    return folder


def test_a_packed_job_keeps_its_record_and_nothing_else(tmp_path):
    folder = folder_of_a_job(tmp_path)
    pack_folder(str(folder))
    assert [path.name for path in tmp_path.iterdir()] == ["pabcdefghij.zip"]
    assert ZipFile(archive_of(str(folder))).namelist() == ["1.1.jsonl", "1.1.log"]


def test_a_stretch_of_a_log_is_read_from_the_folder_and_from_the_archive(tmp_path):
    folder = folder_of_a_job(tmp_path)
    assert read_stretch(folder / "1.1.log", 3, 4) == b"3456"
    pack_folder(str(folder))
    assert read_stretch(folder / "1.1.log", 3, 4) == b"3456"
    assert read_stretch(folder / "1.2.log", 0, 1) is None
    assert read_stretch(tmp_path / "pother" / "1.1.log", 0, 1) is None


def test_packing_goes_on_after_a_crash_at_any_moment(tmp_path):
    folder = folder_of_a_job(tmp_path)
    (tmp_path / ".pabcdefghij.zip").write_text("half an archive")
    pack_folder(str(folder))
    whole = Path(archive_of(str(folder))).read_bytes()
    folder.mkdir()
    (folder / "1.1.jsonl").write_text("events")  # the crash came while the folder was removed
    pack_folder(str(folder))
    assert [path.name for path in tmp_path.iterdir()] == ["pabcdefghij.zip"]
    assert Path(archive_of(str(folder))).read_bytes() == whole


def test_a_folder_that_cannot_be_packed_for_want_of_room_stays(tmp_path):
    folder = folder_of_a_job(tmp_path)
    (tmp_path / ".pabcdefghij.zip").symlink_to("/dev/full")
    pack_folder(str(folder))
    assert [path.name for path in tmp_path.iterdir()] == ["pabcdefghij"]
    assert (folder / "1.1.jsonl").exists()


def test_a_conductor_packs_what_an_earlier_one_left(lab):
    lab.define('[stage.a]\neach = "unit"\ncommand = ["echo", "{unit}"]\n', units=1).run()
    [archive] = (lab.root / ".penstock/jobs").glob("*.zip")
    folder = archive.with_suffix("")
    folder.mkdir()
    ZipFile(archive).extractall(folder)
    archive.rename(archive.with_name(f".{archive.name}"))
    lab.write(".penstock/jobs/.runner-0.pyz.17", "half")
    lab.run()
    assert {path.suffix for path in folder.parent.iterdir()} == {".zip", ".pyz"}
    assert not list(folder.parent.glob(".*"))


def test_batches_are_read_back_and_one_that_was_cut_off_is_not():
    feed = batch_text(1, 1, [{"u": 1}, {"u": 2}]) + batch_text(2, 1, [{"u": 3}])
    assert [len(batch.splitlines()) for batch in read_feed(feed).batches] == [2, 1]
    assert [len(batch.splitlines()) for batch in read_feed(feed[:-1]).batches] == [2]
    assert read_feed(feed[:5]).batches == []


def test_the_folders_of_products_are_known_from_the_feed_followers_too():
    follower = {"u": 1, "products": {"x": {"path": "b/1.txt"}}}
    task = {"u": 1, "products": {"y": {"path": "top.txt"}}, "then": follower}
    assert product_folders(batch_text(1, 1, [task])) == {"b", "."}


def test_a_killed_runner_leaves_nothing_behind(lab):
    run = lab.define(SLEEPER, units=1).start("run")
    lab.wait_until(
        lambda: len(list((lab.root / ".penstock").rglob("scratch/*"))) and lab.runs(), "both tasks run"
    )
    for native in lab.rows("SELECT native FROM job"):
        os.kill(int(native[0].split(".")[0]), signal.SIGKILL)
    lab.write("mended", "")
    run.communicate(timeout=30)
    assert run.returncode == 0
    assert lab.read("a/u1") == "u1\n"
    assert lab.outcomes("a", "u1") == ["lost", "ok"]
    assert not [p for p in lab.root.rglob("p??????????.*") if p.suffix != ".zip"]
    assert not (lab.root / "a/.penstock").exists()


def test_a_scratch_folder_that_a_person_should_look_into_stays(lab):
    stage = SLEEPER[SLEEPER.index("[stage.s]") :].replace("[ -e ../../../mended ] || sleep 60", "exit 3")
    assert lab.define(stage, units=1).run().code == 1
    [why] = lab.rows("SELECT why FROM task")
    kept = Path(why["why"].rpartition(": ")[2])
    assert kept.is_dir()
    assert kept.parent == lab.root / ".penstock/scratch"


def test_what_a_set_up_said_comes_first_and_with_what_to_mend():
    said = "its runner ended without a message, hpc says FAILED (NonZeroExitCode)"
    words = "script: 15: module: not found; penstock: a line of the set-up failed"
    assert why_not_begun(said, words, "hpc") == (
        f"{words} (hpc says FAILED (NonZeroExitCode)): correct the site's `setup`, and try `penstock site test hpc`"
    )
    assert why_not_begun("no news", "", "hpc") == "no news: try `penstock site test hpc`"


def test_runners_that_cannot_start_stop_the_stage_and_say_why(lab):
    python = lab.write("bin/python", "#!/bin/sh\necho no such module >&2\nexit 1\n")
    python.chmod(0o755)
    lab.define('[stage.a]\neach = "unit"\ncommand = ["true"]\n', units=4)
    lab.write(
        "penstock.toml", lab.read("penstock.toml").replace("cores = 2", f'cores = 2\npython = "{python}"')
    )
    ending = lab.run()
    assert ending.code == 1
    assert any(
        "2 runners in a row could not start" in line and "no such module" in line for line in ending.lines
    )
    lab.define('[stage.a]\neach = "unit"\ncommand = ["true"]\n', units=4)
    assert lab.run().code == 0


def test_revoked_tasks_stay_revoked_when_more_are(lab):
    site = LocalSite(Site("local"), lab.root)
    site.place("pabcdefghij", {"spec.json": b"{}"})
    site.revoke("pabcdefghij", {1: [(1, 2)]})
    site.revoke("pabcdefghij", {1: [(1, 3)]})
    site.revoke("pabcdefghij", {1: []})
    revoked = json.loads((site.job_folder("pabcdefghij") / "1.revoked").read_text())
    assert revoked["tasks"] == [[1, 2], [1, 3]]


def test_a_campaign_goes_on_when_its_job_folders_were_deleted(lab):
    run = lab.define(SLEEPER, units=1).start("run")
    lab.wait_until(
        lambda: lab.runs() and "running" in lab.states("a") and "running" in lab.states("s"), "tasks run"
    )
    for native in lab.rows("SELECT native FROM job"):
        os.kill(int(native[0].split(".")[0]), signal.SIGKILL)
    run.kill()
    run.wait()
    shutil.rmtree(lab.root / ".penstock/jobs")
    lab.write("mended", "")
    assert lab.run().code == 0
    assert (lab.states("a"), lab.states("s")) == ({"done": 1}, {"done": 1})


def test_a_campaign_can_be_moved_between_two_runs(lab, tmp_path_factory):
    lab.define('[stage.a]\neach = "unit"\ncommand = ["sh", "-c", "echo said $0", "{unit}"]\n', units=2).run()
    moved = tmp_path_factory.mktemp("moved") / "lab"
    shutil.copytree(lab.root, moved)
    shutil.rmtree(lab.root / ".penstock")
    lab.root = moved
    lab.write("units.csv", "unit\nu1\nu2\nu3\n")
    assert lab.run().code == 0
    assert len(lab.rows("SELECT * FROM attempt")) == 3
    assert lab.command("log", "u1").stdout == "said u1\n"


def test_a_python_that_is_not_there_is_named(lab):
    lab.define('[stage.a]\neach = "unit"\ncommand = ["true"]\n', units=1)
    lab.write(
        "penstock.toml", lab.read("penstock.toml").replace("cores = 2", 'cores = 2\npython = "/no/python"')
    )
    with pytest.raises(SubmitRejected, match="no runner can be started with /no/python, No such file"):
        lab.run()
    lab.define('[stage.a]\neach = "unit"\ncommand = ["true"]\n', units=1)
    assert lab.run().code == 0

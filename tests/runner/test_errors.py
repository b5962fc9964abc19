"""Full disks and read-only folders: nothing is lost, everything is said."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from penstock.runner.errors import Unfit, Unwell, explain
from penstock.runner.events import Events, members
from penstock.runner.health import OomCounter, disk_trouble, find_oom_file


def test_a_full_disk_halts_the_element_and_the_rest_is_given_back(lab, mount):
    disk = mount(lab.root / "disk", "size=3m")
    fill = 'head -c 5000000 /dev/zero > "$P"'
    tasks = [lab.shell(1, fill, products=lab.product("disk/x")), lab.shell(2, "true"), lab.shell(3, "true")]
    assert lab.run(tasks).returncode == 0
    end = lab.ends()[1]
    assert end["o"] == "node_failure"
    assert f"the disk of {disk} is full" in end["why"]
    assert lab.of_kind("halt")[0]["why"] == end["why"]
    assert [(event["tasks"], event["why"]) for event in lab.of_kind("give")] == [
        ([[1, 2], [1, 3]], "batch halted")
    ]
    assert os.listdir(disk) == []


def test_work_goes_on_when_the_disk_has_room_again(lab, mount):
    disk = mount(lab.root / "disk", "size=3m")
    (disk / "rubbish").write_bytes(bytes(2_500_000))
    task = lab.shell(1, 'head -c 1500000 /dev/zero > "$P"', products=lab.product("disk/x"))
    lab.run([task], "--native", "1")
    assert lab.ends()[1]["o"] == "node_failure"
    (disk / "rubbish").unlink()
    lab.run([{**task, "u": 2}], "--native", "1")
    assert lab.ends(2)[2]["o"] == "ok"


def test_events_are_written_when_the_log_has_filled_the_disk(lab, mount):
    mount(lab.job, "size=2m")
    (lab.job / "tasks.jsonl").touch()
    lab.run([lab.shell(1, "cat /dev/zero"), *(lab.shell(unit, "true") for unit in range(2, 1000))])
    assert lab.ends()[1]["o"] == "node_failure"
    assert sum(len(event["tasks"]) for event in lab.of_kind("give")) == 998
    assert lab.events()[-1]["e"] == "leave"


def test_nothing_is_claimed_without_room_for_the_last_events(lab, mount):
    mount(lab.job, "size=128k")
    (lab.job / "tasks.jsonl").touch()
    done = lab.run([lab.shell(1, "true")])
    assert done.returncode == 74
    assert "No space left" in done.stderr
    assert not (lab.job / "1.1.jsonl").exists()
    assert not list(lab.job.glob("*.reserve"))


def test_a_read_only_product_folder_halts_before_anything_starts(lab, mount):
    mount(lab.root / "disk", "ro")
    lab.run([lab.shell(1, ': > "$P"', products=lab.product("disk/x")), lab.shell(2, "true")])
    assert lab.of_kind("start") == []
    (halt,) = lab.of_kind("halt")
    assert "cannot make the folder" in halt["why"]
    assert "the file system is read-only" in halt["why"]
    assert [task for event in lab.of_kind("give") for task in event["tasks"]] == [[1, 1], [1, 2]]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_halts_too(lab):
    (lab.root / "out").mkdir(mode=0o555)
    lab.run([lab.shell(1, ': > "$P"', products=lab.product("out/x"))])
    assert "permission is denied" in lab.of_kind("halt")[0]["why"]


def test_a_product_name_that_is_too_long_is_an_error_of_its_task_only(lab):
    lab.run([lab.shell(1, ': > "$P"', products=lab.product("x" * 256 + "/y")), lab.shell(2, "true")])
    assert {unit: end["o"] for unit, end in lab.ends().items()} == {1: "error", 2: "ok"}


def test_events_that_found_no_room_are_written_later(tmp_path):
    reserve = tmp_path / "reserve"
    reserve.touch()
    fd = os.open("/dev/full", os.O_WRONLY)
    events = Events(fd, "p", 1, 1, str(reserve))
    events.emit("beat", {"rss": 1})
    assert events.trouble == "events cannot be written: No space left on device"
    assert not reserve.exists()
    with pytest.raises(Unwell, match="No space left"):
        events.announce([events.line("start", members({"u": 1}))])
    os.close(fd)
    events.fd = os.open(tmp_path / "events", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    assert events.drain(1)
    assert (tmp_path / "events").read_text().count("beat") == 1
    assert "start" not in (tmp_path / "events").read_text()


def test_troubles_of_the_place_are_told_from_those_of_the_task():
    assert isinstance(explain(OSError(errno.EDQUOT, "x"), "cannot write a"), Unwell)
    assert isinstance(explain(OSError(errno.ENAMETOOLONG, "long"), "cannot write a"), Unfit)
    assert (
        str(explain(OSError(errno.EROFS, "x"), "cannot write a"))
        == "cannot write a: the file system is read-only"
    )


def test_a_healthy_disk_is_no_trouble(tmp_path):
    assert disk_trouble([str(tmp_path), str(tmp_path / "not there")]) is None


@pytest.mark.parametrize(
    ("groups", "file"),
    [
        ("0::/user.slice/job_7\n", "user.slice/job_7/memory.events"),
        ("9:name=systemd:/\n4:memory:/slurm/job_7\n0::/\n", "memory/slurm/job_7/memory.oom_control"),
    ],
)
def test_the_memory_killer_is_read_in_both_versions_of_control_groups(tmp_path, groups, file):
    (tmp_path / "cgroup").write_text(groups)
    path = tmp_path / "mount" / file
    path.parent.mkdir(parents=True)
    path.write_text("low 0\noom 3\noom_kill 0\n")
    assert find_oom_file(str(tmp_path / "cgroup"), str(tmp_path / "mount")) == str(path)
    counter = OomCounter(str(path))
    assert not counter.grew()
    path.write_text("low 0\noom 4\noom_kill 1\n")
    assert counter.grew()
    assert not counter.grew()


def test_a_task_that_the_kernel_kills_is_out_of_memory(lab):
    group = Path(find_oom_file()).parent / f"penstock-test-{os.getpid()}"
    limit = "memory.limit_in_bytes" if "/memory/" in f"{group}/" else "memory.max"
    try:
        group.mkdir()
        (group / limit).write_text("60000000")
    except OSError:
        pytest.skip("this machine does not let us make a control group")
    try:
        eat = "import sys; x = bytearray(200_000_000)"
        program = f"echo $$ > {group}/cgroup.procs && exec {os.sys.executable} {lab.program} {lab.job}"
        lab.batch([lab.command(1, os.sys.executable, "-c", eat), lab.command(2, "true")])
        lab.close()
        lab.write_spec()
        subprocess.run(["/bin/sh", "-c", program], timeout=20, check=True)
        assert {unit: end["o"] for unit, end in lab.ends().items()} == {1: "out_of_memory", 2: "ok"}
    finally:
        group.rmdir()


def test_a_program_that_was_sent_and_is_gone_is_nobodys_failure(lab):
    lab.stage("sent", sent=["tools/step.sh"])
    lab.stage("built", built=["half"])
    lab.spec["programs"] = {"half": str(lab.root / "store/half"), "other": "/not/there"}
    (lab.root / "tools").mkdir()
    (lab.root / "tools/step.sh").write_text("exit 3\n")
    lab.run(
        [
            lab.command(1, "sh", "tools/step.sh", stage="sent"),
            lab.command(2, "sh", "-c", "rm tools/step.sh", stage="sent"),
            lab.command(3, "sh", "tools/step.sh", stage="sent"),
            lab.command(4, {"ref": "program.half"}, stage="built"),
            lab.command(5, "false"),
        ]
    )
    ends = lab.ends()
    assert [ends[n]["o"] for n in range(1, 6)] == ["error", "ok", "unstarted", "unstarted", "error"]
    assert f"the program {lab.root}/tools/step.sh is no longer there at this site" in ends[3]["why"]
    assert f"the program {lab.root}/store/half is no longer there at this site" in ends[4]["why"]

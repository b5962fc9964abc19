"""Digests of input files: told with the end of the task that read them, and never at its cost."""

import hashlib
import os

import pytest

from penstock.runner.contents import Wanted, digest_one, is_heavy
from penstock.runner.products import INLINE_BYTES, INLINE_FILES

FOREVER = 1 << 42  # bytes of a file with a hole: it is read for hours


def sha(data):
    return hashlib.sha256(data).hexdigest()


def write(lab, name, data):
    path = lab.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path.stat().st_mtime_ns


def sparse(lab, name):
    with open(lab.root / name, "wb") as file:
        file.truncate(FOREVER)


@pytest.mark.parametrize("kind", ["command", "python"])
def test_an_end_tells_what_the_wanted_inputs_hold(lab, kind):
    times = [write(lab, "in/a b", b"one"), write(lab, "in/empty", b"")]
    lab.function("def run(task): return 5")
    line = lab.command(1, "true") if kind == "command" else lab.python(1)
    elsewhere = [["night/a", str(lab.root / "in/a b")], "in/empty"]
    end = lab.end({**line, "undigested": elsewhere})
    assert end["o"] == "ok"
    assert end["contents"] == [
        ["night/a", 3, times[0], sha(b"one")],
        ["in/empty", 0, times[1], sha(b"")],
    ]


def test_large_inputs_and_links_to_them_are_told_too(lab):
    data = b"x" * (INLINE_BYTES + 1)
    time = write(lab, "large", data)
    (lab.root / "link").symlink_to("large")
    end = lab.end(lab.command(1, "true", undigested=["link"], products={}))
    assert end["contents"] == [["link", len(data), time, sha(data)]]


def test_what_cannot_be_read_is_left_out_and_no_failure(lab):
    time = write(lab, "good", b"1")
    (lab.root / "folder").mkdir()
    os.mkfifo(lab.root / "pipe")
    (lab.root / "nowhere").symlink_to("not there")
    end = lab.end(lab.command(1, "true", undigested=["folder", "pipe", "gone", "nowhere", "good"]))
    assert (end["o"], end["contents"]) == ("ok", [["good", 1, time, sha(b"1")]])


def test_a_failed_task_tells_nothing(lab):
    write(lab, "in", b"1")
    assert "contents" not in lab.end(lab.command(1, "false", undigested=["in"]))


def test_a_file_that_is_written_meanwhile_is_left_out(tmp_path, monkeypatch):
    path = tmp_path / "growing"
    path.write_bytes(b"1")
    assert digest_one(Wanted("growing", str(path))).digest == sha(b"1")
    real = os.read

    def read(fd, count):
        data = real(fd, count)
        path.write_bytes(b"12")
        return data

    monkeypatch.setattr(os, "read", read)
    assert digest_one(Wanted("growing", str(path))) is None


def test_many_files_are_read_in_another_process(tmp_path):
    few = [Wanted("", str(tmp_path / str(n))) for n in range(INLINE_FILES)]
    assert not is_heavy(few)
    assert is_heavy([*few, Wanted("", str(tmp_path / "one more"))])


def test_a_runner_that_is_asked_to_stop_digests_no_longer(lab):
    sparse(lab, "huge")
    lab.batch([lab.command(1, "touch", "ran", undigested=["huge"])])
    process = lab.start()
    lab.wait_for((lab.root / "ran").exists)
    process.terminate()
    assert process.wait(10) == 0
    assert (lab.ends()[1]["o"], "contents" in lab.ends()[1]) == ("ok", False)


def test_neither_the_limit_of_the_task_nor_the_end_of_the_job_costs_a_result(lab):
    sparse(lab, "huge")
    lab.spec["walltime_s"] = 11.5  # what is over when 10 s are left is given up
    lab.stage("short", limit_s=0.5)
    end = lab.end(lab.command(1, "true", stage="short", undigested=["huge"]))
    assert (end["o"], "contents" in end) == ("ok", False)
    assert end["wall"] < 0.5


def test_revoking_a_task_while_its_inputs_are_digested_makes_it_cancelled(lab):
    sparse(lab, "huge")
    line = lab.shell(1, 'touch ran; : > "$P"', products=lab.product("out/a"), undigested=["huge"])
    lab.batch([line])
    process = lab.start()
    lab.wait_for((lab.root / "ran").exists)
    (lab.job / "1.revoked").write_text('{"all": true}')
    assert process.wait(10) == 0
    assert lab.ends()[1]["o"] == "cancelled"
    assert not (lab.root / "out/a").exists()


def test_a_line_that_would_be_too_long_tells_nothing_of_inputs(lab):
    names = [f"{'x' * 200}/{'y' * 200}/{n}" for n in range(1000)]
    for name in names:
        write(lab, name, b"")
    lab.function("def run(task): return 'r' * 60000")
    end = lab.end(lab.python(1, undigested=[[name * 3, name] for name in names]))
    assert (end["o"], "contents" in end, len(end["result"])) == ("ok", False, 60000)

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from penstock.cli.live import Lines
from penstock.ledger import Ledger


def test_run_does_the_work_and_ends_with_1_when_a_unit_failed(penstock, winter):
    shown = penstock("run", "-C", winter)
    assert shown.exit_code == 1
    assert (winter / "out/a.txt").read_text() == "good"
    assert not (winter / "merged.txt").exists()
    assert "1 task failed, which blocks 1 more" in shown.output


def test_the_same_command_goes_on_and_ends_well(penstock, ran):
    (ran / "data/c.txt").write_text("good again")
    shown = penstock("run", "-C", ran)
    assert (shown.exit_code, (ran / "merged.txt").read_text()) == (0, "goodgoodgood again")


def test_nothing_to_do_is_told_in_one_line(penstock, ran):
    (ran / "data/c.txt").write_text("good")
    penstock("run", "-C", ran)
    assert penstock("run", "-C", ran).output == "all done: 4 tasks\n"


def test_without_a_terminal_there_are_plain_lines(penstock, winter):
    shown = penstock("run", "-C", winter).output
    assert "copy 2/3 done, 1 failed" in shown
    assert "\x1b" not in shown


def test_set_overrides_a_key_for_this_run(penstock, winter):
    shown = penstock("run", "-C", winter, "--set", 'stage.copy.command=["cp", "{path}", "{product}"]')
    assert shown.exit_code == 0


def test_stale_products_are_made_again_only_when_asked(penstock, ran):
    changed = (ran / "penstock.toml").read_text().replace("copying", "now copying")
    (ran / "penstock.toml").write_text(changed)
    before = (ran / "out/a.txt").stat().st_mtime_ns
    penstock("run", "-C", ran)
    assert (ran / "out/a.txt").stat().st_mtime_ns == before
    assert "stale: the definition changed" in penstock("units", "-C", ran, "--stale").output
    penstock("run", "-C", ran, "--stale")
    assert (ran / "out/a.txt").stat().st_mtime_ns > before


def test_a_wrong_definition_ends_with_2_and_one_line(penstock, winter):
    (winter / "penstock.toml").write_text((winter / "penstock.toml").read_text().replace("each", "eech"))
    for command in ("run", "check", "plan", "tick", "up", "watch"):
        shown = penstock(command, "-C", winter)
        assert (shown.exit_code, shown.stderr.count("\n")) == (2, 1), command
        assert "each" in shown.stderr


def test_a_held_campaign_ends_with_4_and_tick_with_0(penstock, winter, held):
    text = (winter / "penstock.toml").read_text().split("[stage.merge]")[0]
    (winter / "penstock.toml").write_text(text)
    for command in ("run", "watch"):
        shown = penstock(command, "-C", winter)
        assert shown.exit_code == 4
        assert str(os.getpid()) in shown.stderr
    shown = penstock("tick", "-C", winter)
    assert shown.exit_code == 0
    assert shown.output.startswith("nothing to do: ")
    assert shown.output.count("\n") == 1


@pytest.fixture
def held(winter):
    """This very process holds the campaign."""
    from penstock.clock import SystemClock
    from penstock.ledger.hosts.lease import held

    with held(winter, command="run", clock=SystemClock()) as ledger:
        yield ledger


def test_tick_does_one_turn(penstock, winter):
    merge = (winter / "penstock.toml").read_text().split("[stage.merge]")[0]
    (winter / "penstock.toml").write_text(merge)
    shown = penstock("tick", "-C", winter)
    assert shown.exit_code == 0
    assert "3 new units" in shown.output


def test_check_lists_the_stages(penstock, winter):
    shown = penstock("check", "-C", winter)
    assert shown.output.splitlines()[:3] == [
        "winter: the definition is valid", "  copy: each file", "  merge: each campaign, after copy",
    ]  # fmt: skip
    data = json.loads(penstock("check", "-C", winter, "--json").stdout)
    assert [stage["name"] for stage in data["stages"]] == ["copy", "merge"]


def test_interrupted_once_it_gives_back_and_says_how_to_go_on(winter, start):
    process = start_slow(winter, start)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert "the same command continues" in out
    assert "again: exit at once" in err
    assert "Traceback" not in err
    assert process.returncode == 1


def test_interrupted_twice_it_leaves_at_once(winter, start):
    process = start_slow(winter, start)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=6)
    assert process.returncode == 1
    assert "the same command picks it up again" in err
    assert "Traceback" not in err


def start_slow(root, start):
    text = (root / "penstock.toml").read_text().replace('echo "copying $1"', "sleep 8")
    (root / "penstock.toml").write_text(text)
    command = [sys.executable, "-m", "penstock", "run", "-C", str(root)]
    process = start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: running(root))
    return process


def running(root):
    if not (root / ".penstock/ledger.sqlite").exists():
        return False
    with Ledger.open(root, readonly=True) as ledger:
        return ledger.db.execute("SELECT 1 FROM task WHERE state = 'running'").fetchone() is not None


def wait_for(condition):
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_on_a_terminal_there_is_a_live_table(winter, start):
    main, other = pty.openpty()
    command = [sys.executable, "-m", "penstock", "run", "-C", str(winter)]
    process = start(command, stdout=other, stderr=other, env={**os.environ, "TERM": "xterm"})
    os.close(other)
    shown = b""
    try:
        while piece := os.read(main, 65536):
            shown += piece
    except OSError:  # Linux says EIO when the other end is closed
        pass
    assert process.wait() == 1
    os.close(main)
    assert "█".encode() in shown
    assert b"1 task failed" in shown


def test_lines_come_at_most_each_ten_seconds_and_the_last_one_always(record, capsys):
    now = [0.0]
    lines = Lines(clock=lambda: now[0])
    stage = record.stage("copy", 2)
    record.task(stage, record.unit("n", 1), "ready")
    for second in range(25):
        now[0] = float(second)
        lines.observe(record.ledger)
        record.task(stage, record.unit("n", second + 10), "done")
    lines.finish()
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == [
        "0/1",
        "10/11",
        "20/21",
        "25/26",
    ]


def test_a_row_that_was_not_understood_is_a_failure_unless_it_is_allowed(penstock, tmp_path):
    (tmp_path / "runs.csv").write_text("run,gain\na,1\nb,2,3\n")
    (tmp_path / "penstock.toml").write_text(
        'campaign = { name = "t", levels = ["run"] }\nunits = { table = "runs.csv" }\n'
        '[stage.s]\neach = "run"\ncommand = ["true"]\n'
    )
    shown = penstock("run", "-C", tmp_path)
    assert (shown.exit_code, "runs.csv:3: the row has 3 cells" in shown.output) == (1, True)
    assert penstock("run", "--allow-problems", "-C", tmp_path).exit_code == 0
    (tmp_path / "runs.csv").write_text("run,gain\na,1\nb,2\n")
    assert penstock("run", "-C", tmp_path).exit_code == 0


def test_a_table_that_cannot_be_read_any_more_holds_up_nothing_else(penstock, tmp_path):
    (tmp_path / "runs.csv").write_text("run\na\n")
    (tmp_path / "penstock.toml").write_text(
        'campaign = { name = "t", levels = ["run", "file"] }\n'
        '[units]\nfiles = "d/{run}/{file}.txt"\nsettle = "0s"\n[units.run]\ntable = "runs.csv"\n'
        '[stage.s]\neach = "file"\ncommand = ["cp", "{path}", "{product}"]\nproducts = "out/{run}/{file}.txt"\n'
    )
    (tmp_path / "d/a").mkdir(parents=True)
    (tmp_path / "d/a/1.txt").touch()
    assert penstock("run", "-C", tmp_path).exit_code == 0
    (tmp_path / "d/a/2.txt").touch()
    (tmp_path / "runs.csv").write_bytes(b"run\nb\xff\n")
    shown = penstock("run", "-C", tmp_path)
    assert (shown.exit_code, "the table is not UTF-8" in shown.output) == (1, True)
    assert (tmp_path / "out/a/2.txt").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('products = "out/{run:04d}.txt"', 'types = { run = "int" }'),
        ('products = "out/{run}.txt"\nwhere = "run = \'a\'"', "== compares"),
        ("products = out.txt", "products = out.txt"),
    ],
)
def test_a_slip_of_a_newcomer_is_told_with_what_is_right(penstock, tmp_path, text, said):
    (tmp_path / "runs.csv").write_text("run\na\n")
    (tmp_path / "penstock.toml").write_text(
        'campaign = { name = "t", levels = ["run"] }\nunits = { table = "runs.csv" }\n'
        f'[stage.s]\neach = "run"\ncommand = ["touch", "{{product}}"]\n{text}\n'
    )
    shown = penstock("check", "-C", tmp_path)
    assert (shown.exit_code, said in shown.stderr, "penstock.toml:" in shown.stderr) == (2, True, True), (
        shown.stderr
    )

"""The line in a crontab: one for each campaign, and all others as they were."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.unattended.crontab import is_running, script_text, with_line, word
from penstock.unattended.program import Program

MARK, OTHER = "1a2b3c4d", "deadbeef"
LINE, ELSE = f"*/5 * * * * sh 'x' # penstock tick {MARK}", f"*/5 * * * * sh 'y' # penstock tick {OTHER}"
ODD = (
    "plain",
    "two words",
    "50 %h",
    "it's",
    'a "b"',
    "$HOME",
    "end\\",
    "\\\\",
    "\\%",
    "tail ",
    "; rm -rf x",
    "#",
    "`id`",
)


def vixie(command: str) -> str:
    r"""What most crons make of a command: it ends at a `%`, and `\%` is a `%`."""
    assert "%" not in command.replace("\\%", ""), "it would end here"
    return command.replace("\\%", "%")


def isc(command: str) -> str:
    """What others make of it: any backslash before a backslash is taken away, too."""
    return vixie(command).replace("\\\\", "\\")


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("cron", [vixie, isc, lambda command: command])
def test_a_word_reaches_the_program_through_every_cron(name: str, cron) -> None:
    command = cron(f"printf %s {word(name)}".replace("%s", "\\%s"))
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == name


@given(
    st.lists(st.sampled_from([b"", b"# mine", b"MAILTO=me", b"5 4 * * * a\\%b", b"\xff\xfe", ELSE.encode()]))
)
def test_all_other_lines_stay_byte_for_byte(others: list[bytes]) -> None:
    before = b"".join(line + b"\n" for line in others)
    with_it = with_line(before, MARK, LINE)
    assert with_it == before + LINE.encode() + b"\n"
    assert with_line(with_it, MARK, LINE) == with_it, "never twice"
    assert with_line(with_it, MARK, None) == before


def test_a_line_is_replaced_where_it_stands() -> None:
    before = f"a\n{LINE}\nb\n".encode()
    after = with_line(before, MARK, LINE.replace("*/5", "*/7"))
    assert after == before.replace(b"*/5", b"*/7")


def test_what_a_person_commented_out_stays() -> None:
    before = f"# {LINE}\n".encode()
    assert with_line(before, MARK, None) == before
    assert with_line(before, MARK, LINE) == before + LINE.encode() + b"\n"


def test_a_last_line_without_an_end_is_given_one() -> None:
    assert with_line(b"a", MARK, LINE) == b"a\n" + LINE.encode() + b"\n"


@pytest.mark.parametrize("name", ODD)
def test_the_script_goes_to_the_campaign_with_the_path_of_today(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    shown = tmp_path / "python"
    shown.write_text('#!/bin/sh\npwd; printf "%s\\n" "$PATH" "$@"\n')
    shown.chmod(0o755)
    made = Program(root, ("--set=a=b c",), str(shown), {"PATH": f"{tmp_path}:/bin:/usr/bin"})
    done = subprocess.run(
        ["/bin/sh", "-c", script_text(made)], capture_output=True, text=True, check=True, env={}, cwd="/"
    )
    told = done.stdout.splitlines()
    assert told == [str(root), made.environment["PATH"], *made.words("tick")[1:]]


def test_a_missing_cron_daemon_is_noticed_only_where_it_would_be_seen(tmp_path: Path) -> None:
    assert is_running(tmp_path) is None
    for pid, name in ((1, "systemd"), (77, "sh")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "comm").write_text(f"{name}\n")
    assert is_running(tmp_path) is False
    (tmp_path / "77" / "comm").write_text("crond\n")
    assert is_running(tmp_path) is True


def test_the_module_of_python_is_not_looked_for_in_the_campaign() -> None:
    assert Program(Path("/x")).words("tick")[:4] == [sys.executable, "-P", "-m", "penstock"]

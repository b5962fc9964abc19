"""How many sessions a connection has, for all processes together."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from penstock.transports.ssh.sessions import USUAL, Sessions


def test_each_that_is_taken_has_another_number_and_comes_back(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "socket")
    with sessions.one() as first, sessions.one() as second:
        assert (first, second) == (1, 2)
    with sessions.one() as again:
        assert again == 1


def test_no_more_are_given_out_than_there_are(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "socket")
    with ExitStack() as taken:
        for _ in range(USUAL):
            taken.enter_context(sessions.one())
        assert sessions.take() is None


def test_a_refusal_teaches_how_many_began_before(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "socket")
    with ExitStack() as taken:
        numbers = [taken.enter_context(sessions.one()) for _ in range(6)]
        for refused in numbers[3:]:
            sessions.learn(refused)
        assert sessions.most == 3
    with sessions.one(), sessions.one(), sessions.one():
        assert sessions.take() is None


def test_a_refusal_of_the_only_one_leaves_one(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "socket")
    with sessions.one() as number:
        assert sessions.learn(number) == 0
    assert sessions.most == 1


def test_what_was_learned_is_forgotten_with_the_connection(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "socket")
    with sessions.one() as number:
        sessions.learn(number)
    sessions.forget()
    assert sessions.most == USUAL


def test_a_process_that_was_killed_has_none(tmp_path: Path) -> None:
    text = (
        "import sys, time; from pathlib import Path; from penstock.transports.ssh.sessions import Sessions\n"
        "print(Sessions(Path(sys.argv[1])).take()[0], flush=True); time.sleep(60)"
    )
    socket = tmp_path / "socket"
    with subprocess.Popen([sys.executable, "-c", text, str(socket)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"1\n"
        with Sessions(socket).one() as number:
            assert number == 2
        other.kill()
    with Sessions(socket).one() as number:
        assert number == 1

"""One connection to a real server: who opens it, what rides on it, and what happens when it is gone."""

import errno
import os
import pty
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from tests.sshd import HOST, Sshd

from penstock.errors import AuthNeeded, SiteError, Unreachable
from penstock.machine import Machine
from penstock.transports.ssh import SshTransport, connection
from penstock.transports.ssh.connection import LONGEST, Connection, socket_folder

Serve = Callable[..., Sshd]
Open = Callable[..., SshTransport]


def master_of(transport: SshTransport) -> psutil.Process:
    """Return the process that keeps a connection."""
    path = str(transport.connection.socket)
    return next(
        process
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"] == "ssh" and f"-S {path} -fNMTa" in " ".join(process.info["cmdline"] or [])
    )


# logging in


def test_nothing_logs_in_but_the_login(serve: Serve, open_way: Open) -> None:
    server = serve()
    way = open_way()
    with pytest.raises(AuthNeeded, match=r"site 'far' needs you: `penstock site login far`"):
        way.write({"a": b""})
    assert server.logins() == (0, 0)
    assert (way.login(), way.login()) == (True, False)
    way.write({"a": b"x"})
    assert way.read({"a": 0}) == {"a": b"x"}
    assert server.logins() == (1, 0)


def test_a_host_whose_key_is_unknown_is_not_trusted_and_its_key_is_shown(
    serve: Serve, open_way: Open
) -> None:
    server = serve()
    way = open_way()
    server.trust(None)
    with pytest.raises(AuthNeeded) as caught:
        way.login()
    assert f"is not known here ({server.fingerprint()})" in str(caught.value)
    assert (server.home / "known_hosts").read_text() == ""
    assert server.logins()[0] == 0


def test_a_host_whose_key_has_changed_is_not_trusted_and_the_place_of_the_old_one_is_told(
    serve: Serve, open_way: Open
) -> None:
    server = serve()
    way = open_way()
    server.make_key("other_key")
    server.trust(server.home / "other_key.pub")
    with pytest.raises(AuthNeeded) as caught:
        way.login()
    assert f"has changed to {server.fingerprint()}" in str(caught.value)
    assert f"({server.home}/known_hosts, line 1)" in str(caught.value)
    assert server.logins()[0] == 0


def test_a_key_that_is_refused_and_a_port_where_nobody_is_are_told_apart(
    serve: Serve, open_way: Open
) -> None:
    server = serve()
    way = open_way()
    (server.home / "authorized_keys").write_text("")
    with pytest.raises(AuthNeeded, match=r"coulson refused the login \(it takes publickey\)"):
        way.login()
    server.down()
    with pytest.raises(Unreachable, match="coulson cannot be reached, nothing answers at its port"):
        way.login()


def test_a_passphrase_is_asked_for_once_at_the_terminal(serve: Serve, open_way: Open) -> None:
    server = serve()
    way = open_way()
    server.make_key("key", "open sesame")
    (server.home / "authorized_keys").write_text((server.home / "key.pub").read_text())
    text = (
        "from pathlib import Path; from penstock.campaign import Site; from penstock.transports.ssh import SshTransport\n"
        f"print(SshTransport(Site('far', 'slurm', host={HOST!r}, transport='ssh'), Path('/x')).login())"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", text])
    shown = b""
    while b"passphrase" not in shown:
        shown += os.read(terminal, 1000)
    os.write(terminal, b"open sesame\n")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    way.write({"a": b"x"})
    assert way.read({"a": 0}) == {"a": b"x"}


def test_jumps_includes_and_matches_of_the_configuration_are_followed(
    serve: Serve, open_way: Open, tmp_path: Path
) -> None:
    server = serve()
    way = open_way()
    jumps = (
        "Host first second\n  HostName 127.0.0.1\n  HostKeyAlias [127.0.0.1]:{0}\n  Port {0}\n  User {1}\n"
    )
    known = server.config.read_text()
    own = [line for line in known.splitlines() if "IdentityFile" in line or "KnownHosts" in line]
    (tmp_path / "jumps").write_text("\n".join([jumps.format(server.port, user_of(known)), *own, ""]))
    (tmp_path / "config").write_text(
        f"Include {tmp_path}/jumps\nMatch originalhost {HOST} exec true\n  ProxyJump first,second\n{known}"
    )
    (tmp_path / "config").replace(server.config)
    way.login()
    way.write({"a": b"x"})
    assert way.read({"a": 0}) == {"a": b"x"}
    assert server.logins() == (3, 0), "two hops, and the host itself"


def user_of(config: str) -> str:
    """Return who logs in."""
    return next(line.split()[1] for line in config.splitlines() if line.strip().startswith("User "))


# losing it


def test_a_master_that_is_killed_fails_no_login_and_the_next_one_is_a_persons(
    serve: Serve, open_way: Open
) -> None:
    server = serve("MaxSessions 3")
    way = open_way()
    way.login()

    def ask(n: int) -> str:
        try:
            return way.run(
                ["/bin/sh", "-c", f"sleep 0.3; echo {n}"], cwd=Path("/"), environment={}, timeout_s=30
            ).out
        except SiteError as error:
            return str(error)

    with ThreadPoolExecutor(10) as threads:
        answers = [threads.submit(ask, n) for n in range(10)]
        time.sleep(0.6)
        master_of(way).kill()
        told = [answer.result() for answer in answers]
    assert {answer for answer in told if "needs you: `penstock site login far`" not in answer} <= {
        f"{n}\n" for n in range(10)
    }
    assert any("needs you" in answer for answer in told)
    assert server.logins() == (1, 0)
    assert way.login()
    assert ask(1) == "1\n"
    assert server.logins() == (2, 0)


def test_a_killed_master_has_ended_although_its_socket_outlives_its_calls() -> None:
    connection = Connection("coulson", site="far")
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as master:
        connection.socket = Path(folder) / "s"
        master.bind(str(connection.socket))
        master.listen()
        assert not connection.has_ended()
        threading.Timer(0.1, master.close).start()
        assert connection.has_ended()


@pytest.mark.parametrize("side", ["here", "there"])
def test_whenever_a_connection_is_killed_under_ten_callers_nobody_logs_in(
    serve: Serve, open_way: Open, side: str
) -> None:
    server = serve("MaxSessions 3")
    way = open_way()

    def call_on(n: int) -> list[str]:
        """Ask again and again, until nobody is logged in."""
        told = list[str]()
        while True:
            try:
                told.append(way.run(["/bin/echo", str(n)], cwd=Path("/"), environment={}, timeout_s=30).out)
            except AuthNeeded:
                return told
            except SiteError:  # it was cut in the middle of its answer
                continue

    moments = (0.0, 0.05, 0.2, 0.5, 1.0)
    for logins, moment in enumerate(moments, 1):
        way.login()
        with ThreadPoolExecutor(10) as threads:
            told = [threads.submit(call_on, n) for n in range(10)]
            time.sleep(moment)
            kill_connection(way, server, side)
        assert all({*answers.result()} <= {f"{n}\n"} for n, answers in enumerate(told))
        assert server.logins() == (logins, 0), moment


def kill_connection(way: SshTransport, server: Sshd, side: str) -> None:
    """Kill who holds a connection, at one of its ends."""
    process = server.daemon.process
    assert process
    for holder in [master_of(way)] if side == "here" else process.children():
        holder.kill()


def test_sessions_beyond_what_the_server_allows_wait_and_all_are_answered(
    serve: Serve, open_way: Open
) -> None:
    server = serve("MaxSessions 3")
    way = open_way()
    way.login()

    def ask(n: int) -> str:
        command = ["/bin/sh", "-c", f"sleep 0.2; echo {n}"]
        return way.run(command, cwd=Path("/"), environment={}, timeout_s=30).out

    with ThreadPoolExecutor(10) as threads:
        assert [*threads.map(ask, range(10))] == [f"{n}\n" for n in range(10)]
    assert 1 <= way.connection.sessions.most <= 3
    refused = server.daemon.log.read_text().count("no more sessions")
    with ThreadPoolExecutor(10) as threads:
        assert [*threads.map(ask, range(10))] == [f"{n}\n" for n in range(10)]
    assert server.daemon.log.read_text().count("no more sessions") == refused, "it was learned"
    assert server.logins() == (1, 0)


def test_an_end_of_the_server_needs_a_person(serve: Serve, open_way: Open) -> None:
    server = serve()
    way = open_way()
    way.login()
    server.down()
    time.sleep(0.2)
    with pytest.raises(AuthNeeded, match=r"needs you: `penstock site login far` \(there is no connection"):
        way.list([""])


# what is far


def test_the_receiver_is_sent_once(serve: Serve, open_way: Open) -> None:
    server = serve()
    way = open_way()
    way.login()
    kept = server.there / ".cache/penstock"
    way.write({"a": b"x"})
    receivers = [*kept.iterdir()]
    assert [path.name.split("-")[0] for path in receivers] == ["receiver"]
    assert kept.stat().st_mode & 0o777 == 0o700
    made = receivers[0].stat().st_mtime_ns
    way.read({"a": 0})
    assert receivers[0].stat().st_mtime_ns == made
    receivers[0].write_bytes(b"damaged")
    assert way.read({"a": 0}) == {"a": b"x"}


def test_a_python_that_is_not_there_is_told(serve: Serve, open_way: Open) -> None:
    serve()
    way = open_way(python="/opt/no/python3")
    way.login()
    with pytest.raises(SiteError, match="there is no `/opt/no/python3` on coulson"):
        way.list([""])


@pytest.mark.parametrize("umask", ["000", "077"])
def test_whatever_the_umask_there_is_files_are_their_owners_and_commands_have_it(
    serve: Serve, open_way: Open, tmp_path: Path, umask: str
) -> None:
    server = serve()
    way = open_way()
    (server.there / ".bashrc").write_text(f"umask {umask}\n")
    way.login()
    way.write({"p1/a": b""})
    assert (tmp_path / "jobs").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "jobs/p1/a").stat().st_mode & 0o777 == 0o600
    reply = way.run(["/bin/sh", "-c", "umask"], cwd=Path("/"), environment={}, timeout_s=30)
    assert int(reply.out, 8) in (int(umask, 8), 0o022), "0022 where sshd's bash reads no .bashrc"


def test_a_folder_of_the_home_there_is_found(serve: Serve, open_way: Open) -> None:
    server = serve()
    way = open_way(Path("~/work/jobs"))
    way.login()
    way.write({"a": b"x"})
    assert way.folder == server.there / "work/jobs"
    assert (server.there / "work/jobs/a").read_bytes() == b"x"


def test_a_full_disk_there_is_told_with_its_place(
    serve: Serve, open_way: Open, tmp_path: Path, mount: Callable[[Path, str], Path]
) -> None:
    serve()
    way = open_way()
    way.login()
    way.write({"p1/a": b"old"})
    small = mount(tmp_path / "jobs/p1", "size=64k,mode=700")
    with pytest.raises(OSError, match=f"No space left on device: 'coulson:{small}/b'") as caught:
        way.write({"p1/a": b"new", "p1/b": bytes(1 << 20), "p1/c": b""})
    assert caught.value.errno == errno.ENOSPC
    assert os.listdir(small) == ["a"], "no draft takes the rest"


def test_a_server_that_opens_no_session_is_told(
    serve: Serve, open_way: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve("MaxSessions 0")
    way = open_way()
    way.login()
    monkeypatch.setattr(connection, "REFUSED_S", 0.5)
    with pytest.raises(SiteError, match="coulson refuses to open a session"):
        way.list([""])
    assert server.logins() == (1, 0)


# here


def test_a_path_of_a_socket_is_short_and_its_folder_ours_alone(tmp_path: Path) -> None:
    long = tmp_path / ("very" * 20)
    folder = socket_folder(Machine("here", "", [long]))
    assert len(os.fsencode(folder / ("0" * 16))) < LONGEST
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not long.exists()


def test_a_question_is_apart_from_the_terminal_whose_ctrl_c_is_meant_for_us(
    serve: Serve, open_way: Open
) -> None:
    serve()
    way = open_way()
    way.login()
    command = ["/bin/sh", "-c", "sleep 0.5; echo done"]
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(way.run, command, cwd=Path("/"), environment={}, timeout_s=30)
        time.sleep(0.25)
        riders = [child.pid for child in psutil.Process().children() if child.name() == "ssh"]
        assert [os.getsid(rider) for rider in riders] == riders != []
        assert asked.result().out == "done\n"

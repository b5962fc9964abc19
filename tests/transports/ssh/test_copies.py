"""Whole files there and back, over a real server that breaks."""

import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sshd import Sshd, end_connections
from tests.until import until

from penstock.errors import SiteError
from penstock.runner.blocks import digest_of, draft_of
from penstock.runner.pace import BLOCK
from penstock.transports.protocol import Copy
from penstock.transports.ssh import SshTransport

QUESTIONS = 128 << 10  # bytes of a login, of questions, and of what encrypting adds

Serve = Callable[..., Sshd]
Open = Callable[..., SshTransport]


def copy_of(path: Path, name: str) -> Copy:
    return Copy(name, path, path.stat().st_size, digest_of(str(path)))


def made(folder: Path, count: int, size: int = 1000) -> list[Copy]:
    """Make files of random bytes."""
    folder.mkdir()
    for n in range(count):
        (folder / f"{n}").write_bytes(os.urandom(size))
    return [copy_of(folder / f"{n}", f"store/{n}") for n in range(count)]


def back(copies: list[Copy], folder: Path) -> list[Copy]:
    """Return the same files, elsewhere here."""
    return [copy._replace(path=folder / copy.name) for copy in copies]


def test_many_files_go_and_come_back_by_a_question_each(ssh: SshTransport, tmp_path: Path) -> None:
    copies = made(tmp_path / "here", 300)
    (tmp_path / "here/empty").touch()
    copies.append(copy_of(tmp_path / "here/empty", "a b/empty"))
    ssh.send(copies)
    assert (tmp_path / "site/jobs/store/7").read_bytes() == copies[7].path.read_bytes()
    returned = back(copies, tmp_path / "again")
    ssh.fetch(returned)
    assert [copy.path.read_bytes() for copy in returned] == [copy.path.read_bytes() for copy in copies]
    assert not [*(tmp_path / "site/jobs/store").glob(".*")]
    assert not [*(tmp_path / "again/store").glob(".*")]


def test_what_is_there_is_not_sent_again(ssh: SshTransport, tmp_path: Path) -> None:
    copies = made(tmp_path / "here", 2)
    ssh.send(copies)
    before = [(tmp_path / "site/jobs" / copy.name).stat().st_ino for copy in copies]
    copies[0].path.unlink()
    ssh.send(copies)
    assert [(tmp_path / "site/jobs" / copy.name).stat().st_ino for copy in copies] == before


def test_a_file_that_changed_since_it_was_digested_is_not_taken_for_it(
    ssh: SshTransport, tmp_path: Path
) -> None:
    copies = made(tmp_path / "here", 2)
    copies[1].path.write_bytes(bytes(1000))
    with pytest.raises(OSError, match=r"coulson:.*/store/1"):
        ssh.send(copies)
    assert os.listdir(tmp_path / "site/jobs/store") == ["0"]


def test_a_file_that_is_not_there_is_an_error_with_its_place(ssh: SshTransport, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"coulson:.*/nothing"):
        ssh.fetch([Copy("nothing", tmp_path / "nothing", 3, hashlib.sha256(b"abc").hexdigest())])


@pytest.mark.parametrize("way_back", [False, True])
def test_of_what_passed_a_cut_cable_at_most_a_block_is_sent_again(
    serve: Serve, open_way: Open, tmp_path: Path, way_back: bool
) -> None:
    server = serve()
    way = open_way()
    (copy,) = made(tmp_path / "here", 1, size=(80 << 20) + 123)
    way.login()
    way.environment  # noqa: B018  # the receiver is there
    if way_back:
        way.send([copy])
        (copy,) = back([copy], tmp_path / "again")
    target = copy.path if way_back else tmp_path / "jobs" / copy.name
    transfer = way.fetch if way_back else way.send
    draft, places, have = Path(draft_of(str(target), copy.digest)), random.Random(1), 0
    for _ in range(20):
        server.lay_cable(cut := places.randrange(5 << 20))
        with pytest.raises(SiteError, match=r"needs you|cannot be reached"):
            log_in_and(way, transfer, [copy])
        least = have + cut - BLOCK - QUESTIONS
        until(lambda least=least: size_of(draft) >= least, f"{least} bytes were written")
        have = size_of(draft)
        assert not target.exists()
    server.lay_cable(copy.size - have + QUESTIONS)
    log_in_and(way, transfer, [copy])
    assert digest_of(str(target)) == copy.digest
    assert not draft.exists()


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def log_in_and(way: SshTransport, transfer: Callable[[list[Copy]], None], copies: list[Copy]) -> None:
    """Transfer files on a new connection."""
    end_connections(Path(os.environ["PENSTOCK_STATE"]))
    way.login()
    transfer(copies)

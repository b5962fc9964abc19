"""A real server: its token is in no log, and open pages learn what is new, by one look for all."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from queue import Queue
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from tests.serve.conftest import Record

from penstock.errors import DefinitionError
from penstock.extras import how_to_install
from penstock.host import this_process
from penstock.serve.campaigns import Shown
from penstock.serve.events import Key, Watch
from penstock.serve.running import Listening, listen
from penstock.serve.tokens import token_of

PATIENCE_S = 30.0


class Server(NamedTuple):
    """A server that runs, how it is reached, and where it says what it has to say."""

    host: str
    token: str
    log: Path

    def get(self, path: str) -> HTTPConnection:
        """Ask for something, with the token as programs send it."""
        connection = HTTPConnection(self.host, timeout=PATIENCE_S)
        connection.request("GET", path, headers={"authorization": f"Bearer {self.token}"})
        return connection

    def text(self, path: str) -> str:
        """Return an answer."""
        return self.get(path).getresponse().read().decode()

    def listen(self, path: str) -> "Queue[tuple[float, str]]":
        """Return what is told of a page, with the times."""
        heard = Queue[tuple[float, str]]()

        def read() -> None:
            answer = self.get(path).getresponse()
            while line := answer.readline():
                if line.startswith(b"data: "):
                    heard.put((time.monotonic(), json.loads(line[6:])))

        threading.Thread(target=read, daemon=True).start()
        return heard


@contextmanager
def serving(*words: str, log: Path) -> Iterator[Server]:
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "penstock", "serve", *words],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        assert process.stdout
        url = urlsplit(process.stdout.readline().split()[1])
        yield Server(url.netloc, url.query.partition("=")[2], log)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
        assert process.stdout
        process.stdout.close()


def wait_for(heard: "Queue[tuple[float, str]]", text: str) -> float:
    """Return when a page was told that has the text."""
    while True:
        at, page = heard.get(timeout=PATIENCE_S)
        if re.search(text, page):
            return at


def test_open_pages_learn_what_is_new_and_the_token_is_in_no_log(record: Record, tmp_path: Path) -> None:
    me, log = this_process(), tmp_path / "log"
    with serving(str(record.root), log=log) as server:
        assert "all addresses" not in server.text("/c/winter/")
        pages = [server.listen("/c/winter/events/") for _ in range(5)]
        other = server.listen("/c/winter/events/problems")
        for page in pages:
            wait_for(page, "stopped since")
        began = time.monotonic()
        record.insert("problem", source="scan", subject="new.txt", why="came while people looked", at=1.0)
        seen = [wait_for(page, r'class="badge">6<') for page in pages]
        assert max(seen) - began < 10  # 2 s where nobody else works; bench.serving measures it
        wait_for(other, "came while people looked")
        sleeper = subprocess.Popen(["sleep", "60"])
        stat = Path(f"/proc/{sleeper.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        record.db.execute(
            "UPDATE lease SET host = ?, boot = ?, pid = ?, start = ?, space = ?, command = 'up', since = ?, expires = ?",
            (me.host, me.boot, sleeper.pid, stat[19], me.space, time.time(), time.time() + 1000),
        )
        wait_for(pages[0], "penstock up` has been running")
        os.kill(sleeper.pid, signal.SIGKILL)
        sleeper.wait()
        wait_for(pages[0], "stopped since")  # nothing was written, and yet it is told
        record.ledger.close()
        (record.root / ".penstock/ledger.sqlite").rename(record.root / "away")
        wait_for(pages[0], "there is no record|nothing has been run")
        (record.root / "away").rename(record.root / ".penstock/ledger.sqlite")
        wait_for(pages[0], "stopped since")
        server.text("/?token=wrong")
        server.text(f"/c/winter/?token={server.token}")
    assert server.token not in log.read_text()


def test_who_comes_later_hears_nothing_older_than_what_was_just_loaded(shown: Shown, record: Record) -> None:
    drawn = list[str]()

    def draw(keys: Sequence[Key]) -> list[str]:
        drawn.append(f"drawing {len(drawn)}")
        return [drawn[-1]] * len(keys)

    async def told(stream: AsyncIterator[bytes]) -> str:
        async for data in stream:
            if data.startswith(b"event: page"):
                return json.loads(data.partition(b"data: ")[2])
        raise AssertionError("the stream has ended")

    async def look() -> list[str]:
        watch, key = Watch({"winter": shown}, draw), ("winter", "", "")
        first, second, third = (watch.events(key) for _ in range(3))
        heard = [await told(first), await told(second)]
        watch.rests_until = time.monotonic() + 3  # as after a drawing that took long
        record.insert("problem", source="scan", subject="new.txt", why="came meanwhile", at=1.0)
        heard.append(await told(third))
        for stream in (first, second, third):
            await stream.aclose()
        return heard

    assert asyncio.run(look()) == ["drawing 0", "drawing 0", "drawing 1"]


def test_others_reach_it_by_tls_or_a_stated_proxy_only() -> None:
    with pytest.raises(DefinitionError, match="can be reached by others"):
        Listening("0.0.0.0")
    with pytest.raises(DefinitionError, match="belong together"):
        Listening(tls_cert=Path("cert.pem"))
    for wrong in (
        "lab.example.org",
        "https://lab.example.org/a?b",
        "https://me@lab",
        "https://lab.example.org//a",
    ):
        with pytest.raises(DefinitionError, match="no address of a proxy"):
            Listening("0.0.0.0", proxy=wrong)
    for ours in ("c", "api/", "static/penstock", "metrics"):
        with pytest.raises(DefinitionError, match="another name"):
            Listening(proxy=f"https://lab.example.org/{ours}")
    below = Listening(proxy="https://lab.example.org/status/penstock/")
    assert (below.root, below.names(8765)) == ("/status/penstock", ["lab.example.org"])
    lab = Listening("0.0.0.0", proxy="https://lab.example.org")
    assert (lab.scheme, lab.names(8765), lab.address(1)) == (
        "https",
        ["lab.example.org"],
        "https://lab.example.org",
    )
    own = Listening("lab1", tls_cert=Path("c"), tls_key=Path("k"))
    assert own.names(443) == ["lab1"]
    assert own.address(8443) == "https://lab1:8443"
    every = Listening("0.0.0.0", tls_cert=Path("c"), tls_key=Path("k"))
    assert every.address(8443) == f"https://{socket.gethostname().lower()}:8443"
    assert Listening().address(81) == "http://127.0.0.1:81"
    assert Listening("127.0.0.2").address(81) == "http://127.0.0.2:81"


def test_a_token_in_a_file_stays_and_is_told_to_nobody(record: Record, tmp_path: Path) -> None:
    file, log = tmp_path / "token", tmp_path / "log"
    told = list[str]()
    for _ in range(2):
        with serving(str(record.root), "--token-file", str(file), log=log) as server:
            told.append(server.token)
            token = file.read_text().strip()
            assert server._replace(token=token).get("/c/winter/").getresponse().status == 200
            assert file.stat().st_mode & 0o777 == 0o600
    assert told == ["TOKEN", "TOKEN"]  # which says where it belongs
    assert file.read_text().strip() == token
    assert [path.name for path in tmp_path.iterdir() if "token" in path.name] == ["token"]
    assert token not in log.read_text()


def test_a_token_that_others_may_know_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    token = token_of(file)
    file.chmod(0o640)
    with pytest.raises(DefinitionError, match="is open to others: `chmod 600` it"):
        token_of(file)
    file.chmod(0o600)
    assert token_of(file) == token
    file.write_text("short")
    with pytest.raises(DefinitionError, match="has no token"):
        token_of(file)
    with pytest.raises(DefinitionError, match=r"cannot be written \(Not a directory\)"):
        token_of(file / "token")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(DefinitionError, match="cannot be read"):
        token_of(tmp_path / "link")
    assert token_of(None) != token_of(None)


def test_a_port_that_is_taken_is_told() -> None:
    with listen(Listening()) as door:
        taken = Listening(port=door.getsockname()[1])
        with pytest.raises(DefinitionError, match="choose another --port"):
            listen(taken)


def test_the_extra_is_named_when_it_is_missing(record: Record) -> None:
    hidden = "import sys; sys.modules['uvicorn'] = None; from penstock.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", hidden, "serve", str(record.root)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"uvicorn is not installed: {how_to_install('penstock', 'web')}\n" in done.stderr


def test_an_action_that_nobody_knows_is_refused(record: Record) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "serve", str(record.root), "--allow", "retry,remove"], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "'remove' cannot be allowed" in done.stderr

"""Whoever comes from another manager finds on the page what both do."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.sides import PAGES, PEERS, check_sides, need_peer
from tests.until import until


def test_both_sides_of_private_make_the_same(tmp_path: Path) -> None:
    check_sides("private", tmp_path)


@pytest.mark.slow
def test_both_sides_of_snakemake_make_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_peer("snakemake", monkeypatch)
    check_sides("snakemake", tmp_path)


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The workers of gwf, at a port that is free here, started as its page says."""
    need_peer("gwf", monkeypatch)
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
    folder = tmp_path / "before"
    folder.mkdir()
    (folder / ".gwfconf.json").write_text(json.dumps({"local.port": port, "check_updates": False}))
    [line] = re.findall(r"^gwf workers .*", (PAGES / "gwf.md").read_text("utf-8"), re.MULTILINE)
    with (tmp_path / "workers").open("w") as said:
        command = [PEERS / "gwf", *line.split()[1:]]
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said, start_new_session=True)
    try:
        until(lambda: "listening" in (tmp_path / "workers").read_text(), "workers of gwf listen", 30)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
@pytest.mark.usefixtures("workers")
def test_both_sides_of_gwf_make_the_same(tmp_path: Path) -> None:
    check_sides("gwf", tmp_path)


def test_each_page_is_linked_and_tried() -> None:
    index = (PAGES / "index.md").read_text("utf-8")
    assert set(re.findall(r"\]\((\w+)\.md\)", index)) == {"sbatch", "snakemake", "gwf", "private"}
    assert {path.stem for path in PAGES.glob("*.md")} == {"index", "sbatch", "snakemake", "gwf", "private"}

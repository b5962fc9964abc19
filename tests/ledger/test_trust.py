"""The campaign's own folder is its owner's alone (nobody else may change the record or the jobs)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from penstock.errors import LedgerError
from penstock.ledger import FOLDER, Ledger


def test_the_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    Ledger.open(tmp_path, create=True).close()
    assert stat.S_IMODE((tmp_path / FOLDER).stat().st_mode) == 0o700


def test_a_folder_that_others_can_write_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER).chmod(0o777)
    with pytest.raises(LedgerError, match="chmod 700"):
        Ledger.open(tmp_path, create=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(mode=0o700)
    os.chown(tmp_path / FOLDER, 12345, 12345)
    with pytest.raises(LedgerError, match="belongs to another user"):
        Ledger.open(tmp_path, create=True)

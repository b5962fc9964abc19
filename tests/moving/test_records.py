"""What the record knows of moves can be made anew from what jobs left."""

import shutil
from pathlib import Path

from tests.moving.conftest import NIGHT, Moving, tree, without_record

from penstock.conductor import Conductor
from penstock.conductor.rebuilding import compare_with_archives, rebuild
from penstock.config import load
from penstock.testing.campaigns import MadeCampaign


def test_archives_know_where_products_are_that_were_moved_made_again_and_moved_again(closed: Moving) -> None:
    closed.ask("reopen")
    closed.made.write(f"data/{NIGHT}/a.txt", "another")
    assert closed.run(stale=True).code == 0
    assert compare_with_archives(load(closed.root)) == []
    closed.ask("close")
    assert closed.run().code == 0
    before, moves = closed.paths(), closed.rows("SELECT path, declared FROM moved")
    without_record(closed.root)
    rebuild(load(closed.root))
    assert closed.paths() == before
    assert closed.rows("SELECT path, declared FROM moved") == moves


def test_a_new_conductor_each_turn_moves_as_one_does(closed: Moving, made: Path, tmp_path: Path) -> None:
    root = shutil.copytree(made, tmp_path / "turns", symlinks=True)
    turns, is_done = 0, False
    while not is_done:
        turns += 1
        assert turns < 300
        with Conductor(load(root), command="run") as conductor:
            conductor.turn()
            conductor.wait(conductor.clock.monotonic() + 1.0)
            is_done = conductor.is_done()
    assert turns > 5
    made_so = Moving(MadeCampaign(root))
    assert made_so.paths() == closed.paths()
    assert tree(root / "final") == tree(closed.root / "final")

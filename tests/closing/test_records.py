"""What is closed stays closed in a record that was made anew."""

from tests.closing.conftest import NIGHT, Nights

from penstock.conductor.rebuilding import compare_with_archives, rebuild
from penstock.config import load
from penstock.ledger import Ledger


def states(nights: Nights, stage: str) -> dict[str, str]:
    return nights.made.states(stage)


def lose_record(nights: Nights) -> None:
    for path in (nights.root / ".penstock").glob("ledger.sqlite*"):
        path.unlink()
    rebuild(load(nights.root))


def test_a_closed_group_is_closed_in_a_rebuilt_record(nights: Nights) -> None:
    nights.run()
    before = nights.files()
    lose_record(nights)
    nights.made.write(f"data/{NIGHT}/d.txt", "d")
    assert nights.run().code == 0
    assert states(nights, "copy")[f'["{NIGHT}","d"]'] == "blocked"
    assert set(states(nights, "close.night.seal").values()) == {"done"}
    assert nights.files() == before


def test_a_group_that_was_opened_is_open_in_a_rebuilt_record(nights: Nights) -> None:
    nights.run()
    nights.ask("reopen", why="a test")
    lose_record(nights)
    nights.made.write(f"data/{NIGHT}/d.txt", "d")
    nights.run()
    assert states(nights, "copy")[f'["{NIGHT}","d"]'] == "done"
    assert states(nights, "close.night.seal")[f'["{NIGHT}"]'] == "waiting"
    nights.ask("close")
    nights.run()
    with Ledger.open(nights.root, readonly=True) as ledger:
        sql = "SELECT what FROM history WHERE what IN ('close', 'closed', 'reopened') AND unit = ? ORDER BY n"
        told = [row[0] for row in ledger.db.execute(sql, (nights.unit(f'["{NIGHT}"]'),))]
    assert told == ["reopened", "close", "closed"]
    assert nights.seal()["seal"] == 2


def test_a_group_that_was_closed_again_is_closed_in_a_rebuilt_record(nights: Nights) -> None:
    nights.run()
    nights.ask("reopen", why="a test")
    nights.made.write(f"data/{NIGHT}/d.txt", "d")
    nights.ask("close")
    assert nights.run().code == 0
    before = nights.files()
    assert compare_with_archives(load(nights.root)) == []
    lose_record(nights)
    assert set(states(nights, "close.night.seal").values()) == {"done"}
    assert nights.run().code == 0
    assert nights.files() == before
    nights.ask("reopen")
    nights.ask("close")
    nights.run()
    assert set(states(nights, "close.night.seal").values()) == {"done"}

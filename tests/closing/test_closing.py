"""What the steps of a closing do with real files."""

import json
import subprocess

import pytest
from tests.closing.conftest import NIGHT, Nights

from penstock.closing.checking import check, keep_seal
from penstock.closing.seals import Fault
from penstock.errors import DefinitionError
from penstock.explain import explain, find_units
from penstock.ledger import Ledger


def test_a_seal_has_what_the_group_consists_of(nights: Nights) -> None:
    assert nights.run().code == 0
    seal, files = nights.seal(), nights.files()
    assert (seal["level"], seal["group"], seal["seal"], seal["previous"]) == ("night", NIGHT, 1, None)
    assert seal["stages"]["copy"]["tasks"] == {"done": 3}
    assert [one["path"] for one in seal["products"]] == [f"sums/{NIGHT}.txt"]
    assert seal["folders"] == [f"parts/{NIGHT}/{name}" for name in "abc"]
    assert seal["files"]["count"] == files[f"{NIGHT}.sha256"].count(b"\n") == 3 + 6 + 1
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", f"seals/night/{NIGHT}.sha256"], cwd=nights.root, check=False
    )
    assert checked.returncode == 0


def test_what_never_was_done_is_left_out_by_name(nights: Nights) -> None:
    nights.made.write(f"data/{NIGHT}/z.txt", "z")
    (nights.root / "copies").mkdir()
    (nights.root / f"copies/{NIGHT}").mkdir()
    (nights.root / f"copies/{NIGHT}/z.txt").write_text("of somebody else")  # so that this task cannot begin
    assert nights.run().code == 1
    nights.ask("veto", f'["{NIGHT}","z"]', why="clouds")
    assert nights.run().code == 0
    left = {"unit": f"{NIGHT}/z", "state": "vetoed", "by": "me@here", "why": "clouds"}
    assert nights.seal()["left_out"] == [{**left, "stage": "copy"}, {**left, "stage": "split"}]


def test_the_next_seal_names_the_one_before_which_is_kept(nights: Nights) -> None:
    nights.run()
    before = nights.files()
    unit = nights.unit(f'["{NIGHT}"]')
    assert keep_seal(nights.root, unit) == nights.root / f"seals/night/{NIGHT}.1.json"
    nights.ask("reopen")
    nights.made.write(f"data/{NIGHT}/d.txt", "d")
    nights.run()
    nights.ask("close")
    nights.run()
    after = nights.files()
    assert after[f"{NIGHT}.1.json"] == before[f"{NIGHT}.json"]
    assert after[f"{NIGHT}.1.sha256"] == before[f"{NIGHT}.sha256"]
    assert (nights.seal()["seal"], nights.seal()["stages"]["copy"]["tasks"]) == (2, {"done": 4})
    with Ledger.open(nights.root, readonly=True) as ledger:
        kept = ledger.db.execute("SELECT old FROM history WHERE what = 'reopened'").fetchone()[0]
    assert nights.seal()["previous"] == kept


def test_a_product_that_differs_stops_the_closing_and_is_named(nights: Nights) -> None:
    text = (nights.root / "penstock.toml").read_text()
    (nights.root / "penstock.toml").write_text(text.split("[close.night]")[0])
    nights.run()
    path = nights.root / f"copies/{NIGHT}/b.txt"
    path.write_bytes(b"18b")
    (nights.root / "penstock.toml").write_text(text)
    assert nights.run().code == 1
    with Ledger.open(nights.root, readonly=True) as ledger:
        sql = "SELECT t.why FROM task t JOIN stage s ON s.id = t.stage WHERE s.name = 'close.night.verify' AND t.state = 'failed'"
        whys = [row[0] for row in ledger.db.execute(sql)]
    assert len(whys) == 1
    assert f"the bytes of product copies/{NIGHT}/b.txt differ from what was made" in whys[0]
    assert sorted(nights.files()) == ["2020-01-18.json", "2020-01-18.sha256"]


def test_a_closed_group_is_read_again_and_each_fault_is_named(nights: Nights) -> None:
    nights.run()
    with Ledger.open(nights.root, readonly=True) as ledger:
        unit = nights.unit(f'["{NIGHT}"]')
        assert check(ledger, unit).faults == []
        (nights.root / f"parts/{NIGHT}/a/two").write_text("17A")
        (nights.root / f"copies/{NIGHT}/c.txt").unlink()
        found = check(ledger, unit).faults
    assert found == [Fault("missing", f"copies/{NIGHT}/c.txt"), Fault("differs", f"parts/{NIGHT}/a/two")]


def test_a_group_that_is_open_has_no_seal(nights: Nights) -> None:
    nights.run()
    unit = nights.unit(f'["{NIGHT}","a"]')
    with (
        Ledger.open(nights.root, readonly=True) as ledger,
        pytest.raises(DefinitionError, match="has no seal"),
    ):
        check(ledger, unit)


def test_provenance_is_a_step_and_no_part_of_the_seal(nights: Nights) -> None:
    text = (nights.root / "penstock.toml").read_text()
    (nights.root / "penstock.toml").write_text(
        text.replace('{ merge = "sum" }, ', '{ merge = "sum" }, "provenance", ')
    )
    assert nights.run().code == 0
    document = json.loads((nights.root / f"provenance/night/{NIGHT}.json").read_bytes())
    assert f"sums/{NIGHT}.txt" in str(document["entity"])
    assert "close.night" not in str(document["activity"])
    assert f"provenance/night/{NIGHT}.json" not in nights.files()[f"{NIGHT}.sha256"].decode()


def test_what_is_stale_in_a_closed_group_is_redone_when_that_is_open_again(nights):
    nights.run()
    text = (nights.root / "penstock.toml").read_text()
    (nights.root / "penstock.toml").write_text(text.replace('["cp", "{path}"', '["cp", "-p", "{path}"'))
    told = "\n".join(nights.run().lines)
    assert (
        "6 stale tasks of closed groups: `penstock run --stale` redoes them, after `penstock reopen GROUP`"
        in told
    )
    with Ledger.open(nights.root, readonly=True) as ledger:
        [unit] = find_units(ledger, f"{NIGHT}/a")
        assert "its group is closed: penstock reopen GROUP, then" in str([*explain(ledger, unit, "copy")])
    nights.ask("reopen")
    told = "\n".join(nights.run().lines)
    assert "3 stale tasks: `penstock run --stale` redoes them\n" in f"{told}\n"
    assert "3 stale tasks of closed groups: `penstock run" in told

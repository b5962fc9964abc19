"""How many groups are closed is in the status, its JSON and the metrics."""

from pathlib import Path

from penstock.ledger import Ledger
from penstock.ledger.requests import ask
from penstock.status import Status
from penstock.status.metrics import render_metrics
from penstock.testing import make_campaign

TOML = """
    [campaign]
    name = "nights"
    levels = ["night", "file"]
    [units]
    files = "data/{night}/{file}.txt"
    [stage.copy]
    each = "file"
    command = ["cp", "{path}", "{product}"]
    products = "copies/{night}/{file}.txt"
    [close.night]
    """


def test_groups_are_counted_as_closed_open_and_reopened(tmp_path: Path) -> None:
    made = make_campaign(tmp_path, TOML, {f"data/n{number}/a.txt": "a" for number in (1, 2, 3)})
    made.run()
    made.write("data/n1/late.txt")
    made.run()
    with Ledger.open(tmp_path, readonly=True) as ledger:
        status = Status.read(ledger)
        unit = ledger.db.execute("""SELECT id FROM unit WHERE key = '["n2"]'""").fetchone()[0]
    assert status.to_json()["closings"] == [{"level": "night", "closed": 3, "open": 0, "reopened": 0}]
    assert status.to_json()["came_late"] == 1
    assert "night: 3 closed, 0 open" in status.to_text()
    assert "! 1 task of closed groups came late: penstock units --state blocked" in status.to_text()
    ask(tmp_path, "reopen", {"unit": unit, "why": "a test"}, "me@here")
    with Ledger.open(tmp_path, readonly=True) as ledger:
        assert "night: 2 closed, 1 open (1 reopened)" in Status.read(ledger).to_text()
        metrics = render_metrics(ledger, 0.0)
    assert 'penstock_groups{campaign="nights",level="night",state="closed"} 2' in metrics
    assert 'penstock_groups{campaign="nights",level="night",state="reopened"} 1' in metrics


def test_a_campaign_without_closings_tells_of_none(tmp_path: Path) -> None:
    made = make_campaign(tmp_path, TOML.split("[close.night]")[0], {"data/n1/a.txt": "a"})
    made.run()
    with Ledger.open(tmp_path, readonly=True) as ledger:
        assert Status.read(ledger).to_json()["closings"] == []
        assert "closed" not in Status.read(ledger).to_text()

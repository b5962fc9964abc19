"""Redoing what is stale keeps the order of the stages."""

from pathlib import Path

from penstock.conductor import Conductor
from penstock.config import load

DEFINITION = """
[campaign]
name = "chain"
levels = ["file"]

[units]
files = "raw/{file}.txt"
settle = "0s"

[stage.copy]
each = "file"
command = ["sh", "-c", "sleep 0.05; cp $0 $1", "{path}", "{product}"]
products = "copy/{file}.txt"
version = "1"

[stage.sorted]
each = "file"
after = ["copy"]
command = ["sort", "-o", "{product}", "{inputs.copy}"]
products = "sorted/{file}.txt"
"""


def test_a_reader_of_what_is_made_again_waits_until_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    for number in range(8):
        (tmp_path / f"raw/{number}.txt").write_text("b\na\n")
    for version in ("1", "2"):
        (tmp_path / "penstock.toml").write_text(DEFINITION.replace('version = "1"', f'version = "{version}"'))
        with Conductor(load(tmp_path), command="run") as conductor:
            ending = conductor.run(stale=True)
            attempts = conductor.ledger.db.execute(
                "SELECT s.name, count(*) FROM attempt a JOIN stage s ON s.id = a.stage GROUP BY 1"
            ).fetchall()
        assert ending.code == 0
        made = {row[0]: row[1] for row in attempts}
        assert made == {"copy": 8 * int(version), "sorted": 8}, "equal copies need no second sorting"

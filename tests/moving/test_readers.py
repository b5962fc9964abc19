"""Files keep their old names until nobody reads them there any more."""

import sys
from pathlib import Path

from tests.moving.conftest import FILES, MOVING, NIGHT, Moving

from penstock.testing.campaigns import make_campaign

SLOW = f"""
[stage.slow]
each = "campaign"
after = ["copy", "split"]
command = ["{sys.executable}", "slow.py", "{{inputs_file.copy}}", "{{product}}"]
products = "slow.txt"
retry = {{ error = 0 }}
"""
SCRIPT = """
import sqlite3, sys, time
db = sqlite3.connect("file:.penstock/ledger.sqlite?mode=ro", uri=True)
sql = ("SELECT t.state, t.why FROM task t JOIN stage s ON s.id = t.stage WHERE s.name = 'close.night.clear-final'"
       " AND (t.state NOT IN ('waiting', 'blocked') OR t.why LIKE '%still read%')")
while len(seen := db.execute(sql).fetchall()) < 1:
    time.sleep(0.05)
with open(sys.argv[2], "w") as file:
    file.write(str(sorted(seen)) + "".join(open(name.strip()).read() for name in open(sys.argv[1])))
"""


def test_who_began_before_ends_before_the_old_names_go(tmp_path: Path) -> None:
    toml = MOVING.replace("[close.night]", f"{SLOW}[close.night]") + "[site.local]\ncores = 8\n"
    files = {name: text for name, text in FILES.items() if NIGHT in name}
    moving = Moving(make_campaign(tmp_path / "nights", toml, {**files, "slow.py": SCRIPT}))
    assert moving.run().code == 0
    told = (moving.root / "slow.txt").read_text()
    why = "its files are still read where they were, by 1 task of 'slow'"
    assert told == str([("waiting", why)]) + "17a17b17c"
    assert [state for state, _ in moving.states("clear").values()] == ["done"]
    assert not (moving.root / f"copies/{NIGHT}/a.txt").exists()

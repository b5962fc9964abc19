import json

import pytest

from penstock.ledger import Ledger


def test_a_sound_record_agrees_with_itself(penstock, ran):
    shown = penstock("ledger", "check", "-C", ran)
    assert (shown.exit_code, shown.output) == (0, "the ledger is consistent\n")


def test_a_wrong_count_is_told_and_ends_with_1(penstock, ran):
    with Ledger.open(ran) as ledger:
        ledger.db.execute("UPDATE tally SET n = 7 WHERE state = 'done'")
    shown = penstock("ledger", "check", "--json", "-C", ran)
    assert shown.exit_code == 1
    assert "7 tasks are counted as done" in json.loads(shown.stdout)["wrong"][0]


def test_a_backup_is_made_and_brought_back(penstock, ran):
    made = penstock("ledger", "backup", ran / "backup", "-C", ran)
    assert (made.exit_code, (ran / "backup").exists()) == (0, True)
    assert penstock("ledger", "restore", ran / "backup", "-C", ran).exit_code == 0
    assert penstock("ledger", "check", "-C", ran).exit_code == 0


@pytest.mark.parametrize(
    "command", [["status"], ["ledger", "check"], ["units"], ["jobs"], ["run"], ["why", "b"]]
)
def test_a_damaged_record_is_one_sentence_with_the_remedy(penstock, ran, command):
    file = ran / ".penstock/ledger.sqlite"
    data = bytearray(file.read_bytes())
    for page in range(4096, len(data), 4096):  # all but the first one, which has the schema
        data[page : page + 64] = b"\xa5" * 64
    file.write_bytes(data)
    shown = penstock(*command, "-C", ran)
    assert shown.exit_code == 1
    assert "penstock ledger restore" in shown.output + shown.stderr
    assert "fault of penstock" not in shown.stderr

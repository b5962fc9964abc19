import json

from penstock.ledger import Ledger


def test_a_sound_record_agrees_with_itself(penstock, ran):
    shown = penstock("ledger", "check", "-C", ran)
    assert (shown.exit_code, shown.output) == (0, "the ledger agrees with itself\n")


def test_a_wrong_count_is_told_and_ends_with_1(penstock, ran):
    with Ledger.open(ran) as ledger:
        ledger.db.execute("UPDATE tally SET n = 7 WHERE state = 'done'")
    shown = penstock("ledger", "check", "--json", "-C", ran)
    assert shown.exit_code == 1
    assert "7 tasks are counted as done" in json.loads(shown.stdout)["wrong"][0]

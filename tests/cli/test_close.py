"""`penstock close` and `penstock reopen`."""

import json

import pytest

CLOSING = """
[close.campaign]
steps = ["verify", "seal"]
"""


@pytest.fixture
def closed(penstock, ran):
    """A campaign of two good files and a vetoed one that is closed."""
    (ran / "penstock.toml").write_text((ran / "penstock.toml").read_text() + CLOSING)
    penstock("veto", "c", "--why", "clouds", "-C", ran)
    assert penstock("run", "-C", ran).exit_code == 0
    return ran


def test_a_closed_group_is_verified_and_a_changed_byte_ends_with_1(penstock, closed):
    shown = penstock("close", "--verify", "campaign", "-C", closed)
    assert (shown.exit_code, shown.output) == (0, "campaign: all files are as sealed\n")
    (closed / "merged.txt").write_text("goodgooD")
    shown = penstock("close", "--verify", "/", "-C", closed)
    assert (shown.exit_code, shown.output) == (1, "campaign: 1 file not as sealed\n  differs merged.txt\n")
    told = json.loads(penstock("close", "--verify", "campaign", "--json", "-C", closed).stdout)
    assert told[0]["faults"] == [{"kind": "differs", "path": "merged.txt"}]


def test_it_says_what_it_will_do_and_asks(penstock, closed):
    assert penstock("reopen", "campaign", "-C", closed).exit_code == 2  # without a reason
    opened = penstock("reopen", "campaign", "--why", "c is here", "-C", closed)
    assert "is open; its seal 1 is kept" in opened.output
    asked = penstock("close", "campaign", "-C", closed, typed="n\n")
    assert (asked.exit_code, "will be closed: verify, seal\ngo on?" in asked.output) == (1, True)
    assert (
        "reopened by" in penstock("why", "campaign", "--stage", "close.campaign.verify", "-C", closed).output
    )
    done = penstock("close", "campaign", "--yes", "--why", "all there", "-C", closed)
    assert "nobody works on the campaign: `penstock run` does it" in done.output
    assert penstock("run", "-C", closed).exit_code == 0
    told = penstock("history", "campaign", "-C", closed).output
    assert [word in told for word in ("reopened", "c is here", "to be closed", "all there")] == [True] * 4
    assert sorted(path.name for path in (closed / "seals").iterdir()) == [
        "campaign.1.json", "campaign.1.sha256", "campaign.json", "campaign.sha256",
    ]  # fmt: skip


def test_closing_what_is_closed_says_how_to_open_it(penstock, closed):
    shown = penstock("close", "campaign", "--yes", "-C", closed)
    assert shown.output == "nothing done: the campaign is closed; `penstock reopen campaign` opens it\n"

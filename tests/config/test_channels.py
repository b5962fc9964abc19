"""Channels that tell people: what is read, what is kept of it, and what is refused with which words."""

from pathlib import Path

import pytest

from penstock.campaign import Campaign
from penstock.channels import Channel, Command, Mail, Secret, Webhook
from penstock.config import from_json, load, to_json
from penstock.errors import DefinitionError

HEAD = """
campaign = { name = "winter", levels = ["file"] }
units = { files = "{file}.txt" }
[stage.a]
each = "file"
command = ["true"]
"""
MAIL = '[notify.m]\nto = "a@lab.example"\nfrom = "p@lab.example"\nserver = "smtp"\n'


def read(folder: Path, text: str) -> Campaign:
    (folder / "penstock.toml").write_text(HEAD + text)
    return load(folder)


@pytest.mark.parametrize(
    ("text", "channel"),
    [
        (
            MAIL,
            Channel(
                "m",
                Mail(("a@lab.example",), "p@lab.example", "smtp", 587),
                on=("failure", "recovery", "deadline"),
            ),
        ),
        (
            MAIL
            + 'security = "tls"\nuser = "u"\npassword = { command = ["pass", "x"] }\non = []\ndigest = "07:05"',
            Channel(
                "m",
                Mail(
                    ("a@lab.example",),
                    "p@lab.example",
                    "smtp",
                    465,
                    "tls",
                    "u",
                    Secret(command=("pass", "x")),
                ),
                on=("digest",),
                digest="07:05",
            ),
        ),
        (
            '[notify.c]\nurl = "https://chat.example/x"\non = "failure"\nevery = "5min"',
            Channel("c", Webhook("https://chat.example/x"), ("failure",), 300.0),
        ),
        (
            '[notify.c]\nsecret_url = { variable = "HOOK" }\non = "deadline"',
            Channel("c", Webhook(Secret(variable="HOOK")), ("deadline",)),
        ),
        (
            '[notify.p]\ncommand = ["page", "-u"]\non = "failure"',
            Channel("p", Command(("page", "-u")), ("failure",)),
        ),
    ],
)
def test_a_channel_is_read_and_kept(tmp_path: Path, text: str, channel: Channel) -> None:
    campaign = read(tmp_path, text)
    assert campaign.notify == {channel.name: channel}
    assert from_json(to_json(campaign)) == campaign


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[notify.m]\non = []", "a channel needs one of `to`, `url`, `secret_url` and `command`"),
        (MAIL + 'url = "https://x.example"', "a channel needs one of"),
        (MAIL.replace("a@lab.example", "a@lab.example\\nBcc: e@evil.example"), "is not an address such as"),
        (MAIL.replace('from = "p@lab.example"\n', ""), "mails need `from` and `server` beside `to`"),
        (MAIL + 'password = "hunter2"', "a secret is never written here: say where it is"),
        (MAIL + 'user = "u"', "`user` and `password` go together"),
        (
            MAIL + 'user = "u"\npassword = { file = "x" }\nsecurity = "none"',
            "sent over a secure connection only",
        ),
        (MAIL + 'user = "u"\npassword = { file = "x", variable = "Y" }', "a secret needs one of"),
        (MAIL.replace('"smtp"', '"smtp:x"'), "'smtp:x' is not a server"),
        (MAIL + 'digest = "7"', "'7' is not an hour of the day such as"),
        ('[notify.c]\nurl = "http://chat.example/T0P"', "a URL must begin with https://"),
        ('[notify.c]\nurl = "http://localhost:x@evil.example/"', "a URL must begin with https://"),
        ('[notify.c]\nurl = "file:///etc/passwd"', "a URL must begin with https://"),
        ('[notify.c]\ncommand = ["x"]\nuser = "u"', "`from`, `server`, `user` and `password` go with `to`"),
        (
            '[notify.c]\ncommand = ["x"]\non = "failures"',
            "must be one of 'failure', 'recovery' or 'deadline'",
        ),
    ],
)
def test_a_channel_that_cannot_work_or_would_tell_a_secret_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(DefinitionError) as refused:
        read(tmp_path, text)
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "T0P" not in str(refused.value)
    assert refused.value.line


def test_a_heartbeat_in_the_clear_is_refused(tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text(
        HEAD.replace('["file"] }', '["file"], heartbeat = "http://x.example" }')
    )
    with pytest.raises(DefinitionError, match="a URL must begin with https://"):
        load(tmp_path)


def test_who_is_told_makes_nothing_stale(tmp_path: Path) -> None:
    before = to_json(read(tmp_path, ""))["digest"]
    assert to_json(read(tmp_path, MAIL))["digest"] == before

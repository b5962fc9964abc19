"""What `ssh` says, and what a person is told. The words are recorded from OpenSSH 7.4 to 9.2."""

import pytest

from penstock.errors import AuthNeeded, SiteError, Unreachable
from penstock.transports.ssh.failures import explain_login, explain_silence, needs_login

CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
The fingerprint for the ED25519 key sent by the remote host is
SHA256:uNiVztksCsDhcc0u9e8BrzZ0k4BfQ0xVQ0d7P4nM1wY.
Please contact your system administrator.
Add correct host key in /home/ann/.ssh/known_hosts to get rid of this message.
Offending ED25519 key in /home/ann/.ssh/known_hosts:7
Host key for coulson has changed and you have requested strict checking.
Host key verification failed.
"""
UNKNOWN = """\
No ED25519 host key is known for coulson.lab and you have requested strict checking.
Host key verification failed.
"""


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (CHANGED, AuthNeeded, "has changed to SHA256:uNiVztksCsDhcc0u9e8BrzZ0k4BfQ0xVQ0d7P4nM1wY: nobody may log in"),
        (CHANGED, AuthNeeded, "(/home/ann/.ssh/known_hosts, line 7)"),
        (UNKNOWN, AuthNeeded, "is not known here (SHA256:seen): compare it"),
        ("Host key verification failed.\n", AuthNeeded, "a host before coulson"),
        ("ann@coulson: Permission denied (publickey,password).\n", AuthNeeded, "(it takes publickey,password)"),
        ("Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\n", AuthNeeded, "refused the login"),
        ("ssh: Could not resolve hostname coulsn: Name or service not known\n", Unreachable, "its name is not known"),
        ("ssh: connect to host coulson port 22: Connection refused\n", Unreachable, "nothing answers at its port"),
        ("ssh: connect to host coulson port 22: Connection timed out\n", Unreachable, "it does not answer"),
        ("ssh: connect to host coulson port 22: No route to host\n", Unreachable, "no way to it"),
        ("kex_exchange_identification: Connection closed by remote host\n", Unreachable, "closed the connection"),
        ("/home/ann/.ssh/config: line 3: Bad configuration option: hots\n", Unreachable, "configuration of ssh is wrong"),
        ("something new\n", SiteError, "failed (something new): try it in a terminal"),
        ("", SiteError, "failed (without a word)"),
    ],
)  # fmt: skip
def test_each_failure_says_who_has_to_do_what(said, kind, words):
    told = explain_login(said, "coulson", "far", shown="SHA256:seen")
    assert type(told) is kind
    assert words in str(told)
    assert str(told).count("\n") == 0


def test_a_person_is_told_how_to_log_in_and_why_that_is_needed_again():
    assert str(needs_login("coulson", "far", "")) == (
        "site 'far' needs you: `penstock site login far` (there is no connection to coulson)"
    )
    assert "ended: Timeout, server coulson not responding.)" in str(
        needs_login("coulson", "far", "Timeout, server coulson not responding.\r\n\n")
    )


@pytest.mark.parametrize(
    ("code", "out", "err", "words"),
    [
        (127, "", "/bin/sh: 1: exec: python3: not found\n", "there is no `python3` on coulson (/bin/sh: 1: exec"),
        (0, "Welcome!\n", "", "start-up files of your shell on coulson end it before a command can run (Welcome!)"),
        (1, "", "This account is currently not available.\n", "(exit code 1, This account is currently not available.)"),
    ],
)  # fmt: skip
def test_a_shell_that_gives_no_answer_is_told_apart(code, out, err, words):
    assert words in str(explain_silence(code, out, err, host="coulson", python="python3"))

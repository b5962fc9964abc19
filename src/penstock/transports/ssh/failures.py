"""What `ssh` says when it fails, told apart by who has to act. Pure.

The words are those of OpenSSH since 7; they are not translated.
"""

from __future__ import annotations

import re

from penstock.errors import AuthNeeded, SiteError, Unreachable

#: of a session that the server does not open: `MaxSessions`, or a rule of its administrators
SESSION_REFUSED = "Session open refused by peer"

CHANGED = "REMOTE HOST IDENTIFICATION HAS CHANGED"
UNKNOWN = re.compile(r"No (?P<kind>\S+) host key is known for (?P<name>\S+)")
SHOWN = re.compile(r"(?:Server host key: \S+ |sent by the remote host is\s+)(SHA256:[\w+/=]+)")
OFFENDING = re.compile(r"Offending .*key in (\S+)")
DENIED = re.compile(r"Permission denied \(([^)]*)\)|Too many authentication failures")

#: words of a connection that was not made → what that means
UNREACHED = (
    (r"Could not resolve hostname (\S+): .*", "its name is not known here"),
    (r"connect to host .*: Connection refused", "nothing answers at its port"),
    (r"connect to host .*: (?:Connection|Operation) timed out", "it does not answer"),
    (r"connect to host .*: No route to host|Network is unreachable", "there is no way to it"),
    (r"Connection (?:closed|reset) by .*|kex_exchange_identification: .*", "it closed the connection"),
    (r"Timeout, server .* not responding|Broken pipe", "it does not answer any more"),
    (r"Bad configuration option: .*|.*line \d+: .*", "the configuration of ssh is wrong"),
)


def explain_login(said: str, host: str, site: str, *, shown: str = "") -> SiteError:
    """Return why nobody could be logged in; `shown` is the fingerprint of the host's key, if that was seen."""
    if CHANGED in said:
        return changed_key(said, host)
    if UNKNOWN.search(said):
        key = f" ({shown})" if shown else ""
        return AuthNeeded(
            f"the host key of {host} is not known here{key}: compare it with the one that its administrators publish,"
            f" accept it once with `ssh {host}`, then `penstock site login {site}`"
        )
    if "Host key verification failed" in said:
        return AuthNeeded(f"the host key of a host before {host} was refused: try `ssh {host}` to see which")
    if found := DENIED.search(said):
        ways = f" (it takes {found[1]})" if found[1] else ""
        return AuthNeeded(
            f"{host} refused the login{ways}: run `penstock site login {site}` in a terminal, where it can ask for a"
            " password or code, or make `ssh` work with a key"
        )
    for words, meaning in UNREACHED:
        if found := re.search(words, said):
            return Unreachable(f"{host} cannot be reached, {meaning} ({found[0].strip()})")
    return SiteError(f"`ssh {host}` failed ({last_line(said) or 'without a word'}): try it in a terminal")


def changed_key(said: str, host: str) -> AuthNeeded:
    """Return what to do about a host that shows another key than before."""
    shown, place = SHOWN.search(said), OFFENDING.search(said)
    return AuthNeeded(
        f"the host key of {host} has changed{f' to {shown[1]}' if shown else ''}: nobody may log in until its"
        " administrators have confirmed that; then remove the old key"
        + (f" ({place[1].replace(':', ', line ')})" if place else " from known_hosts")
    )


def shown_key(said: str) -> str:
    """Return the fingerprint of the key that a host showed, if `ssh -v` said so.

    >>> shown_key("debug1: Server host key: ssh-ed25519 SHA256:abc+/1")
    'SHA256:abc+/1'
    """
    found = SHOWN.findall(said)
    return found[-1] if found else ""


def needs_login(host: str, site: str, log: str) -> AuthNeeded:
    """Return that nobody is logged in; `log` is what the last connection said at its end."""
    ended = last_line(log)
    return AuthNeeded(
        f"site '{site}' needs you: `penstock site login {site}` (the connection to {host} ended: {ended})"
        if ended
        else f"site '{site}' needs you: `penstock site login {site}` (there is no connection to {host})"
    )


def explain_silence(code: int, out: str, err: str, *, host: str, python: str) -> SiteError:
    """Return why a login shell that began gave no answer."""
    words = last_line(err) or last_line(out)
    if code == 127 or re.search(r"not found|No such file", words):
        return SiteError(
            f"there is no `{python}` on {host} ({words}): name one of at least 3.6 as the site's `python`"
        )
    if code == 0:
        return SiteError(
            f"the start-up files of your shell on {host} end it before a command can run"
            f" ({words or 'without a word'}): let them do so only where `$PS1` is set"
        )
    return SiteError(f"{host} did not answer as it should (exit code {code}, {words or 'without a word'})")


def last_line(text: str) -> str:
    """Return the last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][-300:] if lines else ""

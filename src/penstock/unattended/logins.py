"""What can be known, without logging in, of whether sites are reached when nobody is there to log in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from penstock.campaign import Site
from penstock.unattended.starter import call


def login_warnings(sites: Iterable[Site]) -> Iterator[str]:
    """Yield what is to be done at each site after a reboot, when its connection is gone, a sentence each."""
    for site in sites:
        if site.host and site.transport != "local":
            why = why_not_alone(site.host) or "your key is enough"
            yield (
                f"after a reboot site '{site.name}' is reached once `penstock site login {site.name}` was run, and {why};"
                " until then its jobs go on there, and all else goes on here"
            )


def why_not_alone(host: str) -> str | None:
    """Return why nobody is let in at a host without a person; None: nothing is known against it."""
    settings = settings_for(host)
    if "no" in settings.get("pubkeyauthentication", ["yes"]):
        return f"{host} is not logged in to by a key, and a password or code is yours to type"
    keys = [path for name in settings.get("identityfile", ()) if (path := Path(name).expanduser()).is_file()]
    if not keys:
        return f"no file has a key for {host}, and there is no agent then"
    if all(has_passphrase(path) for path in keys):
        return f"the key {keys[0]} has a passphrase, and there is no agent then"
    return None


def settings_for(host: str) -> dict[str, list[str]]:
    """Return what the user's own configuration says of a host, by keyword; nobody is connected to (ssh(1), -G)."""
    found = dict[str, list[str]]()
    for line in call("ssh", "-G", "--", host)[1].decode(errors="replace").splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword.lower(), []).append(value)
    return found


def has_passphrase(key: Path) -> bool:
    """Whether a key cannot be read without a passphrase."""
    return call("ssh-keygen", "-y", "-P", "", "-f", str(key))[0] != 0

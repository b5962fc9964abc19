"""Ways to the place where jobs run: bytes and commands there and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from penstock.campaign import Site
from penstock.errors import DefinitionError

if TYPE_CHECKING:
    from penstock.transports.protocol import Transport

GROUP = "penstock.transports"

Open = Callable[[Site, Path], "Transport"]
"""Open the way to a site; the path is the folder of its jobs."""


def open_local(site: Site, folder: Path) -> Transport:
    """Return this machine, which sees the folder of the jobs and has the scheduler's commands."""
    from penstock.disk import make_private
    from penstock.transports.local import LocalTransport

    if site.workdir is not None:
        make_private(folder.parent)
    return LocalTransport(folder)


def open_ssh(site: Site, folder: Path) -> Transport:
    """Return the way to a host by the system's `ssh`; nothing is asked of it yet."""
    from penstock.transports.ssh import SshTransport

    return SshTransport(site, folder)


BUILT_IN: dict[str, Open] = {"local": open_local, "ssh": open_ssh}


def find_transport(name: str) -> Open:
    """Return what opens the transport that a site names: ours, or one that an installed package brings.

    Raises DefinitionError for a name that nobody brings.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    from importlib.metadata import entry_points

    points = {point.name: point for point in entry_points(group=GROUP)}
    if name in points:
        return cast("Open", points[name].load())
    from penstock.config.places import nearest  # it loads what reads definitions: for the error alone

    known = sorted({*BUILT_IN, *points})
    there = f"there is no transport {name!r}; there are {', '.join(known)}"
    raise DefinitionError("; ".join(dict.fromkeys((there, nearest(name, known)))))

"""What the record needs to know about a machine: its name, and which of its folders are on a local disk."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

MOUNTS = Path("/proc/self/mountinfo")

#: file system as the kernel calls it → what people call it; several hosts see these, each through its own cache
SHARED = {
    "nfs": "NFS",  # versions 2 and 3, locks by a separate daemon that may be off
    "nfs4": "NFS",
    "lustre": "Lustre",  # locks between hosts only with `-o flock`
    "gpfs": "GPFS",  # IBM Storage Scale
    "beegfs": "BeeGFS",  # locks between hosts only when switched on
    "beegfs_nodev": "BeeGFS",  # since BeeGFS 7.3, as `df` wants it
    "fhgfs": "BeeGFS",  # its name before 2014
    "ceph": "CephFS",
    "cifs": "SMB",
    "smb3": "SMB",
    "smbfs": "SMB",  # before Linux 2.6.37
    "ncpfs": "NetWare",  # before Linux 4.17
    "9p": "9P",  # folders that a virtual machine has from its host
    "virtiofs": "virtiofs",  # likewise
    "vboxsf": "a VirtualBox folder",
    "afs": "AFS",  # locks whole files only
    "coda": "Coda",
    "panfs": "PanFS",
    "wekafs": "WekaFS",
    "pvfs2": "OrangeFS",  # no locks at all
    "gfs2": "GFS2",  # a disk that several hosts mount; its locks hold, the memory maps of WAL do not
    "ocfs2": "OCFS2",  # likewise
    "mfs": "MooseFS",
    "quobyte": "Quobyte",
    "vastnfs": "NFS",
    "autofs": "an automounter",  # not mounted yet: what will be there is a network's
}

#: FUSE file systems on disks of this machine; every other one may be a network's
LOCAL_FUSE = frozenset(
    (
        "fuse.fuse-overlayfs",  # rootless containers
        "fuse.ntfs-3g",
        "fuse.exfat",
        "fuse.ext2",
        "fuse.zfs",
        "fuse.squashfuse",
    )
)


class Machine(NamedTuple):
    """A host: its name, the text of its mount table, and folders where it may keep a state, best first."""

    name: str
    mounts: str
    states: Sequence[Path]

    @classmethod
    def here(cls) -> Machine:
        """Return this host."""
        mounts = os.fsdecode(MOUNTS.read_bytes()) if MOUNTS.exists() else ""
        return cls(os.uname().nodename, mounts, state_folders(os.environ))

    def shared_by(self, folder: Path) -> str | None:
        """Return how a folder is shared with other hosts, e.g. `NFS`; None: it is on a disk of this machine."""
        return kind_of(file_system(folder, self.mounts))

    def state(self) -> Path | None:
        """Return the first state folder on a disk of this machine."""
        return next((folder for folder in self.states if not self.shared_by(folder)), None)


def state_folders(environment: Mapping[str, str]) -> Sequence[Path]:
    """Return where a user's state may be kept: the configured place, or the usual ones, the most permanent first."""
    if chosen := environment.get("PENSTOCK_STATE"):
        return [Path(chosen).absolute()]
    state = environment.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    temporary = [Path(f"{folder}/penstock-{os.geteuid()}") for folder in ("/var/tmp", "/tmp")]
    return [Path(state) / "penstock", *temporary]


def kind_of(kind: str) -> str | None:
    """Return the usual name of a file system that several hosts share; None for a local one.

    >>> kind_of("nfs4"), kind_of("fuse.sshfs"), kind_of("ext4")
    ('NFS', 'sshfs', None)
    """
    if kind.startswith("fuse.") and kind not in LOCAL_FUSE:
        return kind.removeprefix("fuse.")
    return SHARED.get(kind)


def file_system(folder: Path, mounts: str) -> str:
    """Return the kernel's name of the file system that `folder` is on, or its nearest parent; empty if unknown.

    `mounts` is the text of `/proc/self/mountinfo` (proc(5)): the longest mount point counts, and of equal ones
    the last, which hides the others.
    """
    place = os.path.realpath(folder)
    found = [
        (len(point), number, kind)
        for number, (point, kind) in enumerate(mount_points(mounts))
        if is_in(place, point)
    ]
    return max(found, default=(0, 0, ""))[2]


def mount_points(mounts: str) -> Iterator[tuple[str, str]]:
    """Yield mount point and file system of each line."""
    for line in mounts.split("\n"):
        before, _, after = line.partition(" - ")
        if after:
            yield unescape(before.split(" ")[4]), after.split(" ")[0]


def is_in(place: str, point: str) -> bool:
    """Whether a path is at or below a mount point."""
    return point == "/" or place == point or place.startswith(f"{point}/")


def unescape(text: str) -> str:
    """Undo what the kernel does to blanks: three octal digits behind a backslash."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)

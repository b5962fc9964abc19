"""What was skipped here and how to have it, in one line at the end of a run."""

import re
from collections import Counter
from collections.abc import Iterable

# What a reason of a skip speaks of → what these tests want. The first that is found counts.
WANTS = {
    r"openssl": "of mail and web servers: apt-get install openssl",
    r"daemons|dpkg|apt-get|controllers|Grid Engine|torque|cluster": "of schedulers: as root on Debian 12 they install them",
    r"sshd": "of SSH: apt-get install openssh-server",
    r"sshfs|sftp|FUSE": "of SSHFS: apt-get install sshfs openssh-sftp-server, /dev/fuse writable",
    r"root may write|root reads": "for other users than root",
    r"Python 3\.": "of other Pythons: put python3.6, 3.7, 3.9, 3.12 and 3.13 on the PATH",
    r"package index": "of installing: a package index that pip reaches",
    r"make peers": "beside other managers: `make peers` installs them",
    r"make field": "of the field's own programs: `make field` installs them",
    r"glibc": "of Linux: its C library",
    r"only Linux": "of Linux: its pipes",
    r"pyarrow": "of Parquet: pip install 'penstock[tables]'",
    r"systemd": "of units of systemd: apt-get install systemd",
    r"C compiler": "of programs in C: apt-get install gcc",
    r"ssh-keygen": "of keys of SSH: apt-get install openssh-client",
    r"chromium": "of pages in a browser: apt-get install chromium",
    r"optuna": "of adaptive sweeps: pip install optuna",
    r"marimo": "of notebooks of marimo: pip install marimo",
    r"LAMMPS": "of LAMMPS: apt-get install lammps openmpi-bin",
    r"hdf5plugin": "of compressed frames: `make setup` installs hdf5plugin",
    r"recordings": "of real recordings: PENSTOCK_AUDIO names their folder",
    r"root|mount|right|control group|let us|file system": "of mounts and limits: as root, in a container with --privileged",
}


def summarize(reasons: Iterable[str]) -> str:
    """Return the line; empty if nothing was skipped.

    >>> summarize(["only root may mount a small file system"])
    'skipped: 1 of mounts and limits: as root, in a container with --privileged'
    """
    counts = Counter(want_of(reason) for reason in reasons)
    told = "; ".join(f"{n} {want}" for want, n in counts.most_common())
    return f"skipped: {told}" if told else ""


def want_of(reason: str) -> str:
    """Return what a skipped test wants, by its reason."""
    return next((want for pattern, want in WANTS.items() if re.search(pattern, reason)), "others: see above")

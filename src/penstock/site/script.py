"""The script of a job: what a node's shell reads before the runner takes over. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from penstock.campaign import Site
from penstock.runner.share import THREADS

SEAL = "# script "  # and the digest of all above it
NO_FOLDER, NO_SETUP = 66, 67  # exit codes of an element that could not begin


class Digests(NamedTuple):
    """What a script was written for, so that a person can see which runner and which tasks it used."""

    spec: str
    tasks: str

    @classmethod
    def of(cls, spec: bytes, tasks: bytes) -> Digests:
        """Digest the two files of a job."""
        return cls(digest_of(spec), digest_of(tasks))


def job_script(
    directives: Sequence[str],
    site: Site,
    *,
    root: Path,
    folder: Path,
    runner: Path,
    words: Path,
    digests: Digests,
) -> str:
    """Return the script of one job.

    What a scheduler says of threads (PBS: all cores of the job) is forgotten: the runner knows those of a task.
    The runner is exec'ed, so that a signal which the scheduler sends to the script reaches it. Its messages, and those of
    the set-up, go to `words`: the scheduler's own output file is not used.
    """
    return seal_script(
        [
            "#!/bin/sh",
            *directives,
            f"# spec {digests.spec}",
            f"# tasks {digests.tasks}",
            *([] if site.shared_files else [f"mkdir -p {quote(str(root))}"]),
            f"cd {quote(str(root))} && exec >>{quote(str(words))} 2>&1 || exit {NO_FOLDER}",
            f"unset {' '.join(THREADS)}",
            *(f"export {name}={quote(value)}" for name, value in sorted(site.environment.items())),
            *setup_lines(site.setup),
            f"exec {' '.join(map(quote, runner_words(site, root, folder, runner)))}",
        ]
    )


def seal_script(lines: Sequence[str]) -> str:
    """Return the text of a script, with its digest as the last line."""
    text = "".join(f"{line}\n" for line in lines)
    return f"{text}{SEAL}{digest_of(text.encode(errors='surrogateescape'))}\n"


def script_damage(data: bytes | None) -> str | None:
    """Say what is wrong with a script, if anything is."""
    text, _, digest = (data or b"").rpartition(SEAL.encode())
    return None if digest.decode(errors="replace") == f"{digest_of(text)}\n" else "is damaged"


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def setup_lines(setup: Sequence[str]) -> list[str]:
    """Return the set-up as the script has it: after the profile, which defines `module`; the first failure ends the element."""
    if not setup:
        return []
    failed = f"echo 'penstock: a line of the set-up failed' >&2; exit {NO_SETUP}"
    return [
        "if [ -r /etc/profile ]; then . /etc/profile; fi",
        f"trap '[ \"$?\" = 0 ] || {{ {failed.replace(chr(39), chr(34))}; }}' EXIT",
        "set -e",
        *setup,
        "trap - EXIT",
    ]


def runner_words(site: Site, root: Path, folder: Path, runner: Path) -> list[str]:
    """Return the command that runs one element, within the site's container if it has one."""
    words = [site.python or "python3", "-X", "utf8", str(runner), str(folder)]
    if not site.shared_files:
        return contained(site.container, (root.parent.parent, *map(Path, site.paths.values())), words)
    jobs = folder.parent
    return contained(site.container, (root, jobs.parent.parent if site.workdir else jobs), words)


def contained(image: str | None, seen: Iterable[Path], words: Sequence[str]) -> list[str]:
    """Return a command as it runs within an image, where these folders are seen under their own paths."""
    if not image:
        return [*words]
    binds = [word for path in dict.fromkeys(seen) for word in ("--bind", str(path))]
    program = "singularity" if image.endswith(".simg") else "apptainer"
    return [program, "exec", *binds, image, *words]


def remedy_for(words: str) -> str:
    """Return what to fix when a job's script ended before its program began."""
    if "set-up" in words:
        return "correct the site's `setup`"
    if "/store/env/" in words:
        return "install its `requirements` again with `penstock site provision`"
    return "correct the site's `python`, `container` or `setup`"

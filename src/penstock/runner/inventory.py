"""What was installed and built in the store of a work folder, who uses it, and the removal of what nobody does.

A far Python runs this from its text alone, so it imports nothing else of ours.
"""

import json
import os
import shutil
from typing import Any, Dict, Iterator, List

SAYS = "penstock says "
MARK = "penstock.json"
KINDS = ("env", "build")
USERS, ASKED = "users", "asked.json"
JOB_FILES = ("script.sh", "spec.json")  # of a job that is not over: they name what it runs


def take_stock(workdir: str) -> None:
    """Tell all that is there."""
    named = named_by_jobs(workdir)
    found = [describe(folder, named) for kind in KINDS for folder in things(workdir, kind)]
    print("\n" + SAYS + json.dumps({"things": found}))


def clear_out(workdir: str, kinds: List[str], digests: List[str], user: str, kept: List[str]) -> None:
    """Remove things, those of `digests` or, without any, those that no campaign uses; tell which are gone.

    What a job needs stays.

    Before that a campaign, `user`, gives up all of these kinds but what it has `kept`.
    """
    named = named_by_jobs(workdir)
    removed: List[str] = []
    for kind in kinds:
        for folder in things(workdir, kind):
            digest = os.path.basename(folder)
            if user and digest not in kept:
                give_up(folder, user)
            is_there = os.path.exists(
                os.path.join(folder, ASKED if kind == "build" else MARK)
            )  # not on its way
            is_meant = digest in digests or (not digests and is_there and not users_of(folder))
            if is_meant and not job_with(digest, named) and take_away(folder, anyway=bool(digests)):
                removed.append(digest)
    print("\n" + SAYS + json.dumps({"removed": removed}))


def things(workdir: str, kind: str) -> Iterator[str]:
    """Yield the folders of one kind."""
    top = os.path.join(workdir, "store", kind)
    try:
        names = sorted(name for name in os.listdir(top) if not name.startswith("."))
    except OSError:
        return
    for name in names:
        yield os.path.join(top, name)


def named_by_jobs(workdir: str) -> Dict[str, str]:
    """Return what jobs that are not over say of themselves."""
    found: Dict[str, str] = {}
    for place in jobs_of(workdir):
        texts = [read(os.path.join(place, name)) for name in JOB_FILES]
        found[place] = "\n".join(texts)
    return found


def jobs_of(workdir: str) -> Iterator[str]:
    """Yield the folders of jobs: of all campaigns of a work folder, or of the one that it is in."""
    tops = [os.path.join(workdir, "jobs")]
    try:
        tops += [os.path.join(workdir, name, "jobs") for name in os.listdir(workdir)]
    except OSError:
        return
    for top in tops:
        if os.path.isdir(top):
            for name in os.listdir(top):
                if os.path.isdir(os.path.join(top, name)):
                    yield os.path.join(top, name)


def job_with(digest: str, named: Dict[str, str]) -> str:
    """Return the folder of a job that names something; empty: there is none."""
    return next((place for place, text in named.items() if digest in text), "")


def read(path: str) -> str:
    """Return the text of a file; nothing without it."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def describe(folder: str, named: Dict[str, str]) -> Dict[str, Any]:
    """Return what is known of one thing."""
    digest = os.path.basename(folder)
    mark = os.path.join(folder, MARK)
    return {
        "kind": os.path.basename(os.path.dirname(folder)),
        "digest": digest,
        "whole": os.path.exists(mark),
        "made": os.stat(mark if os.path.exists(mark) else folder).st_mtime,
        "size": size_of(folder),
        "holds": held_in(folder),
        "python": python_in(folder),
        "users": users_of(folder),
        "job": job_with(digest, named),
    }


def held_in(folder: str) -> List[str]:
    """Return the packages of an environment, or what a build makes."""
    asked = read(os.path.join(folder, ASKED))
    if asked:
        return [str(json.loads(asked)["executable"])]
    names = [name for _, folders, _ in os.walk(os.path.join(folder, "lib")) for name in folders]
    packages = sorted(name[: -len(".dist-info")] for name in names if name.endswith(".dist-info"))
    return [name.replace("-", "==", 1) for name in packages]


def python_in(folder: str) -> str:
    """Return the version of the Python of an environment; nothing for something else."""
    lines = [line.partition("=") for line in read(os.path.join(folder, "pyvenv.cfg")).splitlines()]
    return next((value.strip() for name, _, value in lines if name.strip() == "version"), "")


def size_of(folder: str) -> int:
    """Return the bytes of all files."""
    found = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                found += os.lstat(os.path.join(place, name)).st_size
            except OSError:  # gone meanwhile
                continue
    return found


def users_of(folder: str) -> List[str]:
    """Return the campaigns that use something."""
    try:
        return sorted(name for name in os.listdir(os.path.join(folder, USERS)) if not name.startswith("."))
    except OSError:
        return []


def give_up(folder: str, user: str) -> None:
    """Let a campaign use something no longer."""
    try:
        os.unlink(os.path.join(folder, USERS, user))
    except OSError:
        return


def take_away(folder: str, *, anyway: bool) -> bool:
    """Remove something, unless a campaign began to use it meanwhile."""
    parent, name = os.path.split(folder)
    aside = os.path.join(parent, ".{}.{}".format(name, os.getpid()))
    try:
        os.rename(folder, aside)
        if not anyway and users_of(aside):
            os.rename(aside, folder)
            return False
    except OSError:
        return False
    shutil.rmtree(aside, ignore_errors=True)
    return True

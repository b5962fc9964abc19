"""Builds a program from sources that were sent, where it runs: once, however many ask, and whole or not there.

    <store>/build/<digest>/          one program, by what it is built from and how
        asked.json, sources/         what was sent
        files/                       a copy of these, in which it is built
        build.log                    what the build said
        failed.json                  why it failed, until that was told
        lock                         locked by who builds
        penstock.json                the sizes of `files`, written last: it is built
        users/<campaign>             who asked for it

A build outlives the question that began it. One that was killed leaves no `penstock.json`, and is begun anew.
"""

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time
from typing import IO, Any, Dict, Iterable, Optional

from .digests import digest_file, sync_tree
from .files import CHUNK, make_folders, remove, write_file
from .kinds import Odd
from .orphans import end_orphans
from .survey import MARK, find_sizes, has_all, say

BUILT, BUILDING, FAILED, WANTING = "built", "building", "failed", "wanting"
ASKED, LOG, WHY, TRIES, LOCK, USERS = "asked.json", "build.log", "failed.json", "tries", "lock", "users"
SOURCES, FILES = "sources", "files"

Told = Dict[str, Any]

MOST_TRIES = 3  # of a build that is killed again and again
LOG_BYTES = 1 << 20  # of each end of what a build says
TAIL_BYTES = 4096
LOOK_S, QUIET_S = 0.02, 1.0


def main(folder: str, user: str, wait_s: str) -> None:
    """Tell how a program stands, after its build was begun if it is missing, and awaited for a while."""
    try:
        say(answer(folder, user, float(wait_s)))
    except OSError as error:
        say({"refused": "{}: {}".format(error.filename or folder, error.strerror or error)})


def answer(folder: str, user: str, wait_s: float) -> Told:
    """Return how a program stands; who has the lock of its folder builds it."""
    if not os.path.exists(os.path.join(folder, ASKED)):
        return {"state": WANTING}
    note_user(folder, user)
    if has_all(folder):
        return {"state": BUILT}
    descriptor = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return {"state": BUILDING}
    except OSError:  # no locks here: nobody could tell later whether it is being built, so it is awaited
        wait_s = float("inf")
    try:
        return stand(folder) or begin(folder, wait_s)
    finally:
        os.close(descriptor)


def note_user(folder: str, user: str) -> None:
    """Note that a campaign uses a program, so that nobody removes it."""
    path = os.path.join(folder, USERS, user)
    if not os.path.exists(path):
        make_folders(os.path.dirname(path))
        write_file(path, [b""])


def stand(folder: str) -> Optional[Told]:
    """Return how a program stands that nobody builds; None: it can be begun. A failure is told once."""
    if has_all(folder):
        return {"state": BUILT}
    why = read(folder, WHY)
    if why is None and not are_sent(folder):
        return {"state": WANTING}
    if why is None and tries_of(folder) >= MOST_TRIES:
        why = "was killed {} times".format(MOST_TRIES)
    if why is None:
        return None
    forget(folder)
    log = os.path.join(folder, LOG)
    return {"state": FAILED, "why": why, "log": log, "said": tail_of(log)}


def are_sent(folder: str) -> bool:
    """Whether the sources are there as they were sent."""
    try:
        return all(
            digest_file(os.path.join(folder, SOURCES, name))[1] == digest
            for name, digest in read(folder, ASKED)["files"].items()
        )
    except (OSError, Odd):
        return False


def read(folder: str, name: str) -> Any:
    """Return what a file says; None without it."""
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return json.loads(file.read().decode("utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def write(folder: str, name: str, told: Any) -> None:
    """Write a file, whole and durable."""
    write_file(os.path.join(folder, name), [json.dumps(told).encode("utf-8")])


def tries_of(folder: str) -> int:
    """Return how often a build was begun without an end."""
    return int(read(folder, TRIES) or 0)


def forget(folder: str) -> None:
    """Let a program be begun as if nobody had tried."""
    remove(os.path.join(folder, WHY))
    remove(os.path.join(folder, TRIES))


def tail_of(path: str) -> str:
    """Return the end of a file."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def begin(folder: str, wait_s: float) -> Told:
    """Build in a process of its own, which has our lock, too; return how it stands after a while."""
    write(folder, TRIES, tries_of(folder) + 1)
    pid = os.fork()
    if pid == 0:
        try:
            work(folder)
        finally:
            os._exit(1)
    until = time.monotonic() + wait_s
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > until:
            return {"state": BUILDING}
        time.sleep(LOOK_S)
    return stand(folder) or {"state": BUILDING}


def work(folder: str) -> None:
    """Build, and write down what came of it, with no part in what the question was asked through."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    asked = read(folder, ASKED)
    try:
        why = build(folder, asked)
    except OSError as error:
        why = "could not go on: {}: {}".format(error.filename or folder, error.strerror or error)
    if why:
        write(folder, WHY, why)
    else:
        forget(folder)
        tree = os.path.join(folder, FILES)
        sync_tree(tree)
        write(folder, MARK, {os.path.join(FILES, name): size for name, size in find_sizes(tree).items()})


def build(folder: str, asked: Told) -> Optional[str]:
    """Run the build in a new copy of the sources; return why it failed, if so."""
    mark, tree = folder, os.path.join(folder, FILES)
    end_orphans(mark)  # of a build that was killed
    remove(tree)
    lay_out(os.path.join(folder, SOURCES), tree, asked["files"])
    source, sink = os.pipe()
    process = subprocess.Popen(
        ["/bin/sh", "-c", asked["script"]],
        cwd=tree,
        env=dict(os.environ, PENSTOCK=mark),
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=sink,
        start_new_session=True,
    )
    os.close(sink)
    until = time.monotonic() + asked["limit_s"]
    with open(os.path.join(folder, LOG), "wb") as log:
        listen(process, source, log, until)
    code = await_end(process, until)
    end_orphans(mark)
    if code is None:
        return "took longer than {:.0f} min".format(asked["limit_s"] / 60)
    return why_not_built(code, os.path.join(tree, asked["executable"]), asked["executable"])


def lay_out(sources: str, tree: str, names: Iterable[str]) -> None:
    """Copy sources, all of one time: what was generated is not taken for older than what it was generated from."""
    now = time.time()
    make_folders(tree)
    for name in names:
        path = os.path.join(tree, name)
        make_folders(os.path.dirname(path))
        shutil.copy(os.path.join(sources, name), path)
        os.utime(path, (now, now))


def why_not_built(code: int, path: str, name: str) -> Optional[str]:
    """Say how a build failed, if it did."""
    if code:
        return "ended with exit code {}".format(code) if code > 0 else "was ended by signal {}".format(-code)
    if not os.path.isfile(path):
        return "made no {}".format(name)
    return None if os.access(path, os.X_OK) else "made {}, which is not executable".format(name)


def listen(process: "subprocess.Popen[bytes]", source: int, log: IO[bytes], until: float) -> None:
    """Keep both ends of what a process says, until it or its time is over."""
    end, left_out = bytearray(), 0
    while time.monotonic() < until:
        if not select.select([source], [], [], QUIET_S)[0]:
            if process.poll() is not None:  # what it left running has the pipe
                break
            continue
        said = os.read(source, CHUNK)
        if not said:
            break
        room = max(0, LOG_BYTES - log.tell())
        log.write(said[:room])
        log.flush()
        end += said[room:]
        left_out += max(0, len(end) - LOG_BYTES)
        del end[: max(0, len(end) - LOG_BYTES)]
    if left_out:
        log.write("\n[… {} bytes left out here …]\n".format(left_out).encode("utf-8"))
    log.write(end)


def await_end(process: "subprocess.Popen[bytes]", until: float) -> Optional[int]:
    """Return how a process ended; None: it had to be killed."""
    try:
        return process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None

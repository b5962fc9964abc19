"""The far end of a transport: it answers one question, for however many files, with one answer.

It is sent, with `files`, to where nothing is installed. A question is a line of JSON and the bytes of files behind it;
an answer is the same, between marks, since the start-up files of a shell may print around it.
"""

import errno
import json
import os
import signal
import stat
import sys
from typing import IO, Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from .below import look_below
from .blocks import Wanted, held, look_at, pieces_of_file, receive_all, taken, write_shown
from .files import (
    entries_of,
    make_folders,
    pack_folder,
    read_from,
    refresh_listing,
    remove,
    remove_empty,
    write_all,
    write_file,
)
from .pace import Receipt, paced

SILENT_S = 60  # a client that waits longer for its server gives up

Asked = Dict[str, Any]


class Refused(Exception):
    """What is not done, in one sentence for a person."""


class Answer(NamedTuple):
    """What is told, and bytes; how many these are is told, too, for each blob or as `sizes` say."""

    told: Dict[str, Any]
    blobs: Iterable[bytes]
    sizes: Optional[List[int]] = None


NOTHING = Answer({}, [])


def main(token: str) -> None:
    """Answer the question of standard input."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    asked = dict(json.loads(source.readline().decode("ascii")), token=token)
    answer = answer_question(asked, source)
    sizes = [len(blob) for blob in answer.blobs] if answer.sizes is None else answer.sizes
    told = dict(answer.told, sizes=sizes)
    sink.write("\n<<{} {}\n".format(token, json.dumps(told)).encode("ascii"))
    for blob in answer.blobs:
        sink.write(blob)
    sink.write("\n{}>>\n".format(token).encode("ascii"))
    sink.flush()


def answer_question(asked: Asked, source: IO[bytes]) -> Answer:
    """Do what is asked; what fails is told by the name of its error and its path."""
    operation = OPERATIONS[asked["op"]]
    if operation is not run:  # a command has the umask of its user
        os.umask(0o022 if is_public(asked) else 0o077)
    try:
        return operation(asked, source)
    except Refused as why:
        return Answer({"refused": str(why)}, [])
    except OSError as error:
        return Answer(describe(error, asked.get("folder", "")), [])


def describe(error: OSError, folder: str) -> Dict[str, Any]:
    """Return an error by its name, which unlike its number is the same everywhere."""
    name = errno.errorcode.get(error.errno or 0, "EIO")
    path = os.fsdecode(error.filename) if error.filename else local(folder)
    return {"error": name, "words": error.strerror or str(error), "path": told_name(path)}


def local(text: str) -> str:
    """Return a name from far away as this Python has it, whatever the locale."""
    return os.fsdecode(text.encode("utf-8", "surrogateescape"))


def told_name(name: str) -> str:
    """Return a name of this machine as an answer has it."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def path_of(asked: Asked, name: str) -> str:
    """Return where a file is; '' is the folder that all names are relative to."""
    folder = local(asked["folder"])
    return os.path.join(folder, local(name)) if name else folder


def is_public(asked: Asked) -> bool:
    """Whether what is made is for all to read."""
    return bool(asked.get("public"))


def folder_mode(asked: Asked) -> int:
    """Return the mode of new folders."""
    return 0o755 if is_public(asked) else 0o700


def make_own(asked: Asked) -> None:
    """Make the folder that all names are relative to; unless all may read it, only its owner may write into it."""
    folder = path_of(asked, "")
    if is_public(asked):
        make_folders(folder, folder_mode(asked))
    else:
        make_private(folder)


# operations


def hello(_asked: Asked, _source: IO[bytes]) -> Answer:
    """Tell the environment of this login."""
    return Answer({"environment": {told_name(k): told_name(v) for k, v in os.environ.items()}}, [])


def run(asked: Asked, _source: IO[bytes]) -> Answer:
    """Run a command to its end or its time limit."""
    import subprocess

    process = subprocess.Popen(
        [local(word) for word in asked["argv"]],
        cwd=local(asked["cwd"]),
        env={local(name): local(value) for name, value in asked["environment"].items()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=asked["timeout_s"])
    except subprocess.TimeoutExpired as late:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return Answer({"code": None}, [late.stdout or b"", late.stderr or b""])
    return Answer({"code": process.returncode}, [out[: asked["most"]], err[: asked["most"]]])


def read(asked: Asked, _source: IO[bytes]) -> Answer:
    """Read files from offsets on, as far as there is room in the answer."""
    names: List[str] = []
    blobs: List[bytes] = []
    left = asked["most"]
    for name, offset in asked["offsets"]:
        data = read_from(path_of(asked, name), offset, min(asked["at_once"], left))
        if data is not None:
            names.append(name)
            blobs.append(data)
            left -= len(data)
    return Answer({"names": names}, blobs)


def write(asked: Asked, source: IO[bytes]) -> Answer:
    """Write files one after the other, each whole or not there."""
    if asked["files"]:
        make_own(asked)
    for name, size in asked["files"]:
        path = path_of(asked, name)
        if is_public(asked):
            write_shown(path, b"".join(taken(source, size)))
        else:
            make_folders(os.path.dirname(path))
            write_file(path, taken(source, size))
    return NOTHING


def tell_held(asked: Asked, _source: IO[bytes]) -> Answer:
    """Tell how much of each file is there."""
    return Answer({"held": [held(path_of(asked, name), *about) for name, *about in asked["files"]]}, [])


def take_files(asked: Asked, source: IO[bytes]) -> Answer:
    """Receive files, or what is missing of them; where the connection breaks, what was written of a draft stays."""

    def tell(written: int) -> None:
        write_all(sys.stdout.fileno(), "\n{} {}\n".format(asked["token"], written).encode("ascii"))

    def take(size: int) -> Iterator[bytes]:
        return awaited(taken(source, size))

    make_own(asked)
    files = [Wanted(path_of(asked, name), *about) for name, *about in asked["files"]]
    receipt = Receipt(tell)
    receive_all(files, lambda file: receipt.of(take(file.size - file.offset)), folder_mode(asked))
    return NOTHING


def awaited(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what comes; from who is silent so long nothing will, and this process ends."""
    while True:
        signal.alarm(SILENT_S)
        piece = next(pieces, None)
        signal.alarm(0)
        if piece is None:
            return
        yield piece


def give_files(asked: Asked, source: IO[bytes]) -> Answer:
    """Send files, or what is missing of them: what is no longer as long as it was ends the answer."""
    wanted = [(path_of(asked, name), size, offset) for name, size, offset in asked["files"]]
    executable = [look_at(path, size) for path, size, _ in wanted]
    pieces = (piece for path, size, offset in wanted for piece in pieces_of_file(path, offset, size))
    sizes = [size - offset for _, size, offset in wanted]
    return Answer(
        {"executable": executable}, paced(pieces, sum(sizes), sys.stdout.buffer, map(int, source)), sizes
    )


def list_folders(asked: Asked, _source: IO[bytes]) -> Answer:
    """List folders, some of them anew."""
    found: Dict[str, List[Tuple[str, int, float, bool]]] = {}
    for name, anew in asked["folders"]:
        path = path_of(asked, name)
        if anew:
            refresh_listing(path)
        try:
            found[name] = [
                (told_name(each), status.st_size, status.st_mtime, stat.S_ISDIR(status.st_mode))
                for each, status in entries_of(path)
            ]
        except (FileNotFoundError, NotADirectoryError):
            continue
    return Answer({"found": found}, [])


def look(asked: Asked, source: IO[bytes]) -> Answer:
    """List folders, and read files."""
    listed, found = list_folders(asked, source), read(asked, source)
    return Answer(dict(listed.told, **found.told), found.blobs)


def remove_all(asked: Asked, _source: IO[bytes]) -> Answer:
    """Remove files, and folders with all in them."""
    for name in asked["names"]:
        remove(path_of(asked, name))
    return NOTHING


def leave(asked: Asked, _source: IO[bytes]) -> Answer:
    """Remove the folder of all names and the one that it is in, as far as they are empty."""
    folder = path_of(asked, "")
    for path in (folder, os.path.dirname(folder)):
        remove_empty(path)
    return NOTHING


def pack(asked: Asked, _source: IO[bytes]) -> Answer:
    """Put the files of a folder into an archive beside it."""
    pack_folder(path_of(asked, asked["name"]))
    return NOTHING


def hold(asked: Asked, _source: IO[bytes]) -> Answer:
    """Let a campaign refer to files of the store; tell those that are not there."""
    from . import store

    make_private(path_of(asked, ""))
    return Answer({"missing": store.hold(path_of(asked, ""), local(asked["root"]), asked["sizes"])}, [])


def release(asked: Asked, _source: IO[bytes]) -> Answer:
    """Let a campaign refer to files of the store no longer."""
    from . import store

    store.release(path_of(asked, ""), local(asked["root"]), asked["digests"])
    return NOTHING


def check(asked: Asked, _source: IO[bytes]) -> Answer:
    """Tell what is wrong with files and folders."""
    from .digests import faults_in

    files = ((name, path_of(asked, name), size, digest) for name, size, digest in asked["files"])
    return Answer({"wrong": faults_in(files)}, [])


def find(asked: Asked, _source: IO[bytes]) -> Answer:
    """Tell what is at names, without following a link."""
    found = look_below(path_of(asked, ""), ((local(name), sizes) for name, sizes in asked["names"]))
    return Answer({"found": [(kind, told_name(at), size, digest) for kind, at, size, digest in found]}, [])


def walk_all(asked: Asked, _source: IO[bytes]) -> Answer:
    """Tell what is in folders."""
    from .digests import walk

    found = {name: [part_told(part) for part in walk(path_of(asked, name))] for name in asked["folders"]}
    return Answer({"parts": found}, [])


def part_told(part: Any) -> Any:
    """Return a file or link of a folder as an answer has it."""
    return part._replace(name=told_name(part.name), link=told_name(part.link))


OPERATIONS: Dict[str, Callable[[Asked, IO[bytes]], Answer]] = {
    "hello": hello,
    "run": run,
    "read": read,
    "write": write,
    "held": tell_held,
    "send": take_files,
    "fetch": give_files,
    "list": list_folders,
    "look": look,
    "remove": remove_all,
    "leave": leave,
    "pack": pack,
    "hold": hold,
    "release": release,
    "check": check,
    "find": find,
    "walk": walk_all,
}


def make_private(folder: str) -> None:
    """Make a folder; refuse one that others may change, and close it to those who may read it."""
    make_folders(folder)
    found = os.stat(folder)
    if found.st_uid != os.geteuid():
        raise Refused("{} belongs to another user (uid {})".format(folder, found.st_uid))
    if found.st_mode & 0o022:
        raise Refused("{0} can be written by others: make it private with `chmod 700 {0}`".format(folder))
    if found.st_mode & 0o055:
        os.chmod(folder, 0o700)

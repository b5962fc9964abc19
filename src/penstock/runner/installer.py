"""Makes an environment of a far Python out of wheels: without a network, without pip, and without `venv`."""

import compileall
import errno
import json
import os
import platform
import shutil
import subprocess
import sysconfig
from typing import List, Tuple

from .survey import MARK, find_base, find_sizes, is_whole, python_of, say
from .wheel import Refused, Wheel


def main(work: str, target: str, listing: str) -> None:
    """Make an environment of the wheels in a folder, and tell what came of it."""
    try:
        install(work, target, [(name, digest) for name, digest in json.loads(listing)])
    except Refused as why:
        say({"refused": str(why)})
    except OSError as error:
        say({"refused": "{}: {}".format(error.filename or work, error.strerror or error)})
    else:
        say({"python": python_of(target)})


def install(work: str, target: str, wheels: List[Tuple[str, str]]) -> None:
    """Make an environment, unless it is there; the folder of the wheels is removed then."""
    if not is_whole(target):
        remove_drafts(work)
        draft = os.path.join(work, "env.{}".format(os.getpid()))
        try:
            build(draft, target, [(os.path.join(work, name), digest) for name, digest in wheels])
            put(draft, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)


def remove_drafts(work: str) -> None:
    """Remove what killed installers left."""
    for name in os.listdir(work):
        head, _, pid = name.partition(".")
        if head == "env" and not os.path.exists("/proc/" + pid):
            shutil.rmtree(os.path.join(work, name), ignore_errors=True)


def put(draft: str, target: str) -> None:
    """Give an environment its name; that of somebody who was quicker is as good."""
    try:
        os.rename(draft, target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        if not is_whole(target):
            os.rename(target, draft + ".old")
            os.rename(draft, target)
            shutil.rmtree(draft + ".old", ignore_errors=True)


def build(draft: str, target: str, wheels: List[Tuple[str, str]]) -> None:
    """Make an environment under another name than it will have."""
    packages = sysconfig.get_path("purelib", find_scheme(), {"base": draft, "platbase": draft})
    for folder in (packages, os.path.join(draft, "bin")):
        os.makedirs(folder)
    for path, digest in wheels:
        Wheel(path, draft, packages, target).unpack(digest)
    compileall.compile_dir(packages, quiet=2, ddir=packages.replace(draft, target))
    make_python(draft)
    refuse_strange(draft, packages)
    write_text(os.path.join(draft, MARK), json.dumps(find_sizes(draft)))


def write_text(path: str, text: str) -> None:
    """Write a file; a path in it may be in any encoding."""
    with open(path, "wb") as file:
        file.write(os.fsencode(text))


def find_scheme() -> str:
    """Return how folders are named in an environment of this Python; some distributions change the usual names."""
    return "venv" if "venv" in sysconfig.get_scheme_names() else "posix_prefix"


def make_python(folder: str) -> None:
    """Make a folder an environment: its interpreter finds `pyvenv.cfg` one above itself (PEP 405)."""
    base = find_base()
    lines = ["home = " + os.path.dirname(base), "include-system-site-packages = false"]
    lines += ["version = " + platform.python_version(), ""]
    write_text(os.path.join(folder, "pyvenv.cfg"), "\n".join(lines))
    for name, place in (("python", base), ("python3", "python")):
        path = os.path.join(folder, "bin", name)
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink(place, path)


def refuse_strange(folder: str, packages: str) -> None:
    """Refuse a Python that does not find the packages of its environment."""
    words = [python_of(folder), "-I", "-c", "import os, sys; os.write(1, os.fsencode('\\n'.join(sys.path)))"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = os.fsdecode(process.communicate()[0])
    if packages not in said.splitlines():
        raise Refused(
            "{} does not see the packages of an environment ({})".format(find_base(), said[-300:].strip())
        )

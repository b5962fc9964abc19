"""Tells what a far machine and its Python are, so that programs and packages can be chosen for them here.

A far Python runs this from its text alone, so it imports nothing else of ours. What it tells is one marked line, since
the lines of a site's set-up may print, too.
"""

import json
import os
import platform
import sys
import sysconfig
from typing import Any, Dict, List

SAYS = "penstock says "
MARK = "penstock.json"  # in what was made here, such as an environment, written last: the sizes of its files


def survey(environments: List[str], files: List[str]) -> None:
    """Tell the machine, its C library and this Python; which environments are whole, and which files are missing."""
    say(
        {
            "machine": platform.machine(),
            "libc": find_libc(),
            "python": find_base(),
            "version": platform.python_version(),
            "abi": find_abi(),
            "markers": find_markers(),
            "whole": [path for path in environments if is_whole(path)],
            "missing": [path for path in files if not os.path.exists(path)],
        }
    )


def say(told: Dict[str, Any]) -> None:
    """Tell something, on a line of its own."""
    print("\n" + SAYS + json.dumps(told))


def find_libc() -> str:
    """Return name and version of the C library; nothing for one that does not say."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return ""


def find_base() -> str:
    """Return the Python itself, also where this one is a virtual environment's, or a link that may change."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def find_abi() -> str:
    """Return the tag of compiled extensions, such as cp36m or cp312; nothing for another Python than CPython."""
    kind, _, tag = str(sysconfig.get_config_var("SOABI") or "").partition("-")
    return "cp" + tag.partition("-")[0] if kind == "cpython" else ""


def find_markers() -> Dict[str, str]:
    """Return what the conditions of requirements are about (packaging.python.org, "Dependency specifiers")."""
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": platform.python_version(),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "platform_python_implementation": platform.python_implementation(),
        "python_version": "{}.{}".format(*sys.version_info),
        "sys_platform": sys.platform,
    }


def is_whole(folder: str) -> bool:
    """Whether an environment is there with all its files, and the Python that it is for."""
    return os.path.exists(python_of(folder)) and has_all(folder)


def has_all(folder: str) -> bool:
    """Whether what was made in a folder is there with all its files, of which a purge may have taken some."""
    try:
        with open(os.path.join(folder, MARK), "rb") as file:
            sizes: Dict[str, int] = json.loads(file.read().decode("utf-8"))
        return all(os.stat(os.path.join(folder, name)).st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def find_sizes(folder: str) -> Dict[str, int]:
    """Return the sizes of all files but links and compiled modules, which may be made anew."""
    found: Dict[str, int] = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for path in (os.path.join(place, name) for name in names):
            if not os.path.islink(path):
                found[os.path.relpath(path, folder)] = os.stat(path).st_size
    return found


def python_of(folder: str) -> str:
    """Return the interpreter of an environment."""
    return os.path.join(folder, "bin", "python")

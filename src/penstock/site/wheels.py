"""Wheels for another machine and another Python than this one, chosen and downloaded by pip."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from penstock.errors import DefinitionError, SiteError, Unreachable
from penstock.runner.blocks import digest_of
from penstock.site.surveys import Platform

#: older names of glibc versions (PEP 600), the first two for Intel's machines alone
LEGACY = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
INTEL = ("x86_64", "i686")

#: pip evaluates the conditions of requirements for its own Python, whatever `--python-version` says
PIP = """\
import json, sys
there, wheel = json.loads(sys.argv.pop(1)), sys.argv.pop(1)
if wheel:
    sys.path.insert(0, wheel)
from pip._vendor.packaging import markers
markers.default_environment = lambda: dict(there)
from pip._internal.cli.main import main
sys.exit(main())
"""


class Wheel(NamedTuple):
    """A file with a package."""

    name: str
    size: int
    digest: str

    @property
    def package(self) -> str:
        """Name and version, as in a requirement."""
        name, version, *_ = self.name.split("-")
        return f"{name.replace('_', '-')}=={version}"


def tags_of(platform: Platform) -> list[str]:
    """Return the names of the platforms whose wheels run there, the newest first.

    >>> tags_of(Platform("aarch64", "glibc 2.18", "", "3.12.1", "cp312", {}))
    ['manylinux_2_18_aarch64', 'manylinux_2_17_aarch64', 'manylinux2014_aarch64', 'linux_aarch64']
    """
    match = re.fullmatch(r"glibc 2\.(\d+).*", platform.libc)
    if not match or not platform.abi:
        raise DefinitionError(
            f"no wheels are chosen for {platform}: only CPython with glibc is known; give a `container`, or name a"
            " `python` that has what is needed"
        )
    oldest = 5 if platform.machine in INTEL else 17
    tags = list[str]()
    for minor in range(int(match[1]), oldest - 1, -1):
        names = [f"manylinux_2_{minor}", *([LEGACY[minor]] if minor in LEGACY else [])]
        tags += [f"{name}_{platform.machine}" for name in names]
    return [*tags, f"linux_{platform.machine}"]


def download(
    requirements: Sequence[str], platform: Platform, *, root: Path, into: Path, pins: Sequence[Wheel] = ()
) -> list[Wheel]:
    """Download the wheels that requirements come to on a platform; with `pins` the same as before.

    Paths in them are relative to `root`. Raises DefinitionError for what is not to be had, Unreachable without an index.
    """
    into.mkdir()
    constraints = into.with_suffix(".txt")
    constraints.write_text("".join(f"{wheel.package}\n" for wheel in pins), "utf-8")
    words = [
        *words_of(platform),
        "--dest",
        str(into),
        "--constraint",
        str(constraints),
        *asked_words(requirements),
    ]
    argv = [sys.executable, "-c", PIP, json.dumps(dict(platform.markers)), find_pip(), *words]
    done = subprocess.run(
        argv,
        cwd=root,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise explain(done.stderr, platform)
    if strange := [path.name for path in into.iterdir() if path.suffix != ".whl"]:
        raise DefinitionError(f"{strange[0]} of the site's `requirements` is no wheel: build one of it")
    return sorted(Wheel(path.name, path.stat().st_size, digest_of(str(path))) for path in into.iterdir())


def words_of(platform: Platform) -> list[str]:
    """Return what is asked of pip."""
    tags = [word for tag in tags_of(platform) for word in ("--platform", tag)]
    return [
        "download", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--retries", "2",
        "--only-binary", ":all:", *tags, "--python-version", platform.version,
        "--implementation", "cp", "--abi", platform.abi,
    ]  # fmt: skip


def asked_words(requirements: Sequence[str]) -> list[str]:
    """Return requirements as pip wants them; `*.txt` is a file that lists some."""
    return [word for text in requirements for word in (["-r", text] if text.endswith(".txt") else [text])]


def find_pip() -> str:
    """Return the wheel that pip can be run from; nothing where it is installed."""
    if importlib.util.find_spec("pip"):
        return ""
    for folder in (
        sysconfig.get_config_var("WHEEL_PKG_DIR"),
        Path(os.__file__).parent / "ensurepip/_bundled",
    ):
        for wheel in sorted(Path(folder).glob("pip-*.whl")) if folder else ():
            return str(wheel)
    raise SiteError(f"pip chooses the packages, and {sys.executable} has none: install it beside penstock")


def explain(said: str, platform: Platform) -> SiteError | DefinitionError:
    """Return the error that pip's words mean."""
    if missing := re.search(r"No matching distribution found for (.+)", said):
        if broken := re.search(r"after connection broken by '(.+)'", said):
            return Unreachable(
                f"no index of packages can be reached from here ({short(broken[1])}): connect, or let `PIP_FIND_LINKS`"
                " name a folder with the wheels"
            )
        return DefinitionError(
            f"there is no wheel of {missing[1].strip()} for {platform}: ask for another version in the site's"
            " `requirements`, or name a newer `python`"
        )
    if conflict := re.search(r"Cannot install (.+) because", said):
        return DefinitionError(
            f"{conflict[1]} cannot be installed together: change the site's `requirements`"
        )
    errors = re.findall(r"^ERROR: (.+)", said, re.MULTILINE) or said.strip().splitlines()[-1:]
    return DefinitionError(
        f"pip did not download the site's `requirements` ({short(' '.join(errors))}): correct them"
    )


def short(text: str) -> str:
    """Return the end of a long text, which says most."""
    return text if len(text) <= 200 else f"…{text[-200:]}"

"""The runner's command line: `python3 runner.pyz JOBDIR [--element N] [--native ID]`."""

import argparse
import os
import sys
import time
import traceback
from typing import List, Optional

from .claim import Claim, claim_element
from .element import Element
from .errors import Unwell, say_error
from .identity import find_element, find_native
from .signals import Signals
from .spec import load_spec

WRONG_USE = 64
BROKEN = 70
NO_ROOM = 74
AGAIN = "PENSTOCK_UTF8"  # the locale's variables as they were, when we started ourselves again


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one element; return the exit code: 0 normal exit, 64 wrong use, 74 no space to work."""
    born = time.monotonic()
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    _speak_utf8()
    _fill_standard_streams()
    folder = os.path.abspath(options.jobdir)
    try:
        spec = load_spec(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return _refuse(WRONG_USE, "{}/spec.json cannot be used: {!r}".format(folder, error))
    element = find_element(options.element, os.environ, spec.elements)
    if element is None:
        return _refuse(
            WRONG_USE, "no scheduler variable tells which of {} elements this is".format(spec.elements)
        )
    signals = Signals()
    signals.install()
    try:
        os.chdir(spec.root)
        claim = claim_element(folder, spec, element, find_native(options.native, os.environ))
    except OSError as error:
        why = "{}: {}".format(error.filename, say_error(error)) if error.filename else say_error(error)
        return _refuse(NO_ROOM, "the element cannot be claimed: {}".format(why))
    except Unwell as unwell:
        return _refuse(NO_ROOM, "the element cannot be claimed: {}".format(unwell))
    return _run(claim, signals, born) if claim else 0


def _run(claim: Claim, signals: Signals, born: float) -> int:
    element = None
    try:
        element = Element(claim, signals, born)
        return 0 if element.run() else NO_ROOM
    except Exception:
        traceback.print_exc()
        if element:
            element.abort()
        return _refuse(BROKEN, "the runner itself failed")


def _parse(arguments: List[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="runner.pyz", description="Run one element of a penstock job.")
    parser.add_argument("jobdir")
    parser.add_argument("--element", type=int)
    parser.add_argument("--native")
    return parser.parse_args(arguments)


def _refuse(code: int, why: str) -> int:
    print("penstock runner: " + why, file=sys.stderr)
    return code


def _speak_utf8() -> None:
    """Start ourselves again when the locale would not let us name files in UTF-8."""
    if sys.getfilesystemencoding().lower().replace("-", "") == "utf8" or AGAIN in os.environ:
        before = os.environ.pop(AGAIN, None)
        if before:
            os.environ["LC_ALL"] = before
        elif before == "":
            os.environ.pop("LC_ALL", None)
        return
    options = ["-X", "utf8"] if sys.version_info >= (3, 7) else []
    environ = dict(os.environ, **{AGAIN: os.environ.get("LC_ALL", ""), "LC_ALL": "C.UTF-8"})
    os.execve(sys.executable, [sys.executable, *options, *sys.argv], environ)


def _fill_standard_streams() -> None:
    """Keep the descriptors 0 to 2 from being reused for our files."""
    fd = os.open(os.devnull, os.O_RDWR)
    while fd < 3:
        fd = os.open(os.devnull, os.O_RDWR)
    os.close(fd)

"""Python scripts that commands give to `{python}`: a worker runs them, which spares starting Python for each."""

import os
import sys
import threading
from types import CodeType, ModuleType
from typing import Any, Callable, Dict, Sequence, Set, Tuple

from .errors import Unfit

PYTHON = {"ref": "python"}

Stamp = Tuple[int, int, int]


def is_script(argv: Sequence[Any]) -> bool:
    """Return whether a command is a script for the Python that runs the runner."""
    return len(argv) > 1 and argv[0] == PYTHON and isinstance(argv[1], str) and argv[1].endswith(".py")


class Scripts:
    """The scripts of commands, each compiled once for as long as its file stays the same."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._known: Dict[str, Tuple[Stamp, CodeType]] = {}

    def run(self, argv: Sequence[str], on_error: Callable[[BaseException], None]) -> int:
        """Run a script as `python SCRIPT …` does, in a namespace of its own; return its exit code."""
        path = os.path.join(self._root, argv[0])
        code = self.get(path)
        main = ModuleType("__main__")
        main.__file__ = path
        before, threads = (sys.argv, sys.modules["__main__"]), set(threading.enumerate())
        sys.argv, sys.modules["__main__"] = list(argv), main
        sys.path.insert(0, os.path.dirname(path))
        try:
            exec(code, vars(main))  # noqa: S102 (that is what running a script is)
            return wait_for_others(threads)
        except SystemExit as end:
            return wait_for_others(threads) or code_of(end.code)
        except BaseException as error:
            on_error(error)
            return 1
        finally:
            sys.argv, sys.modules["__main__"] = before

    def get(self, path: str) -> CodeType:
        """Return a script, compiled."""
        try:
            status = os.stat(path)
            stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
            known = self._known.get(path)
            if known is None or known[0] != stamp:
                known = self._known[path] = stamp, compile_file(path)
        except OSError as error:
            raise Unfit("the script {} cannot be read: {}".format(path, error.strerror)) from error
        except (SyntaxError, ValueError) as error:
            raise Unfit("the script {} is not Python: {}".format(path, error)) from error
        return known[1]


def compile_file(path: str) -> CodeType:
    """Compile a file."""
    with open(path, "rb") as file:
        return compile(file.read(), path, "exec", dont_inherit=True)


def wait_for_others(threads: Set[threading.Thread]) -> int:
    """Wait for all but some threads, as the end of Python does."""
    for thread in set(threading.enumerate()) - threads:
        if not thread.daemon:
            thread.join()
    return 0


def code_of(given: Any) -> int:
    """Return the exit code that `sys.exit` means; what is no number is said."""
    if given is None:
        return 0
    if isinstance(given, int):
        return given & 0xFF
    print(given, file=sys.stderr)
    return 1

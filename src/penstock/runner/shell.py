"""Sparing a process: dash starts even the only command of a script as a child, and waits for it.

`exec` makes it become that command instead. Other shells do so by themselves.
"""

import os
import re
from functools import lru_cache
from typing import List, Sequence

SHELL = "/bin/sh"
IS_DASH = os.path.basename(os.path.realpath(SHELL)) == "dash"

# What dash understands itself; `exec` would look for programs of these names.
OWN_WORDS = """
. alias bg break case cd chdir command continue do done echo elif else esac eval exec exit export false fc fg fi for
getopts hash histedit if in jobs kill local printf pwd read readonly return set setvar shift test then times trap
true type ulimit umask unalias unset until wait while
"""

# One program, by its name as it is written, then words and redirections. Anything else is left to the shell.
PROGRAM = r"(?P<program>[A-Za-z0-9_./][A-Za-z0-9_./+-]*)"
PLAIN, SINGLE, DOUBLE = r"[A-Za-z0-9_./+@%=:,-]", r"'[^']*'", r'"(?:[^"\\$`]|\$[A-Za-z_][A-Za-z0-9_]*)*"'
WORD = "(?:{}|{}|{})+".format(PLAIN, SINGLE, DOUBLE)
REDIRECTION = r"(?:[0-9]?(?:>>?|<)[ \t]*{}|[0-9]?>&[0-9])".format(WORD)
ONE_PROGRAM = re.compile(r"\s*{}(?:[ \t]+(?:{}|{}))*\s*".format(PROGRAM, WORD, REDIRECTION))


def spare_child(argv: Sequence[str]) -> List[str]:
    """Return `argv`, with `exec` put before a script of the shell that is one program and no more.

    >>> spare_child(["/bin/sh", "-c", 'touch "$P_product"'])         # doctest: +SKIP
    ['/bin/sh', '-c', 'exec touch "$P_product"']
    """
    if IS_DASH and len(argv) == 3 and argv[0] == SHELL and argv[1] == "-c" and is_one_program(argv[2]):
        return [SHELL, "-c", "exec " + argv[2].lstrip()]
    return list(argv)


@lru_cache(maxsize=256)
def is_one_program(script: str) -> bool:
    """Return whether a script is certainly one command that is a program."""
    found = ONE_PROGRAM.fullmatch(script)
    return found is not None and found.group("program") not in OWN_WORDS.split()

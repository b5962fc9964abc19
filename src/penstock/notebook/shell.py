"""A notebook's campaign from the shell: its cells run in a process of their own, which leaves the definition."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from penstock.errors import DefinitionError

ENDS = (".ipynb", ".py")
RUN = "import sys; from penstock.notebook.script import main; sys.exit(main(*sys.argv[1:]))"


def is_notebook(text: str) -> bool:
    """Whether this names a notebook or a script, and no unit. Raises DefinitionError for a notebook that is not there."""
    if text.endswith(".ipynb") and not Path(text).is_file():
        raise DefinitionError(f"there is no notebook {text}; correct its name")
    return text.endswith(ENDS) and Path(text).is_file()


def leave_definition(file: Path) -> Path:
    """Run a notebook's cells up to its `campaign.run()`, and return the folder that has its definition now.

    What the cells print is printed. Raises DefinitionError for what is wrong in them.
    """
    news, tell = os.pipe()
    words = [sys.executable, "-P", "-c", RUN, str(file.absolute()), str(tell)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, pass_fds=[tell]) as child:
        os.close(tell)
        with open(news, encoding="utf-8") as reading:
            said = reading.read()
    if not said:
        raise DefinitionError(f"running it ended with {child.returncode} before its campaign ran", file=file)
    told = json.loads(said)
    if "error" in told:
        raise DefinitionError(told["error"])
    return Path(told["root"])

"""The errors, by who has to act; the exit codes; and the sentences of common mistakes, each one provoked."""

import inspect
from collections.abc import Iterator

from penstock import errors
from penstock_reference.markdown import code, fence, join, sentence, table
from penstock_reference.mistakes import MISTAKES, provoke
from penstock_reference.sentences import render_index

REMEDIES = {
    "PenstockError": "read the sentence; it names the remedy",
    "DefinitionError": "edit the file at the line that it names, or the command line",
    "SiteError": "check the site; nothing is lost, and the same command continues",
    "OutOfReach": "nothing: the site is left alone for a while, and all that is there goes on",
    "Unreachable": "wait, or fix the connection",
    "AuthNeeded": "log in to the site as you always do",
    "QueryFailed": "nothing: the question is asked again later",
    "SiteFull": "nothing: jobs are submitted when others have finished",
    "SubmitRejected": "change what the site refuses: limits, account, queue",
    "LedgerError": "check that the campaign's `.penstock` folder exists, is yours, and is on a disk with free space",
    "NothingYet": "start with `penstock run`",
    "Held": "wait for the other conductor, or stop it with `penstock down`; go to the host that has the record",
    "Corrupt": "restore a backup of the ledger; the products are not touched",
}

EXIT_CODES = {
    0: "all well; also when a command such as `status` has shown failed tasks",
    1: "something failed: tasks, a paused stage, or the record; `run` also when tasks wait or are blocked though nobody decided"
    " so; unless `--allow-problems`, when rows or files of a source were not understood, suspiciously many products are"
    " missing, or one cannot come home",
    2: "wrong use of the command line, or a wrong definition",
    3: "a site cannot be reached or does not work",
    4: "another conductor, or another host, holds the campaign; a `tick` ends with 0 then",
}

INTRODUCTION = """# Errors

Every error is one sentence on standard error: the thing, the place, the remedy. `PENSTOCK_DEBUG=1` shows the traceback
behind it. A task that fails is not an error of penstock: it is part of the record ([states](states.md))."""


EVERY = """## Every sentence

Look for a few words of what you read; `…` stands for a name, a number or what another program said. Some begin with the
file and the line. The list is read from the code when this page is made, so none is missing."""


def error_classes() -> Iterator[type[errors.PenstockError]]:
    """Yield all errors, those above before those below."""
    yield errors.PenstockError
    stack = errors.PenstockError.__subclasses__()
    while stack:
        found = stack.pop(0)
        if found.__module__ == errors.__name__:
            yield found
        stack[:0] = found.__subclasses__()


def render_page() -> str:
    """Render the page."""
    return join(
        INTRODUCTION,
        "## Exit codes",
        table(("code", "meaning"), ((code(str(n)), sentence(text)) for n, text in EXIT_CODES.items())),
        "## The tree",
        fence(_tree()),
        table(
            ("error", "meaning", "what to do", "exit code"),
            (
                (code(e.__name__), _first_line(e), sentence(REMEDIES[e.__name__]), code(str(e.exit_code)))
                for e in error_classes()
            ),
        ),
        "## Common sentences",
        "Each one was provoked when this page was made.",
        *(_describe(name) for name in MISTAKES),
        EVERY,
        render_index(),
    )


def _tree() -> str:
    paragraphs = inspect.cleandoc(errors.__doc__ or "").split("\n\n")
    return next(text for text in paragraphs if text.startswith("PenstockError"))


def _first_line(error: type[errors.PenstockError]) -> str:
    return (error.__doc__ or "").split("\n")[0]


def _describe(name: str) -> str:
    mistake = MISTAKES[name]
    return join(
        f"### {name}", fence(provoke(mistake)), f"**Cause:** {mistake.cause} **Remedy:** {mistake.remedy}"
    )

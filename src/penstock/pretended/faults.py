"""What a scheduler, its nodes and its file system do wrong: the table of faults of a PretendCluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto

from penstock.transports.reply import Reply


class Fault(Enum):
    """A fault that a PretendCluster can be told to have."""

    # answers
    EMPTY_ANSWER = auto()
    """Nothing at all is printed, and the exit code is 0."""
    NO_CONTACT = auto()
    """`Unable to contact slurm controller`, exit code 1."""
    CUT_ANSWER = auto()
    """The answer ends in the middle of its last line, and the exit code is 0."""
    BANNER = auto()
    """A profile prints around the answer."""
    SAID_TWICE = auto()
    """Each line comes twice."""
    LEFT_OUT = auto()
    """The answer is valid, and one job is not in it."""
    STRANGE_WORD = auto()
    """An unknown state."""
    NO_ANSWER = auto()
    """The command is killed after its time limit."""
    LATE_ANSWER = auto()
    """The answer is right and comes after a minute."""
    # the way there
    UNREACHABLE = auto()
    """Nobody answers: no command is run, and no file is read or written."""
    CUT_OFF = auto()
    """What was asked is done, and the answer does not arrive."""
    LOGIN_NEEDED = auto()
    """The site wants a person to log in."""
    # submission
    NOT_TAKEN = auto()
    """The job is not taken, and the command does not end in its time."""
    TAKEN_IN_SILENCE = auto()
    """The job is taken, and the command does not end in its time."""
    TAKEN_GARBLED = auto()
    """The job is taken, and the reply holds no id."""
    TAKEN_WITH_ERROR = auto()
    """The job is taken, and the command says that it lost the controller."""
    TAKEN_LATE = auto()
    """The command does not end in its time, and the job is taken half a minute later."""
    REFUSED = auto()
    """The job is refused, and always will be."""
    FULL = auto()
    """The job is refused because too many are there."""
    # accounting
    NO_HISTORY = auto()
    """The accounting answers, and has no rows yet."""
    HISTORY_FAILS = auto()
    """The database of the accounting is down."""
    HISTORY_OFF = auto()
    """There is no accounting."""
    RUNS_FOR_EVER = auto()
    """The accounting never heard of the end: it says RUNNING."""
    # nodes
    CLOCK_AHEAD = auto()
    """The clock of a node is an hour ahead."""
    FILES_LATE = auto()
    """What a node wrote is seen here half a minute later."""
    TORN_LINES = auto()
    """What is seen of a file that grows ends in the middle of a line."""
    LOST_TAIL = auto()
    """A runner is killed, and the end of its file never reaches the disk."""
    KILLED = auto()
    """A runner is killed without a message, and its element is FAILED."""
    GONE_QUIET = auto()
    """A runner hangs: it lives and writes nothing."""
    NODE_FAIL = auto()
    """A node dies with all that runs on it."""
    PREEMPTED = auto()
    """An element must make room for somebody else's."""
    OUT_OF_MEMORY = auto()
    """The kernel kills what runs."""
    TIMEOUT = auto()
    """The scheduler thinks that an element's time is over."""
    CANCELLED_PENDING = auto()
    """A person cancels what has not started."""
    CANCELLED_RUNNING = auto()
    """A person cancels what runs."""
    DOUBLE = auto()
    """The same job is there twice, under two ids."""
    SAME_ID_AGAIN = auto()
    """An administrator requeues a running element: it starts again under the same id."""
    FORGOTTEN = auto()
    """The controller loses a job, and what runs of it dies."""
    FORGOTTEN_ALIVE = auto()
    """The controller loses a job, and what runs of it goes on."""
    # our side
    CONDUCTOR_KILLED = auto()
    """The conductor is killed between two of its steps."""


class ConductorKilled(BaseException):
    """The conductor was killed."""


SUBMITTING = frozenset(
    {
        Fault.NOT_TAKEN,
        Fault.TAKEN_IN_SILENCE,
        Fault.TAKEN_GARBLED,
        Fault.TAKEN_WITH_ERROR,
        Fault.TAKEN_LATE,
        Fault.REFUSED,
        Fault.FULL,
    }
)
HISTORY = frozenset({Fault.NO_HISTORY, Fault.HISTORY_FAILS, Fault.HISTORY_OFF, Fault.RUNS_FOR_EVER})
ANSWERING = frozenset(
    {
        Fault.EMPTY_ANSWER,
        Fault.NO_CONTACT,
        Fault.CUT_ANSWER,
        Fault.BANNER,
        Fault.SAID_TWICE,
        Fault.LEFT_OUT,
        Fault.STRANGE_WORD,
        Fault.NO_ANSWER,
        Fault.LATE_ANSWER,
    }
)
#: which faults the answer to a command can have
FITTING: Mapping[str, frozenset[Fault]] = {
    "sbatch": SUBMITTING | {Fault.NO_CONTACT, Fault.NO_ANSWER, Fault.LATE_ANSWER, Fault.BANNER},
    "sacct": ANSWERING | HISTORY,
    "scancel": frozenset({Fault.NO_CONTACT, Fault.NO_ANSWER}),
}
WAY = frozenset({Fault.UNREACHABLE, Fault.CUT_OFF, Fault.LOGIN_NEEDED})
FILES = frozenset({Fault.CLOCK_AHEAD, Fault.FILES_LATE, Fault.TORN_LINES})

NO_CONTACT = Reply(1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n")
WITHOUT_CONTACT: Mapping[str, Reply] = {
    "sbatch": Reply(
        1,
        "",
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)\n",
    )
}
BEFORE = "*** Welcome to the cluster ***\nModules: gcc/12  python/3.11\n1234\n"
AFTER = "\nquota: 81 % of 1 TB used\n"


def cut(reply: Reply) -> Reply:
    """Return a reply that ends in the middle of its last line."""
    text = reply.out.rstrip("\n")
    last = len(text) - (text.rfind("\n") + 1)
    return Reply(reply.code, text[: len(text) - max(1, last // 2)], reply.err)


def twice(reply: Reply) -> Reply:
    """Return a reply with each line but the first twice."""
    first, *rest = reply.out.splitlines(keepends=True) or [""]
    return Reply(reply.code, first + "".join(line + line for line in rest), reply.err)


#: how an answer is spoiled
SPOIL: Mapping[Fault, Callable[[Reply], Reply]] = {
    Fault.EMPTY_ANSWER: lambda reply: Reply(0),
    Fault.CUT_ANSWER: cut,
    Fault.BANNER: lambda reply: Reply(reply.code, BEFORE + reply.out + AFTER, "tput: No value for $TERM\n"),
    Fault.SAID_TWICE: twice,
    Fault.STRANGE_WORD: lambda reply: Reply(
        reply.code, reply.out.replace("|RUNNING|", "|DREAMING|").replace("|PENDING|", "|DREAMING|"), reply.err
    ),
    Fault.TAKEN_GARBLED: lambda reply: Reply(0, "Submitted batch job <unprintable>\n"),
    Fault.TAKEN_WITH_ERROR: lambda reply: WITHOUT_CONTACT["sbatch"],
}

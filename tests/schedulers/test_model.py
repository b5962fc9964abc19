"""What every adapter must be: a whole module of the protocol, with a table of states that explains itself."""

import contextlib
import inspect
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.campaign import Site
from penstock.errors import DefinitionError, QueryFailed, SubmitRejected
from penstock.schedulers import BUILT_IN, GROUP, find_scheduler
from penstock.schedulers.model import Known, Phase, Request, Scheduler
from penstock.transports.reply import Reply

PARTS = [name for name in vars(Scheduler) if not name.startswith("_")] + list(Scheduler.__annotations__)


@pytest.fixture(params=BUILT_IN)
def adapter(request):
    return find_scheduler(request.param)


def test_the_built_in_adapters_are_entry_points_under_their_names():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"][GROUP] == {name: f"{GROUP}.{name}" for name in BUILT_IN}


def test_an_unknown_scheduler_is_answered_with_the_known_ones_and_the_nearest():
    with pytest.raises(
        DefinitionError, match=r"no scheduler 'slrum'; there are .*local.*; did you mean 'slurm'\?"
    ):
        find_scheduler("slrum")
    with pytest.raises(DefinitionError, match=r"no scheduler 'x'; there are [^;]*$"):
        find_scheduler("x")


def test_an_adapter_of_another_package_is_found(tmp_path, monkeypatch):
    (tmp_path / "theirs.py").write_text("NAME = 'theirs'\n")
    (tmp_path / "theirs-1.dist-info").mkdir()
    (tmp_path / "theirs-1.dist-info" / "entry_points.txt").write_text(f"[{GROUP}]\ntheirs = theirs\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_scheduler("theirs").NAME == "theirs"


def test_an_adapter_has_all_that_is_asked_for(adapter):
    assert [part for part in PARTS if not hasattr(adapter, part)] == []
    assert adapter.NAME in BUILT_IN


def test_an_adapters_functions_take_what_the_protocol_says(adapter):
    for name, wanted in inspect.getmembers(Scheduler, inspect.isfunction):
        if not name.startswith("_"):
            mine = list(inspect.signature(getattr(adapter, name)).parameters)
            assert mine == list(inspect.signature(wanted).parameters)[1:], name


def test_every_state_of_an_adapter_is_explained_in_its_row(adapter):
    table = re.search(r"^STATES\b.*?^}", inspect.getsource(adapter), re.MULTILINE | re.DOTALL)
    assert table is not None
    rows = [line for line in table[0].splitlines() if line.startswith("    ")]
    assert len(rows) == len(adapter.STATES)
    assert [row for row in rows if "  # " not in row] == []


def test_only_an_end_has_a_class_of_failure(adapter):
    for word, known in adapter.STATES.items():
        phase, outcome = known if isinstance(known, tuple) else (known, None)
        assert isinstance(phase, Phase)
        assert phase is Phase.ENDED or outcome is None, word


ENDS = {
    "gridengine": {"z"},
    "local": {"exited", "killed", "vanished", "cancelled", "timeout", "restarted"},
    "lsf": {"DONE", "EXIT"},
    "pbs": {"F", "X"},
    "slurm": {
        *("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "DEADLINE"),
        *("OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL", "PREEMPTED"),
    },
    "torque": {"C"},
}


def test_nothing_but_an_end_is_taken_for_one(adapter):
    phases = {word: known[0] if isinstance(known, tuple) else known for word, known in adapter.STATES.items()}
    assert {word for word, phase in phases.items() if phase is Phase.ENDED} == ENDS[adapter.NAME]


def test_a_command_is_a_list_of_words_whatever_is_asked(adapter):
    jobs = [Known("pabc", "4", 10), Known("pdef", None, 1)]
    asked = [
        adapter.submit("j.sh", Request("pabc", 2), Site("hpc")),
        adapter.queue(jobs),
        adapter.history(jobs) or ["none"],
        adapter.find(["pabc"]),
        adapter.cancel(jobs[0], [1]),
        adapter.limits(),
    ]
    assert all(argv and all(isinstance(word, str) and word for word in argv) for argv in asked)


def test_that_there_is_a_history_is_known_before_there_are_jobs(adapter):
    assert (adapter.history([]) is None) == (adapter.history([Known("pabc", "4", 10)]) is None)


def test_a_command_that_is_not_there_took_no_job(adapter):
    with pytest.raises(SubmitRejected, match="`commands`"):
        adapter.parse_submit(Reply(127, "", "sh: 4: bsub: not found"))


def test_a_raw_line_comes_last_where_there_are_some(adapter):
    if "lines" in getattr(adapter, "UNSUPPORTED", ()):
        assert adapter.directives(Request("pabc", 2), Site("hpc")) == []
        return
    lines = adapter.directives(Request("pabc", 2), Site("hpc", lines=("-Z z",)))
    assert lines[-1].endswith("-Z z")
    assert lines[-1].startswith("#")


@given(st.text(max_size=300), st.text(max_size=100), st.sampled_from([0, 1, 35, 153, 254, 255, None]))
def test_nonsense_is_no_answer(out, err, code):
    for adapter in map(find_scheduler, BUILT_IN):
        for read, about in (
            (adapter.parse_queue, [Known("pabc", "4", 10)]),
            (adapter.parse_history, [Known("pabc", "4", 10)]),
            (adapter.parse_find, ["pabc"]),
        ):
            with contextlib.suppress(QueryFailed):
                assert not read(Reply(code, out, err), about)


def test_silence_and_no_exit_code_are_no_answer(adapter):
    for reply in (Reply(None), Reply(0), Reply(None, "x\n", "y\n")):
        for read in (adapter.parse_queue, adapter.parse_find):
            with pytest.raises(QueryFailed):
                read(reply, [])
        with pytest.raises(QueryFailed):
            adapter.parse_limits(reply)
        with pytest.raises(QueryFailed):
            adapter.parse_submit(reply)

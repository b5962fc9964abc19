"""What `penstock site test` finds out, and that it leaves nothing behind."""

import ast
import json
import sys

import pytest
from answers import Answers

from penstock.clock import SystemClock
from penstock.schedulers.model import Limits
from penstock.site.trial import PROBE_TEXT, Trial
from penstock.testing import ManualClock
from penstock.transports.reply import Reply


def try_out(site, clock=None, wait_s=60.0):
    told = []
    return Trial(site, clock or SystemClock(), wait_s=wait_s, tell=told.append).run(), told


def left_behind(tmp_path):
    return list(tmp_path.iterdir())


def test_all_is_told_of_a_cluster_that_is_well(make_site, tmp_path, clean):
    site, slurm = make_site(Answers(runs=(1, 2)), queue="long", lines=("--exclusive",), python=sys.executable)
    found, told = try_out(site)
    assert (found.exit_code, found.faults, found.native, told) == (0, (), "4711", ["submitted as 4711"])
    assert found.limits == Limits("22.05.8", 1000, accounting=True)
    assert [one.python for one in found.elements] == [sys.version.split()[0]] * 2
    assert all(
        -1 < one.queued_s < 60 and -1 < one.delay_s < 60 and abs(one.skew_s) < 5 for one in found.elements
    )
    assert "slurm 22.05.8, arrays of up to 1000, accounting on" in found.to_text()
    assert found.to_text().endswith("all is well")
    assert json.loads(json.dumps(found.to_json()))["native"] == "4711"
    assert left_behind(tmp_path) == []
    assert slurm.commands() == ["scontrol", "sbatch"], "what came by itself is not asked about, nor cancelled"


def test_the_job_is_an_array_with_the_directives_of_every_job(make_site):
    site, slurm = make_site(Answers(runs=(1, 2)), queue="long", lines=("--exclusive",), python=sys.executable)
    try_out(site)
    assert "#SBATCH --partition=long\n" in slurm.script
    assert "#SBATCH --exclusive\n" in slurm.script
    assert "--array=1-2" in slurm.asked[1]


def test_set_up_and_environment_are_those_of_every_job(make_site):
    keys = {"setup": ("export FROM_SETUP=1",), "environment": {"OF_SITE": "2"}, "python": sys.executable}
    site, _ = make_site(Answers(runs=(1, 2)), **keys)
    found, _ = try_out(site)
    assert {"FROM_SETUP", "OF_SITE"} <= set(found.elements[0].environment)


def test_the_values_of_variables_are_told_to_nobody(make_site, tmp_path):
    site, _ = make_site(Answers(runs=(1, 2)), environment={"SECRET": "xyzzy"}, python=sys.executable)
    found, _ = try_out(site)
    assert "SECRET" in found.to_text()
    assert "xyzzy" not in found.to_text() + json.dumps(found.to_json())


def test_a_scheduler_that_does_not_answer_ends_with_3(make_site, tmp_path):
    site, slurm = make_site(Answers(down=True))
    found, _ = try_out(site)
    assert found.exit_code == 3
    assert "Unable to contact slurm controller" in found.to_text()
    assert (slurm.commands(), left_behind(tmp_path)) == (["scontrol"], [])


def test_a_command_that_is_not_there_ends_with_3_and_the_remedy(make_site):
    site, _ = make_site(missing)
    found, _ = try_out(site)
    assert found.exit_code == 3
    assert "there is no `scontrol` here: correct its `scheduler` or `commands`" in found.faults[0]


def missing(argv, **_):
    raise FileNotFoundError(argv[0])


def test_a_refusal_is_told_in_the_words_of_the_scheduler(make_site, tmp_path):
    refused = Reply(1, "", "sbatch: error: invalid partition specified: nosuch")
    site, slurm = make_site(Answers(sbatch=refused), queue="nosuch")
    found, _ = try_out(site)
    assert found.exit_code == 1
    assert slurm.commands() == ["scontrol", "sbatch"], "what was refused is not looked for"
    assert found.faults == (
        "the scheduler refused the job (sbatch: error: invalid partition specified: nosuch): correct the site's `queue`",
    )
    assert left_behind(tmp_path) == []


def test_what_does_not_start_in_time_is_taken_back(make_site, tmp_path):
    site, slurm = make_site(Answers(rows=("PENDING|Resources", "PENDING|Resources")))
    found, told = try_out(site, ManualClock(), wait_s=90.0)
    assert found.exit_code == 1
    assert "did not run within 90 s (pending (Resources)) and was cancelled: wait longer" in found.faults[0]
    assert told == ["submitted as 4711", "pending (Resources)"]
    assert slurm.asked[-1] == ["scancel", "4711"]
    assert slurm.commands().count("squeue") == 3, "at 5, 35 and 65 s"
    assert left_behind(tmp_path) == []


def test_what_would_wait_for_ever_is_not_waited_for(make_site):
    site, slurm = make_site(Answers(rows=("PENDING|PartitionTimeLimit", "PENDING|PartitionTimeLimit")))
    clock = ManualClock()
    found, _ = try_out(site, clock, wait_s=3600.0)
    assert found.faults == (
        "it would wait for ever, held (PartitionTimeLimit): correct what the site requests, or have it released",
    )
    assert clock.monotonic() < 60
    assert slurm.asked[-1] == ["scancel", "4711"]


def test_a_question_without_an_answer_changes_nothing(make_site):
    site, slurm = make_site()
    clock = Going(slurm)
    found, told = try_out(site, clock, wait_s=100.0)
    assert "no news of it" in found.faults[0]
    assert any("Unable to contact" in line for line in told)


class Going(ManualClock):
    """Slurm goes down as soon as one waits for it."""

    def __init__(self, slurm):
        super().__init__()
        self.slurm = slurm

    def sleep(self, seconds):
        self.slurm.down = True
        super().sleep(seconds)


def test_when_taking_back_fails_the_command_is_told(make_site):
    site, _ = make_site(Answers(rows=("PENDING|", "PENDING|"), scancel=Reply(1, "", "no permission")))
    found, _ = try_out(site, ManualClock(), wait_s=10.0)
    assert (
        found.faults[-1]
        == "the trial was not cancelled (no permission): do it with `scancel 4711`, if it is still there"
    )


def test_an_array_of_which_nobody_knows_whether_it_was_taken_is_looked_for_by_name(make_site):
    lost = Reply(None, "", "")
    site, slurm = make_site(Answers(sbatch=lost))
    _, told = try_out(site, ManualClock(), wait_s=30.0)
    assert "it is unknown whether" in told[0]
    assert "squeue" in slurm.commands()
    assert "scancel" not in slurm.commands()


def test_a_failing_set_up_is_told_with_its_words(make_site, tmp_path):
    site, _ = make_site(
        Answers(runs=(1, 2), rows=("FAILED|NonZeroExitCode", "FAILED|NonZeroExitCode")),
        setup=("echo no such module >&2", "false"), python=sys.executable,
    )  # fmt: skip
    found, _ = try_out(site, ManualClock(stride=5), wait_s=600.0)
    assert found.faults == (
        "the elements ended before they could begin (no such module; penstock: a line of the set-up failed):"
        " correct the site's `setup`",
    )


def test_a_python_that_is_not_there_is_told(make_site):
    site, _ = make_site(Answers(runs=(1, 2), rows=("FAILED|", "FAILED|")), python="python9")
    found, _ = try_out(site, ManualClock(stride=5), wait_s=600.0)
    assert "python9" in found.faults[0]
    assert "correct the site's `python`, `container` or `setup`" in found.faults[0]


def test_nodes_that_do_not_see_the_folder_are_told(make_site, tmp_path):
    site, _ = make_site(Answers(rows=("FAILED|", "COMPLETED|")))
    found, _ = try_out(site, ManualClock(stride=5), wait_s=600.0)
    assert f"the nodes must see that folder and {tmp_path} under the same names" in found.faults[0]


def test_an_interrupt_leaves_nothing_behind_either(make_site, tmp_path):
    site, slurm = make_site()
    with pytest.raises(KeyboardInterrupt):
        try_out(site, Impatient())
    assert slurm.asked[-1] == ["scancel", "4711"]
    assert left_behind(tmp_path) == []


class Impatient(ManualClock):
    def sleep(self, seconds):
        raise KeyboardInterrupt


def test_what_is_set_here_and_was_not_passed_on_is_named(make_site, monkeypatch, clean):
    monkeypatch.setenv("LAB_LICENCE", "x")
    monkeypatch.setenv("UNSEEN", "x")
    site, _ = make_site(Answers(runs=(1, 2), environment={"LAB_LICENCE": "x"}), python=sys.executable)
    found, _ = try_out(site)
    assert found.leaked == ("LAB_LICENCE",)


def test_the_probe_is_text_that_also_an_old_python_reads():
    nodes = ast.walk(ast.parse(PROBE_TEXT.format(variables="[]")))
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Starred, ast.Nonlocal, ast.arg)
    assert not [node for node in nodes if isinstance(node, newer)], "what Python 2.7 cannot read"


def test_what_a_script_said_at_its_end_is_told_without_a_further_wait(make_site):
    keys = {"setup": ("false",), "visibility_s": 600.0, "python": sys.executable}
    site, _ = make_site(Answers(runs=(1, 2), rows=("FAILED|", "FAILED|")), **keys)
    clock = ManualClock()
    found, _ = try_out(site, clock, wait_s=600.0)
    assert "a line of the set-up failed" in found.faults[0]
    assert clock.monotonic() < 10


def test_what_ended_without_a_word_is_not_said_to_wait(make_site):
    site, _ = make_site(Answers(rows=("FAILED|", "FAILED|")), visibility_s=600.0)
    found, _ = try_out(site, ManualClock(), wait_s=30.0)
    assert "the elements ended and left no file" in found.faults[0]


def test_that_a_scheduler_complains_of_what_is_over_is_no_second_fault(make_site):
    over = Answers(rows=("FAILED|", "FAILED|"), scancel=Reply(255, "", "already finished"))
    site, _ = make_site(over)
    found, _ = try_out(site, ManualClock(), wait_s=30.0)
    assert len(found.faults) == 1

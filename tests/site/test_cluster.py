"""What a cluster's site refuses, and what its commands see."""

from __future__ import annotations

import json

import pytest
from answers import Answers

from penstock.campaign import Resources, Site, Stage
from penstock.errors import DefinitionError, QueryFailed, SubmitRejected
from penstock.schedulers import find_scheduler
from penstock.schedulers.model import Known, Request
from penstock.site import ClusterSite
from penstock.site.cluster import refuse_resources
from penstock.transports.local import LocalTransport


@pytest.mark.parametrize(
    ("scheduler", "key"),
    [("pbs", "qos"), ("torque", "qos"), ("torque", "constraint"), ("gridengine", "qos"), ("local", "queue")],
)
def test_a_key_for_which_a_scheduler_has_no_word_is_refused(tmp_path, scheduler, key):
    with pytest.raises(DefinitionError, match=f"site 'c': {scheduler} has no `{key}`"):
        ClusterSite(Site("c", scheduler, **{key: "high"}), tmp_path)


@pytest.mark.parametrize(
    ("scheduler", "asked", "word"),
    [
        ("pbs", {"gpus": 1, "gpu_type": "a100"}, "type of `gpus`"),
        ("torque", {"exclusive": True}, "`exclusive`"),
        ("gridengine", {"nodes": 2}, "`nodes`"),
        ("gridengine", {"gpus": 1}, "`gpus`"),
        ("pbs", {"scratch_disk_bytes": 1}, "`scratch_disk`"),
        ("local", {"nodes": 2}, "`nodes`"),
    ],
)
def test_what_a_stage_asks_for_and_a_scheduler_has_no_word_for_is_refused(scheduler, asked, word):
    stage = Stage("s", 1, resources=Resources(**asked))
    with pytest.raises(DefinitionError, match=f"stage 's': {scheduler} has no {word}"):
        refuse_resources(stage, Site("c", scheduler), find_scheduler(scheduler))


def test_what_a_stage_asks_for_and_its_scheduler_has_a_word_for_is_taken():
    stage = Stage("s", 1, resources=Resources(gpus=2, gpu_type="a100", nodes=3, exclusive=True))
    refuse_resources(stage, Site("c", "slurm"), find_scheduler("slurm"))


def test_jobs_are_named_asked_about_and_told_of_under_the_sites_prefix(make_site):
    site, answers = make_site(Answers(rows=["RUNNING|None"]), name_prefix="lab42-")
    request = Request("pabcdefghij", 1)
    site.place_job(request, b"{}", b"", {})
    assert site.submit(request) == "4711"
    assert "--job-name=lab42-pabcdefghij" in answers.asked[-1]
    seen = site.queue([Known("pabcdefghij", "4711", 1)])
    assert "--name=lab42-pabcdefghij" in answers.asked[-1]
    assert [one.token for one in seen] == ["pabcdefghij"]
    assert site.find(["pabcdefghij"]) == {"pabcdefghij": "4711"}


@pytest.mark.parametrize(
    ("scheduler", "line"),
    [
        ("slurm", "--clusters=other"),
        ("slurm", "--nice\n#SBATCH -M other"),
        ("slurm", "-Mother"),
        ("lsf", '-q night -J "mine"'),
    ],
)
def test_a_raw_line_that_would_take_a_job_out_of_sight_is_refused(tmp_path, scheduler, line):
    with pytest.raises(DefinitionError, match="would not be found again"):
        ClusterSite(Site("c", scheduler, lines=(line,)), tmp_path)


@pytest.mark.parametrize(
    ("scheduler", "line"), [("slurm", "--mail-type=END"), ("slurm", "--comment=a-M"), ("lsf", "-Jd mine")]
)
def test_other_raw_lines_are_taken(tmp_path, scheduler, line):
    assert ClusterSite(Site("c", scheduler, lines=(line,)), tmp_path).site.lines == (line,)


def test_commands_see_where_their_scheduler_is_and_nothing_else_of_a_login(tmp_path, monkeypatch):
    monkeypatch.setenv("PBS_SERVER", "head")
    monkeypatch.setenv("SBATCH_PARTITION", "secret")
    monkeypatch.setenv("PYTHONPATH", "/mine")
    seen = ClusterSite(Site("c", "pbs"), tmp_path).command_environment()
    assert seen["PBS_SERVER"] == "head"
    assert not {"SBATCH_PARTITION", "PYTHONPATH"} & set(seen)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (FileNotFoundError(2, "No such file or directory"), SubmitRejected),
        (PermissionError(13, "Permission denied"), QueryFailed),
        (OSError(12, "Cannot allocate memory"), QueryFailed),
    ],
)
def test_a_command_that_cannot_be_run_for_now_is_no_refusal(tmp_path, error, raised):
    def run(*_argv, **_options):
        raise error

    with pytest.raises(raised, match=r"site 'c': .*sbatch"):
        ClusterSite(Site("c", "slurm"), tmp_path, transport=LocalTransport(tmp_path, run_here=run)).submit(
            Request("pabc", 1)
        )


def test_a_job_that_was_revoked_whole_stays_so(tmp_path):
    site = ClusterSite(Site("c", "slurm"), tmp_path)
    site.place("pabc", {"spec.json": b'{"elements": 2}'})
    site.revoke("pabc", {1: [(1, 1)]})
    site.revoke_all("pabc")
    before = {path.name: path.read_text() for path in site.job_folder("pabc").glob("*.revoked")}
    told = {name: (json.loads(text)["all"], json.loads(text)["tasks"]) for name, text in before.items()}
    assert told == dict.fromkeys(("1.revoked", "2.revoked"), (True, []))
    site.revoke("pabc", {2: [(1, 7)]})
    assert (site.job_folder("pabc") / "2.revoked").read_text() == before["2.revoked"]

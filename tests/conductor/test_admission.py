"""Local work is admitted by cores, memory and GPUs; what no machine has is refused before anything starts."""

import json

import pytest

from penstock.site.tasksfile import read_devices
from penstock.testing import ManualClock, Outcome, PretendSite

HEAD = '[campaign]\nname = "lab"\nlevels = ["unit"]\n[units]\ntable = "units.csv"\n'
STAGE = '[stage.fit]\neach = "unit"\ncommand = ["true", "{unit}"]\nbatch = 1\n'
GB = 10**9


def lasting(seconds):
    return lambda run: Outcome(seconds=seconds)


def crowd(lab, resources, *, units=4, more="", rule=None, **machine):
    """Run a stage on a pretended machine; return that, and how many of its tasks ran at once."""
    lab.define(STAGE + f"resources = {{ {resources} }}\n" + more, head=HEAD, units=units)
    clock = ManualClock()
    site = PretendSite(lab.root, rule=rule or lasting(60.0), clock=clock, **machine)
    with lab.conductor(site=site, clock=clock) as conductor:
        assert conductor.run().code == 0
    times = [tuple(row) for row in lab.rows("SELECT began, ended FROM attempt")]
    return site, max(sum(began <= at < ended for began, ended in times) for at, _ in times)


def headers(site):
    """Return the headers of all batches that were given out."""
    lines = [line for token in site.runners for line in site.fed(token).splitlines()]
    return [json.loads(line) for line in lines if line.startswith(b'{"batch"')]


@pytest.mark.parametrize(
    ("resources", "machine", "at_once"),
    [
        ('memory = "7GB"', {"cores": 4, "memory_bytes": 10 * GB}, 1),
        ('memory = "5GB"', {"cores": 4, "memory_bytes": 10 * GB}, 2),
        ("cpus = 2", {"cores": 4}, 2),
        ("cpus = 2, tasks_per_node = 2", {"cores": 4}, 1),
        ("exclusive = true", {"cores": 4}, 1),
        ("gpus = 1", {"cores": 4, "devices": ["0", "1", "2"]}, 3),
        ("cpus = 1", {"cores": 4, "memory_bytes": 1}, 4),
    ],
)
def test_no_more_runs_at_once_than_there_is_room_for(lab, resources, machine, at_once):
    assert crowd(lab, resources, **machine)[1] == at_once


def test_a_batch_has_no_more_workers_than_there_is_room_for(lab):
    site, _ = crowd(lab, 'memory = "3GB"', more="workers = 8\n", cores=4, memory_bytes=10 * GB)
    assert {header["workers"] for header in headers(site)} == {3}


def test_the_largest_task_of_a_chain_counts(lab):
    follower = (
        '[stage.plot]\neach = "unit"\nwith = "fit"\ncommand = ["true"]\nresources = { memory = "7GB" }\n'
    )
    assert crowd(lab, "cpus = 1", more=follower, cores=4, memory_bytes=10 * GB)[1] == 1


def test_each_batch_has_devices_of_its_own(lab):
    site, at_once = crowd(lab, "gpus = 2", units=6, cores=8, devices=["0", "1", "2", "3"])
    assert at_once == 2
    assert sorted(tuple(read_devices(site.fed(token))) for token in site.runners) == [("0", "1"), ("2", "3")]


def test_the_devices_of_an_earlier_conductor_are_not_given_again(lab):
    lab.define(STAGE + "resources = { gpus = 1 }\n", head=HEAD, units=3)
    clock = ManualClock()
    few = PretendSite(lab.root, rule=lasting(600.0), clock=clock, cores=4, devices=["5", "6"])
    with lab.conductor(site=few, clock=clock) as conductor:
        conductor.turn()
    site = PretendSite(lab.root, rule=lasting(600.0), clock=clock, cores=4, devices=["5", "6", "7"])
    site.specs, site.runners = few.specs, few.runners
    with lab.conductor(site=site, clock=clock) as conductor:
        conductor.turn()
    given = [device for header in headers(site) for device in header["devices"]]
    assert sorted(given) == ["5", "6", "7"]


def test_a_task_that_ran_out_of_memory_is_given_more_of_the_machine(lab):
    def greedy(run):
        return (
            Outcome("out_of_memory", 60.0) if run.key == "u1" and run.number == 1 else Outcome(seconds=60.0)
        )

    _, at_once = crowd(lab, 'memory = "4GB"', units=2, rule=greedy, cores=4, memory_bytes=10 * GB)
    assert at_once == 2
    (again,) = lab.rows("SELECT began, ended FROM attempt WHERE outcome = 'ok' AND unit = ?", lab.unit("u1"))
    assert lab.rows("SELECT 1 FROM attempt WHERE began > ? AND began < ?", *again) == []


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ("cpus = 512", "a task asks for 512 cores, and site 'local' has 2"),
        ("cpus = 2, tasks_per_node = 3", "a task asks for 6 cores, and site 'local' has 2"),
        ('memory = "90GB"', "a task asks for 90 GB of memory, and site 'local' has 8.0 GB"),
        ("gpus = 3", "a task asks for 3 GPUs, and site 'local' has 1"),
        ("nodes = 2", "a task asks for 2 nodes"),
    ],
)
def test_what_no_machine_has_is_refused_before_anything_starts(lab, resources, said):
    site = '[site.local]\ncores = 2\nmemory = "8GB"\ngpus = 1\n'
    lab.define(STAGE + f"resources = {{ {resources} }}\n" + site, head=HEAD, units=1)
    for command in ("check", "plan", "run"):
        ended = lab.command(command)
        assert ended.returncode == 2, command
        assert f"stage 'fit': {said}" in ended.stderr
    assert not (lab.root / ".penstock" / "jobs").exists()

import json

import pytest

from penstock.cli.simulate import sizes_to_compare

TIMES = ("--time", "copy=60s", "--time", "merge=2min")


def test_it_says_when_all_would_be_done_and_what_that_assumes(penstock, winter):
    shown = penstock("simulate", "-C", winter, *TIMES, "--courses", 2)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith(
        "copy: 60 s a task (as given)\nmerge: 2 min a task (as given)\nfinished after "
    )
    assert not (winter / ".penstock").exists()


def test_json_has_each_course(penstock, winter):
    shown = penstock("simulate", "-C", winter, *TIMES, "--courses", 2, "--json")
    found = json.loads(shown.stdout)
    assert found["finish_s"]["p10"] <= found["finish_s"]["p50"] <= found["finish_s"]["p90"]
    assert [course["states"] for course in found["courses"]] == [{"done": 4}] * 2


def test_sizes_of_batches_stand_beside_each_other(penstock, winter):
    shown = penstock("simulate", "-C", winter, *TIMES, "--courses", 1, "--batch", "copy=1,2")
    assert [line.partition(":")[0] for line in shown.stdout.splitlines()] == [
        "batches of copy 1",
        "batches of copy 2",
    ]


def test_what_is_kept_is_a_record(penstock, winter, tmp_path):
    assert (
        penstock("simulate", "-C", winter, *TIMES, "--courses", 1, "--keep", tmp_path / "ahead").exit_code
        == 0
    )
    kept = json.loads(penstock("status", "-C", tmp_path / "ahead", "--json").stdout)
    assert {stage["name"]: stage["tasks"]["done"] for stage in kept["stages"]} == {"copy": 3, "merge": 1}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "nothing is known of how long a task of 'copy' takes"),
        (("--time", "copy"), "STAGE=TIME"),
        (("--time", "copy=soon"), "copy=soon"),
        (("--batch", "copy=many"), "STAGE=N"),
        (("--from", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(penstock, winter, words, told):
    shown = penstock("simulate", "-C", winter, *words)
    assert shown.exit_code == 2
    assert told in shown.stderr


def test_a_shorter_list_of_sizes_goes_on_with_its_last():
    assert sizes_to_compare(["psd=10,50,200", "merge=1"]) == [{"psd": n, "merge": 1} for n in (10, 50, 200)]

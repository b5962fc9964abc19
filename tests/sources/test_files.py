"""Files become units: all that match, once they rest, with what belongs to them."""

import os
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.sources.conftest import NOW, OLD, found_in, state_at

from penstock import files, table
from penstock.campaign import Campaign, Product, Stage
from penstock.errors import DefinitionError
from penstock.sources import Problem, ScanState, scan
from penstock.units import Pattern

Put = Callable[..., Path]
Freeze = Callable[..., Campaign]

LEVELS = ("night", "run")
PATTERN = "r0/{night:%Y%m%d}/run_{run:05d}_{kind}.h5"


def test_a_file_becomes_a_unit_with_its_fields(put: Put, campaign_of: Freeze):
    put("r0/20200117/run_01807_DATA.h5", "12345")
    (unit,) = found_in(campaign_of(files(PATTERN), *LEVELS))
    assert (unit.level, unit.key) == (2, ("2020-01-17T00:00:00Z", 1807))
    assert unit.fields == {
        "kind": "DATA",
        "path": "r0/20200117/run_01807_DATA.h5",
        "name": "run_01807_DATA.h5",
        "stem": "run_01807_DATA",
        "size": 5,
    }
    assert unit.fingerprint == f"5:{int(OLD)}000000000"


def test_only_what_has_the_shape_is_found(put: Put, campaign_of: Freeze):
    for name in (
        "audio/a.wav",
        "audio/b.flac",
        "audio/deep/c.wav",
        "d.wav",
        "audio/.hidden.wav",
        "audio/e.wav.tmp",
    ):
        put(name)
    (put("audio/x").parent / "folder.wav").mkdir()
    assert [unit.key for unit in found_in(campaign_of(files("audio/{file}.wav")))] == [("a",)]


def test_penstocks_own_folders_are_never_entered(put: Put, campaign_of: Freeze):
    put("a/x.wav")
    put(".penstock/x.wav")
    units = found_in(campaign_of(files("{folder}/{file}.wav"), "folder", "file"))
    assert [unit.key for unit in units] == [("a", "x")]
    assert found_in(campaign_of(files(".{folder}/{file}.wav"), "folder", "file")) == []


def test_a_badly_named_file_is_reported_and_hurts_nothing(put: Put, campaign_of: Freeze):
    put("r0/20200117/run_01807_DATA.h5")
    put("r0/20200117/run_1808_DATA.h5")
    put("r0/20200230/run_01809_DATA.h5")
    state = state_at()
    assert len(found_in(campaign_of(files(PATTERN), *LEVELS), state)) == 1
    assert sorted(problem.subject for problem in state.problems) == [
        "r0/20200117/run_1808_DATA.h5",
        "r0/20200230",
    ]
    assert all(problem.why.startswith("badly named: ") for problem in state.problems)


def test_a_name_that_is_not_utf8_is_reported(tmp_path: Path, put: Put, campaign_of: Freeze):
    put("audio/a.wav")
    with open(os.fsencode(tmp_path) + b"/audio/\xff.wav", "w", encoding="utf-8"):
        pass
    state = state_at()
    assert [unit.key for unit in found_in(campaign_of(files("audio/{file}.wav")), state)] == [("a",)]
    ((subject, why),) = state.problems
    assert subject == "audio/\\xff.wav"
    assert "not UTF-8" in why
    subject.encode()


def test_a_linked_file_is_a_file_and_a_broken_link_is_reported(tmp_path: Path, put: Put, campaign_of: Freeze):
    target = put("store/a.wav")
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "linked.wav").symlink_to(target)
    (tmp_path / "audio" / "broken.wav").symlink_to(tmp_path / "nowhere")
    state = state_at()
    assert [unit.key for unit in found_in(campaign_of(files("audio/{file}.wav")), state)] == [("linked",)]
    ((subject, why),) = state.problems
    assert subject == "audio/broken.wav"
    assert "cannot be followed" in why


def test_a_pipe_or_a_device_is_no_unit_and_is_reported(tmp_path: Path, put: Put, campaign_of: Freeze):
    put("audio/a.wav")
    os.mkfifo(tmp_path / "audio" / "pipe.wav")
    (tmp_path / "audio" / "null.wav").symlink_to("/dev/null")
    (tmp_path / "audio" / "folder.wav").mkdir()
    state = state_at()
    assert [unit.key for unit in found_in(campaign_of(files("audio/{file}.wav")), state)] == [("a",)]
    assert sorted(state.problems) == [
        ("audio/null.wav", "is a device, not a file; remove or exclude it"),
        ("audio/pipe.wav", "is a named pipe, not a file; remove or exclude it"),
    ]


def test_a_missing_root_is_told_and_is_not_nothing(campaign_of: Freeze):
    state = state_at()
    assert found_in(campaign_of(files("r0/now/{file}.wav")), state) == []
    assert state.missing_roots == ["r0/now"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_reported(put: Put, campaign_of: Freeze):
    folder = put("a/x/1.wav").parent
    put("a/y/2.wav")
    folder.chmod(0)
    state = state_at()
    assert len(found_in(campaign_of(files("a/{folder}/{file}.wav"), "folder", "file"), state)) == 1
    folder.chmod(0o700)
    assert [problem.subject for problem in state.problems] == ["a/x"]


def test_a_folder_that_cannot_be_listed_for_now_proves_nothing_gone(put: Put, campaign_of: Freeze):
    campaign = campaign_of(files("a/{folder}/{file}.wav"), "folder", "file")
    put("a/x/1.wav")
    state = state_at()
    lowest = os.open(os.devnull, os.O_RDONLY)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, before[1]))
    try:
        found = found_in(campaign, state)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        os.close(lowest)
    assert (found, state.failed) == ([], True)
    assert state.problems == [("a", "cannot be read (Too many open files); it is tried again")]


def test_a_link_that_leads_to_itself_in_place_of_a_folder_is_told(
    tmp_path: Path, put: Put, campaign_of: Freeze
):
    put("a/x/1.wav")
    (tmp_path / "a/loop").symlink_to("loop")
    state = state_at()
    assert len(found_in(campaign_of(files("a/{folder}/{file}.wav"), "folder", "file"), state)) == 1
    why = "is a link that cannot be followed (Too many levels of symbolic links); fix or remove it"
    assert (state.problems, state.failed) == ([("a/loop", why)], False)


def test_an_absolute_pattern_gives_absolute_paths(tmp_path: Path, put: Put, campaign_of: Freeze):
    put("elsewhere/a.wav")
    (unit,) = found_in(campaign_of(files(f"{tmp_path}/elsewhere/{{file}}.wav")))
    assert unit.fields["path"] == f"{tmp_path}/elsewhere/a.wav"


def test_a_pattern_may_end_in_a_fixed_name(put: Put, campaign_of: Freeze):
    put("runs/1/data/out.h5")
    put("runs/2/data/other.h5")
    units = found_in(campaign_of(files("runs/{run:d}/data/out.h5"), "run"))
    assert [(unit.key, unit.fields["path"]) for unit in units] == [((1,), "runs/1/data/out.h5")]


def test_excluded_files_are_left_out(put: Put, campaign_of: Freeze):
    for name in ("audio/a.wav", "audio/bad_b.wav", "audio/c_tmp.wav"):
        put(name)
    units = found_in(campaign_of(files("audio/{file}.wav", exclude=["audio/bad_*", "*_tmp.wav"])))
    assert [unit.key for unit in units] == [("a",)]


def test_a_level_can_be_derived(put: Put, campaign_of: Freeze):
    put("xppc0115.h5")
    units = files("{experiment}.h5", derive={"instrument": "upper(experiment[:3])"})
    (unit,) = found_in(campaign_of(units, "instrument", "experiment"))
    assert unit.key == ("XPP", "xppc0115")


def test_a_stem_can_be_the_level(put: Put, campaign_of: Freeze):
    put("audio/20260117.wav")
    (unit,) = found_in(campaign_of(files("audio/{begin:%Y%m%d}.wav", derive={"file": "stem"})))
    assert (unit.key, unit.fields["begin"]) == (("20260117",), "2026-01-17T00:00:00Z")


def test_a_derived_level_has_the_type_that_is_said(put: Put, campaign_of: Freeze):
    put("2020-01-17_x.wav")
    units = files(
        "{day}_{what}.wav", derive={"night": "day", "n": "'7'"}, types={"night": "datetime", "n": "int"}
    )
    (unit,) = found_in(campaign_of(units, "night"))
    assert (unit.key, unit.fields["n"]) == (("2020-01-17T00:00:00Z",), 7)


def test_a_derived_level_of_another_type_is_reported(put: Put, campaign_of: Freeze):
    put("soon.wav")
    state = state_at()
    assert (
        found_in(
            campaign_of(files("{day}.wav", derive={"night": "day"}, types={"night": "datetime"}), "night"),
            state,
        )
        == []
    )
    assert "'soon' is not a time" in state.problems[0].why


def test_a_field_of_the_pattern_wins_over_a_built_in_one(put: Put, campaign_of: Freeze):
    put("x_7.wav")
    (unit,) = found_in(campaign_of(files("{name}_{stem:d}.wav"), "name"))
    assert (unit.key, unit.fields["stem"]) == (("x",), 7)


def test_a_file_whose_level_cannot_be_derived_is_reported(put: Put, campaign_of: Freeze):
    put("ab.h5")
    put("7.h5")
    state = state_at()
    units = files("{name_}.h5", derive={"number": "int(name_)"})
    assert [unit.key for unit in found_in(campaign_of(units, "number"), state)] == [(7,)]
    assert [problem.subject for problem in state.problems] == ["ab.h5"]


def test_two_files_with_one_key_are_an_error_that_names_both(put: Put, campaign_of: Freeze):
    put("a/one_x.wav")
    put("a/two_x.wav")
    with pytest.raises(
        DefinitionError, match=r"a/(one|two)_x\.wav and a/(one|two)_x\.wav have the same key x; add a level"
    ):
        found_in(campaign_of(files("a/{what}_{file}.wav")))


# At rest (RULE 29)


def test_a_young_file_waits_until_it_has_rested(put: Put, campaign_of: Freeze):
    put("a/x.wav", mtime=NOW - 3)
    state = state_at()
    assert found_in(campaign_of(files("a/{file}.wav", settle="10s")), state) == []
    (unsettled,) = state.unsettled
    assert (unsettled.path, unsettled.key, unsettled.since, unsettled.ready_at) == (
        "a/x.wav",
        ("x",),
        NOW,
        NOW + 7,
    )


def test_a_file_as_old_as_settle_is_found(put: Put, campaign_of: Freeze):
    put("a/x.wav", mtime=NOW - 10)
    assert len(found_in(campaign_of(files("a/{file}.wav", settle="10s")))) == 1


def test_without_settling_every_file_is_found(put: Put, campaign_of: Freeze):
    put("a/x.wav", mtime=NOW + 500)
    assert len(found_in(campaign_of(files("a/{file}.wav", settle=0)))) == 1


def test_age_is_by_the_clock_of_the_file_server(put: Put, campaign_of: Freeze):
    put("a/x.wav", mtime=NOW - 3)
    ahead = ScanState(NOW, lambda device: NOW + 3600)
    assert len(found_in(campaign_of(files("a/{file}.wav", settle="10s")), ahead)) == 1
    behind = ScanState(NOW + 3600, lambda device: NOW)
    assert found_in(campaign_of(files("a/{file}.wav", settle="10s")), behind) == []


@pytest.mark.parametrize(("waited", "found"), [(9, 0), (10, 1)])
def test_without_that_clock_two_equal_looks_a_settling_time_apart_count(
    put: Put, campaign_of: Freeze, waited: float, found: int
):
    put("a/x.wav", mtime=NOW + 10**6)
    campaign = campaign_of(files("a/{file}.wav", settle="10s"))
    first = ScanState(NOW)
    assert found_in(campaign, first) == []
    seen = {unit.path: (unit.fingerprint, unit.since) for unit in first.unsettled}
    assert len(found_in(campaign, ScanState(NOW + waited, settling=seen))) == found


def test_the_settling_time_begins_anew_when_the_clock_was_put_back(put: Put, campaign_of: Freeze):
    put("a/x.wav", mtime=NOW + 10**6)
    campaign = campaign_of(files("a/{file}.wav", settle="10s"))
    seen: dict[str, tuple[str, float]] = {}
    for at, found in ((NOW, 0), (NOW - 7200, 0), (NOW - 7195, 0), (NOW - 7190, 1)):
        state = ScanState(at, settling=seen)
        assert len(found_in(campaign, state)) == found
        seen = {unit.path: (unit.fingerprint, unit.since) for unit in state.unsettled}


def test_a_file_that_changed_between_two_looks_begins_anew(put: Put, campaign_of: Freeze):
    put("a/x.wav", mtime=NOW)
    state = ScanState(NOW + 60, settling={"a/x.wav": ("3:1", NOW - 60)})
    assert found_in(campaign_of(files("a/{file}.wav", settle="10s")), state) == []
    assert state.unsettled[0].since == NOW + 60


# Companions


def test_a_unit_without_its_companion_is_incomplete(put: Put, campaign_of: Freeze):
    put("a/x.wav")
    campaign = campaign_of(files("a/{file}.wav", companions=["meta/{file}.xml", "{path}.done"]))
    put("meta/x.xml")
    state = state_at()
    assert found_in(campaign, state) == []
    ((path, _, _, key, ready_at, why),) = state.unsettled
    assert (path, key, ready_at, why) == ("a/x.wav", ("x",), None, "incomplete: a/x.wav.done does not exist")
    put("a/x.wav.done")
    assert len(found_in(campaign)) == 1


def test_a_companion_is_part_of_what_a_unit_was_made_from(put: Put, campaign_of: Freeze):
    put("a/x.wav")
    put("a/x.xml", "one")
    campaign = campaign_of(files("a/{file}.wav", companions="a/{file}.xml", settle=0))
    (before,) = found_in(campaign)
    put("a/x.xml", "three")
    (after,) = found_in(campaign)
    assert before.fingerprint != after.fingerprint


def test_a_companion_must_rest_too(put: Put, campaign_of: Freeze):
    put("a/x.wav")
    put("a/x.xml", mtime=NOW - 1)
    assert found_in(campaign_of(files("a/{file}.wav", companions="a/{file}.xml", settle="10s"))) == []


# Many files, one unit (RULE 5)

STREAMS = "d/{experiment}/{experiment}-r{run:04d}-s{stream:02d}-c{chunk:02d}.h5"


def test_many_files_are_one_unit_with_sorted_paths(put: Put, campaign_of: Freeze):
    for name in ("r0001-s01-c00", "r0001-s00-c01", "r0001-s00-c00", "r0002-s00-c00"):
        put(f"d/e/e-{name}.h5", "ab")
    one, two = found_in(campaign_of(files(STREAMS, many=["stream", "chunk"]), "experiment", "run"))
    assert one.key == ("e", 1)
    assert one.fields["paths"] == [
        "d/e/e-r0001-s00-c00.h5",
        "d/e/e-r0001-s00-c01.h5",
        "d/e/e-r0001-s01-c00.h5",
    ]
    assert one.fields["size"] == 6
    assert "stream" not in one.fields
    assert two.fields["paths"] == ["d/e/e-r0002-s00-c00.h5"]


def test_another_file_changes_the_fingerprint_of_many(put: Put, campaign_of: Freeze):
    campaign = campaign_of(files(STREAMS, many=["stream", "chunk"]), "experiment", "run")
    put("d/e/e-r0001-s00-c00.h5")
    (before,) = found_in(campaign)
    put("d/e/e-r0001-s01-c00.h5")
    (after,) = found_in(campaign)
    assert before.fingerprint != after.fingerprint


def test_one_young_file_holds_back_all_of_its_unit(put: Put, campaign_of: Freeze):
    put("d/e/e-r0001-s00-c00.h5")
    put("d/e/e-r0001-s01-c00.h5", mtime=NOW)
    put("d/e/e-r0002-s01-c00.h5")
    units = found_in(campaign_of(files(STREAMS, many=["stream", "chunk"], settle="10s"), "experiment", "run"))
    assert [unit.key for unit in units] == [("e", 2)]


def test_many_files_may_lie_in_many_folders(put: Put, campaign_of: Freeze):
    for name in ("s0/1.h5", "s1/1.h5", "s0/2.h5"):
        put(name)
    one, two = found_in(campaign_of(files("s{stream:d}/{run:d}.h5", many="stream"), "run"))
    assert one.fields["paths"] == ["s0/1.h5", "s1/1.h5"]
    assert two.fields["paths"] == ["s0/2.h5"]


def test_one_folder_of_many_is_given_before_the_next_is_read(tmp_path: Path, put: Put, campaign_of: Freeze):
    for run in range(3):
        put(f"d/{run}/a-{run}.h5")
        put(f"d/{run}/b-{run}.h5")
    campaign = campaign_of(files("d/{folder}/{stream}-{run:d}.h5", many="stream"), "folder", "run")
    first = next(scan(campaign.sources[0], campaign, state_at()))
    assert len(first.fields["paths"]) == 2


# Hostile names

NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=60
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 240 and not name.startswith("."))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES, folder=NAMES)
@example(name="-rf $(x) `y`;\n'\" \\", folder="--x\n")
def test_any_name_is_found_whole(tmp_path_factory: pytest.TempPathFactory, name: str, folder: str):
    import penstock

    root = tmp_path_factory.mktemp("names")
    (root / f"x{folder}").mkdir()
    (root / f"x{folder}" / f"{name}.wav").write_text("")
    units = files("x{folder}/{file}.wav", settle=0)
    campaign = penstock.Campaign("x", levels=["folder", "file"], units=units, root=root).freeze()
    assert [unit.key for unit in found_in(campaign)] == [(folder, name)]


def test_files_that_are_called_otherwise_are_counted_once(put: Put, campaign_of: Freeze):
    for name in ("a_1.wav", "b1.wav", "c.wav", "notes.txt", ".hidden.wav", "deep.wav/x.txt"):
        put(f"audio/{name}")
    state = state_at()
    units = found_in(campaign_of(files("audio/{site}_{file:d}.wav"), "site", "file"), state)
    assert [unit.key for unit in units] == [("a", 1)]
    assert state.problems == [
        Problem(
            "audio/b1.wav",
            "2 files end in .wav and are not named like audio/{site}_{file:d}.wav; rename what is a unit, `exclude` the rest",
        )
    ]


def test_files_that_the_definition_has_another_use_for_are_no_strangers(put: Put, campaign_of: Freeze):
    names = (
        "a_1.csv",
        "runs.csv",
        "meta-a.csv",
        "a.csv.part",
        "fit=a.csv",
        "x.csv",
        "other-7.csv",
        "a.done.csv",
    )
    for name in names:
        put(f"d/{name}", "run\n")
    units = files(
        "d/{run}_{file:d}.csv",
        companions=["d/meta-{run}.csv"],
        complete={"run": "file d/{run}.done.csv"},
        exclude=["x.*"],
        run=table("d/runs.csv"),
    )
    campaign = campaign_of(units, "run", "file")
    product = Product("product", Pattern.parse("d/fit={run}.csv"))
    other = replace(campaign.sources[-1], pattern=Pattern.parse("d/other-{run}.csv"), level=1)
    stage = Stage("fit", 1, products=(product,))
    state = state_at()
    found_in(replace(campaign, stages=(stage,), sources=(other, *campaign.sources)), state)
    assert [problem for problem in state.problems if "not named like" in problem.why] == []

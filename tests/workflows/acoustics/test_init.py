import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from penstock.config import load
from penstock.errors import DefinitionError
from penstock.workflows.acoustics.cost import Load, say_step
from penstock.workflows.acoustics.definition import Shape
from penstock.workflows.acoustics.init import choose_bin, write_campaign
from penstock.workflows.acoustics.measure import measure

RATE = 8000
BEGIN = datetime(2026, 1, 17, 4, 0, tzinfo=UTC)


@pytest.fixture
def audio(tmp_path, write_wav, noise):
    for i in range(3):
        write_wav(f"audio/rec_{BEGIN + timedelta(seconds=10 * i):%y%m%d_%H%M%S}.wav", noise)
    return tmp_path / "audio"


@pytest.mark.parametrize("how", ["{}", "{}/*.wav", "{}/rec_{{begin:%y%m%d_%H%M%S}}.wav"])
def test_a_folder_a_glob_and_a_pattern_give_the_same_definition(tmp_path, audio, how):
    made = write_campaign(tmp_path / "winter", how.format(audio))
    written = tomllib.loads(made.definition.read_text())
    assert written["campaign"] == {"name": "winter", "levels": ["file"]}
    assert written["units"] == {
        "files": f"{audio}/rec_{{begin:%y%m%d_%H%M%S}}.wav",
        "derive": {"file": "stem"},
    }
    assert written["params"]["sample_rate"] == RATE
    assert written["stage"]["spectrogram"]["batch"] == 200
    assert len(made.dataset.recordings) == 3


def test_what_is_written_is_a_definition_that_the_engine_takes(tmp_path, audio):
    write_campaign(tmp_path / "winter", str(audio), params={"sensitivity": -170.0, "window": "blackman"})
    campaign = load(tmp_path / "winter")
    assert [stage.name for stage in campaign.stages] == [
        "spectrogram",
        "ltas",
        "soundscape",
        "quality",
        "report",
    ]
    assert campaign.stages[0].params["sensitivity"] == -170.0
    assert campaign.stages[0].params["window"] == "blackman"


@pytest.mark.parametrize("chain", [False, True])
def test_every_stage_says_what_it_needs_and_workers_are_not_those_of_this_machine(tmp_path, audio, chain):
    shape, params = (
        Shape(200, chain=chain, aplose=True),
        {"resample": 4000, "normalise": "dc", "normalise_over": "whole"},
    )
    write_campaign(tmp_path / "w", str(audio), shape=shape, params=params if chain else {})
    for stage in load(tmp_path / "w").stages:
        assert stage.resources.walltime_s == 120, stage.name
        assert stage.resources.memory_bytes == 170 * 10**6, stage.name
        assert stage.workers == 1


def test_time_and_memory_follow_the_longest_recording_and_the_lines():
    day = Load(86400 * 256_000.0, 1000, 128_001)
    assert day.each() == {"memory": "250MB", "walltime": "295min"}
    assert day.all() == {"memory": "250MB", "walltime": "25min"}


def test_a_figure_of_hours_and_days_is_made_of_a_day_and_more(tmp_path, audio, write_wav, noise):
    assert "recurrence" not in write_campaign(tmp_path / "short", str(audio)).definition.read_text()
    write_wav(f"audio/rec_{BEGIN + timedelta(days=1):%y%m%d_%H%M%S}.wav", noise)
    assert "recurrence" in write_campaign(tmp_path / "long", str(audio)).definition.read_text()


def test_recordings_inside_the_folder_are_named_from_it(tmp_path, audio):
    made = write_campaign(tmp_path, str(audio))
    assert tomllib.loads(made.definition.read_text())["units"]["files"].startswith("audio/rec_")


def test_a_pattern_that_names_its_file_needs_no_other_key(tmp_path, audio):
    made = write_campaign(tmp_path / "w", f"{audio}/{{file}}_{{begin:%y%m%d_%H%M%S}}.wav")
    assert "derive" not in tomllib.loads(made.definition.read_text())["units"]


def test_hostile_names_are_written_as_they_are(tmp_path, write_wav, noise):
    folder = 'a "quoted" \\ {brace} é folder'
    write_wav(f"{folder}/x_20260117_040000.wav", noise)
    made = write_campaign(tmp_path / "w", str(tmp_path / folder))
    written = tomllib.loads(made.definition.read_text())["units"]["files"]
    assert written.replace("{{", "{").replace("}}", "}").startswith(str(tmp_path / folder))


def test_a_second_init_does_not_overwrite(tmp_path, audio):
    write_campaign(tmp_path / "w", str(audio))
    with pytest.raises(DefinitionError, match="already exists"):
        write_campaign(tmp_path / "w", str(audio))


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{}/none*.wav", "no recordings match"),
        ("{}/{{begin:%Y}}.flac", "no recordings match"),
        ("{}/{{file}}.wav", "has no time"),
    ],
)
def test_an_audio_that_cannot_be_used_is_one_sentence(tmp_path, audio, pattern, said):
    with pytest.raises(DefinitionError, match=said):
        write_campaign(tmp_path / "w", pattern.format(audio))
    assert not (tmp_path / "w").exists()


def test_a_folder_of_two_formats_wants_a_choice(tmp_path, audio, write_wav, noise):
    write_wav("audio/rec_260117_050000.flac", noise)
    with pytest.raises(DefinitionError, match=r"\.flac and \.wav files; choose, as"):
        write_campaign(tmp_path / "w", str(audio))


def test_a_wrong_parameter_leaves_nothing_behind(tmp_path, audio):
    with pytest.raises(DefinitionError, match="overlap is 2"):
        write_campaign(tmp_path / "w", str(audio), params={"overlap": 2})
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(("rate", "hop", "width"), [(48000, 512, 10), (8000, 512, 10), (250, 512, 300)])
def test_bins_hold_enough_frames_to_be_small_beside_the_matrix(rate, hop, width):
    assert choose_bin(rate, hop) == width


def cards(write_wav, noise, *names):
    for name in names:
        write_wav(f"cards/{name}", noise)


def test_recordings_in_the_folders_of_memory_cards_are_found(tmp_path, write_wav, noise):
    cards(
        write_wav, noise, "1/A_20260117_040000.WAV", "2/deep/A_20260117_040010.wav", "A_20260117_040020.wav"
    )
    write_wav("cards/old/spectra/A_20260117_050000.wav", noise)
    (tmp_path / "cards/old/penstock.toml").touch()
    write_wav("cards/.trash/A_20260117_060000.wav", noise)
    for i, audio in enumerate(("cards", "cards/**/*_0400*.[wW][aA][vV]")):
        made = write_campaign(tmp_path / f"w{i}", str(tmp_path / audio))
        assert [each.name for each in made.dataset.recordings] == [
            *("A_20260117_040000.WAV", "A_20260117_040010.wav", "A_20260117_040020.wav")
        ]
        written = tomllib.loads(made.definition.read_text())
        assert (written["campaign"]["levels"], written["units"]["table"]) == (["file"], "recordings.csv")
        load(tmp_path / f"w{i}")


def test_the_same_name_on_two_cards_gets_a_level(tmp_path, write_wav, noise):
    cards(write_wav, noise, "card 1/20260117_040000.wav", "card 2/20260117_040000.wav")
    made = write_campaign(tmp_path / "w", str(tmp_path / "cards"), params={"nfft": 256})
    written = tomllib.loads(made.definition.read_text())
    assert written["campaign"]["levels"] == ["card", "file"]
    assert written["stage"]["spectrogram"]["products"]["spectrum"] == "spectra/{card}/{file}.nc"
    ran = subprocess.run(
        [sys.executable, "-m", "penstock", "run"],
        cwd=tmp_path / "w",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert sorted(
        str(each.relative_to(tmp_path / "w")) for each in (tmp_path / "w/spectra").rglob("*.nc")
    ) == [
        "spectra/card-1/20260117_040000.nc",
        "spectra/card-2/20260117_040000.nc",
    ]
    page = (tmp_path / "w/days/2026-01-17.html").read_text()
    assert "../pictures/card-1/20260117_040000.png" in page
    assert (tmp_path / "w/report/qc.csv").read_text().count("20260117_040000.wav") == 2


def test_names_that_differ_in_the_case_of_their_ending_alone_are_one_folder(tmp_path, write_wav, noise):
    cards(write_wav, noise, "20260117_040000.WAV", "20260117_040010.wav")
    made = write_campaign(tmp_path / "w", str(tmp_path / "cards"))
    assert [each.begin.second for each in made.dataset.recordings] == [0, 10]
    assert not [finding for each in made.dataset.recordings for finding in each.findings]


@pytest.mark.parametrize(
    ("subtype", "overlap", "step"),
    [("PCM_16", 0.5, 1.0), ("PCM_16", 0.0, 0.1), ("PCM_24", 0.5, 0.2), ("FLOAT", 0.5, 0.1)],
)
def test_stored_levels_are_as_fine_as_they_can_be_while_small(
    tmp_path, write_wav, noise, subtype, overlap, step
):
    path = write_wav("a/20260117_040000.wav", np.tile(noise, 6), subtype=subtype)
    made = write_campaign(tmp_path / "w", str(tmp_path / "a"), params={"overlap": overlap})
    assert made.settings.step_db == tomllib.loads(made.definition.read_text())["params"]["step_db"] == step
    measure(str(path), BEGIN, made.settings, product=tmp_path / "o.nc", picture=tmp_path / "o.png")
    assert (tmp_path / "o.nc").stat().st_size <= 0.35 * path.stat().st_size
    said = say_step(made.dataset, made.settings)
    assert said.startswith(f"levels are stored in steps of {step:g} dB")
    assert ("would take about 0." in said) == (step > 0.1)


def test_the_pages_of_a_closed_campaign_are_published_where_that_is_asked_for(tmp_path, audio):
    shape = Shape(200, close=True, public="public")
    campaign = load(write_campaign(tmp_path / "winter", str(audio), shape=shape).definition.parent)
    assert campaign.publish["web"].to == "public"
    assert {"report", "spectrogram"} <= {shown.stage for shown in campaign.publish["web"].files}
    steps = [stage.closing.step for stage in campaign.stages if stage.closing]
    assert steps == ["verify", "provenance", "publish", "seal"]


def test_a_campaign_is_closed_where_that_is_asked_for(tmp_path, audio):
    shape = Shape(200, close=True)
    campaign = load(write_campaign(tmp_path / "winter", str(audio), shape=shape).definition.parent)
    assert [stage.closing.step for stage in campaign.stages if stage.closing] == [
        "verify",
        "provenance",
        "seal",
    ]
    assert set(campaign.stage("close.campaign.seal").closing.members) == {
        "spectrogram", "ltas", "soundscape", "quality", "report",
    }  # fmt: skip

import numpy as np
import pytest

from penstock.workflows.acoustics.colours import choose_range
from penstock.workflows.acoustics.init import find_recordings, write_campaign
from penstock.workflows.acoustics.page import say_colours
from penstock.workflows.acoustics.recordings import scan_paths
from penstock.workflows.acoustics.settings import Settings


@pytest.fixture
def look(tmp_path, write_wav):
    def look(sounds, **params):
        for i, sound in enumerate(sounds):
            write_wav(f"audio/20260117_04{i:02d}00.wav", sound, subtype="FLOAT")
        found = find_recordings(tmp_path, str(tmp_path / "audio"))
        settings = Settings.read({"nfft": 256} | params)
        return choose_range(scan_paths(found.paths, found.naming, settings), settings)

    return look


def level(noise, factor=1.0):
    return 10 * np.log10(np.square(noise * factor).mean() / 4000)


def test_one_range_suits_quiet_and_loud_recordings(look, noise):
    low, high = look([noise, noise * 0.01])
    assert low < level(noise, 0.01) - 5
    assert level(noise) + 3 < high < level(noise) + 20
    assert low % 5 == high % 5 == 0


def test_one_recording_in_ten_that_is_far_louder_is_off_the_scale(look, noise):
    _, usual = look([noise * 0.01] * 11 + [noise * 5])
    assert usual < level(noise, 0.01) + 20


@pytest.mark.parametrize(
    "params",
    [
        {"sensitivity": -170.0},
        {"resample": 4000, "normalise": "dc"},
        {"band_pass": [100, 1000]},
        {"nfft": 8000},
    ],
)
def test_the_range_is_of_what_pictures_will_show(look, noise, params):
    low, high = look([noise], **params)
    offset = 170 if "sensitivity" in params else 0
    assert high > level(noise) + offset > low


def test_what_cannot_be_heard_has_no_range(look, noise):
    assert look([noise[:100], noise[:0]]) is None


def test_a_campaign_has_one_range_and_its_page_says_so(tmp_path, write_wav, noise):
    write_wav("audio/20260117_040000.wav", noise)
    made = write_campaign(tmp_path / "w", str(tmp_path / "audio"))
    low, high = made.settings.db_range
    assert say_colours(made.settings) == (
        f"Colours span {low:g} to {high:g} dB in all spectrograms and in the long-term average."
    )
    assert "in each picture" in say_colours(Settings())

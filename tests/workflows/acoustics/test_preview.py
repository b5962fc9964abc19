import re

import pytest
from click.testing import CliRunner

from penstock.workflows.acoustics import plugin
from penstock.workflows.acoustics.names import guess_pattern, parse_pattern
from penstock.workflows.acoustics.preview import Look, choose, estimate
from penstock.workflows.acoustics.recordings import scan_paths


@pytest.fixture
def dataset(write_wav, noise):
    paths = [str(write_wav(f"audio/2026011{i}_040000.wav", noise)) for i in range(6)]
    with open(paths[5], "r+b") as file:
        file.truncate(1000)
    return scan_paths(paths, parse_pattern(guess_pattern(paths)))


def test_the_choice_is_random_but_the_same_for_the_same_seed(dataset):
    chosen = [tuple(each.name for each in choose(dataset, 3, seed)) for seed in (0, 0, 1, 2, 3)]
    assert chosen[0] == chosen[1]
    assert len(set(chosen)) > 1
    assert {len(set(each)) for each in chosen} == {3}


def test_a_faulty_recording_is_not_chosen(dataset):
    assert len(choose(dataset, 100)) == 5


def test_time_and_size_grow_with_the_length_of_the_sound(dataset):
    looks = [Look("a", "", "x", 10.0, 0.5, 1000), Look("b", "", "x", 10.0, 1.5, 3000)]
    made = estimate(looks, dataset)
    assert made.hours == pytest.approx(50 / 3600)
    assert made.cpu_hours == pytest.approx(2.0 * 50 / 20 / 3600)
    assert made.bytes == pytest.approx(4000 * 50 / 20)


def test_the_page_holds_the_pictures_itself(dataset, tmp_path):
    page = tmp_path / "look.html"
    words = [
        "preview",
        page,
        "--n",
        "2",
        "--audio",
        tmp_path / "audio",
        "--nfft",
        "256",
        "--db-range",
        "-90",
        "-20",
    ]
    shown = CliRunner().invoke(plugin.group, [str(word) for word in words], catch_exceptions=False)
    assert "0.01 h of sound: about" in shown.output
    text = page.read_text()
    assert len(re.findall(r'src="data:image/png;base64,[A-Za-z0-9+/=]{1000,}"', text)) == 2
    assert "http" not in text.replace("data:image", "")

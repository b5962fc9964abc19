"""An empty source says what is there instead."""

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock import files, function, table
from penstock.campaign import Campaign
from penstock.sources import explain_nothing

Put = Callable[..., Path]
Freeze = Callable[..., Campaign]


def explained(campaign: Campaign) -> str:
    return explain_nothing(campaign.sources[0], campaign)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("audio/{file}.wv", "in 'audio' below {root} the nearest to '{{file}}.wv' is 'b.wav' (of 2)"),
        ("audoi/{file}.wav", "in {root} the nearest to 'audoi' is 'audio' (of 1)"),
        ("{folder}/deep/{file}.wav", "in 'audio' below {root} the nearest to 'deep' is"),
        ("{root}/audio/{file}.wv", "in {root}/audio the nearest to"),
        ("{root}/nowhere/{file}.wv", "in {root} the nearest to 'nowhere' is 'audio'"),
    ],
)
def test_the_nearest_name_is_told_with_its_place(
    put: Put, campaign_of: Freeze, tmp_path: Path, pattern: str, said: str
):
    put("audio/a.txt")
    put("audio/b.wav")
    text = pattern.replace("{root}", str(tmp_path))
    sentence = explained(campaign_of(files(text), *(["folder", "file"] if "folder" in text else ["file"])))
    assert sentence.startswith(f"no files match {text!r}: ")
    assert said.format(root=tmp_path) in sentence


def test_an_empty_folder_is_told(campaign_of: Freeze, tmp_path: Path):
    (tmp_path / "audio").mkdir()
    assert "there is nothing; put data there" in explained(campaign_of(files("audio/{file}.wav")))


def test_files_that_are_all_excluded_are_told(put: Put, campaign_of: Freeze):
    put("a/b.wav")
    assert "excluded or badly named" in explained(campaign_of(files("a/{file}.wav", exclude="*")))


def test_a_file_in_place_of_a_folder_is_told(put: Put, campaign_of: Freeze):
    put("a/b.wav")
    sentence = explained(campaign_of(files("a/{folder}/{file}.wav"), "folder", "file"))
    assert "'b.wav' is not a folder, and the pattern goes on below it" in sentence


def test_a_missing_and_an_empty_table_are_told(put: Put, campaign_of: Freeze):
    assert "does not exist; write a header" in explained(campaign_of(table("t.csv"), "run"))
    put("t.csv", "run\n")
    assert "has no rows" in explained(campaign_of(table("t.csv"), "run"))


def test_a_function_without_units_is_told(campaign_of: Freeze):
    assert "gave no units" in explained(campaign_of(function("a:b"), "run"))

"""`--set` lays values over the definition, and is recorded."""

import re
from collections.abc import Callable

import pytest

from penstock.campaign import Campaign
from penstock.errors import DefinitionError

Define = Callable[..., Campaign]

TEXT = """
[params]
fs = 48000
[stage.spectrogram]
each = "file"
python = "a:b"
params = { window = 1024, band = { low = 10 } }
"""


def test_a_value_is_laid_over_and_recorded(define: Define):
    campaign = define(TEXT, "stage.spectrogram.params.window=2048", "stage.spectrogram.workers = 3")
    assert campaign.stage("spectrogram").params["window"] == 2048
    assert campaign.stage("spectrogram").workers == 3
    assert campaign.overrides == ("stage.spectrogram.params.window=2048", "stage.spectrogram.workers = 3")


@pytest.mark.parametrize(
    ("written", "value"),
    [("2", 2), ("2.5", 2.5), ("true", True), ('"2"', "2"), ("hann", "hann"), ("[1, 2]", [1, 2]), ("a b=c", "a b=c"),
     ("2020-01-17", "2020-01-17"), ("{ a = 1 }", {"a": 1}), ("", ""), ("1\nx = 2", "1\nx = 2"), ("a\"b", 'a"b')],
)  # fmt: skip
def test_a_value_is_toml_and_a_bare_word_is_text(define: Define, written: str, value: object):
    campaign = define(TEXT, f"stage.spectrogram.params.window={written}")
    assert campaign.stage("spectrogram").params["window"] == value


def test_a_shared_parameter_is_laid_over(define: Define):
    assert define(TEXT, "params.fs=96000").stage("spectrogram").params["fs"] == 96000


def test_a_stage_can_be_given_its_own_value_of_a_shared_parameter(define: Define):
    assert define(TEXT, "stage.spectrogram.params.fs=8000").stage("spectrogram").params["fs"] == 8000


def test_a_table_that_was_not_needed_is_added(define: Define):
    campaign = define(TEXT, "stage.spectrogram.resources.memory=1GB", "site.local.cores=1")
    assert campaign.stage("spectrogram").resources.memory_bytes == 10**9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stage.spectogram.params.window=1", "stage has no 'spectogram'; did you mean 'spectrogram'?"),
        ("stage.spectrogram.params.widnow=1", "there is no parameter 'widnow'; did you mean 'window'?"),
        ("stage.spectrogram.params.band.lo=1", "there is no parameter 'lo'; did you mean 'low'?"),
        ("stage.spectrogram.param.window=1", "has no key 'param'; did you mean 'params'?"),
        ("stage.spectrogram.wokers=1", "has no key 'wokers'; did you mean 'workers'?"),
        ("stage.spectrogram.workers=none", "is 'none'; it must be a whole number"),
        ("site.datarmor.cores=2", "site has no 'datarmor'"),
        ("campain.name=x", "has no key 'campain'; did you mean 'campaign'?"),
        ("campaign.name.x=1", "campaign.name is one value"),
        ("workers", "is not of the form"),
        ("workers=3", "is not of the form"),
        ("stage..x=3", "is not of the form"),
    ],
)
def test_a_wrong_override_names_itself_and_the_nearest(define: Define, text: str, said: str):
    with pytest.raises(DefinitionError, match=re.escape(said)) as caught:
        define(TEXT + '[site.far]\nscheduler = "pbs"\n', text)
    assert str(caught.value).startswith(f"--set {text}: ")

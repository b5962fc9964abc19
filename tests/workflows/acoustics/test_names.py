from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import DefinitionError
from penstock.workflows.acoustics.names import guess_pattern, parse_pattern, with_fraction

COMMON = {
    "sample_%y%m%d_%H%M%S.wav": "sample_{begin:%y%m%d_%H%M%S}.wav",
    "%Y%m%d_%H%M%S.wav": "{begin:%Y%m%d_%H%M%S}.wav",
    "x%Y%m%d%H%M%S.flac": "x{begin:%Y%m%d%H%M%S}.flac",
    "%Y-%m-%dT%H-%M-%S.wav": "{begin:%Y-%m-%dT%H-%M-%S}.wav",
    "%Y-%m-%dT%H:%M:%SZ.wav": "{begin:%Y-%m-%dT%H:%M:%S}Z.wav",
    "%Y-%m-%dT%H_%M_%S.000Z.wav": "{begin:%Y-%m-%dT%H_%M_%S}.000Z.wav",
    "A.%Y_%m_%d_%H_%M_%S.wav": "A.{begin:%Y_%m_%d_%H_%M_%S}.wav",
    "5045.%y%m%d%H%M%S.wav": "5045.{begin:%y%m%d%H%M%S}.wav",
    "B_%Y%m%dT%H%M%S+0000.wav": "B_{begin:%Y%m%dT%H%M%S%z}.wav",
}
MOMENTS = [datetime(2022, 9, 25, 22, 34, 50, tzinfo=UTC), datetime(2022, 12, 31, 23, 59, 59, tzinfo=UTC)]


@pytest.mark.parametrize("form", list(COMMON))
def test_common_names_are_understood(form):
    paths = [f"data/{moment:{form}}" for moment in MOMENTS]
    text = guess_pattern(paths)
    assert text == "data/" + COMMON[form]
    assert [parse_pattern(text).begin(path) for path in paths] == MOMENTS


CLEAR = sorted(form for form in COMMON if "%y%m%d%H%M%S" not in form)  # twelve digits may be read in two ways


MOMENT = st.integers(631_152_000, 3_092_601_600).map(lambda second: datetime.fromtimestamp(second, UTC))


@given(MOMENT, st.sampled_from(CLEAR))
def test_a_guessed_pattern_reads_the_time_back(moment, form):
    path = f"{moment:{form}}"
    assert parse_pattern(guess_pattern([path])).begin(path) == moment


def test_what_differs_beside_the_time_becomes_a_field():
    assert guess_pattern(["d/A_20200101_000000.wav", "d/B_20200101_000000.wav"]) == (
        "d/{prefix}_{begin:%Y%m%d_%H%M%S}.wav"
    )
    assert guess_pattern(["20200101_000000_u.wav", "20200101_000500_v.wav"]) == (
        "{begin:%Y%m%d_%H%M%S}_{suffix}.wav"
    )


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (
            ["PAM_20200101_120000_123.wav", "PAM_20200101_121000_087.wav"],
            "PAM_{begin:%Y%m%d_%H%M%S}_{fraction}.wav",
        ),
        (["PAM_20200101_120000_123.wav"], "PAM_{begin:%Y%m%d_%H%M%S}_{fraction}.wav"),
        (["20200101_120000_001.wav", "20200101_121000_002.wav"], "{begin:%Y%m%d_%H%M%S}_{suffix}.wav"),
        (["ICLISTENHF1560_20180101T000000.125Z.wav"], "ICLISTENHF1560_{begin:%Y%m%dT%H%M%S}.{fraction}Z.wav"),
        (["a_20180101T000000.000Z-HPF.wav"], "a_{begin:%Y%m%dT%H%M%S}.000Z-HPF.wav"),
        (["a_20180101T000000.125+0200.wav"], "a_{begin:%Y%m%dT%H%M%S.%f%z}.wav"),
        (["a_2018-01-01T00:00:00+02:00.wav"], "a_{begin:%Y-%m-%dT%H:%M:%S%z}.wav"),
        (["Site_disk01_df20_100912_120000.d20.x.wav"], "Site_disk01_df20_{begin:%y%m%d_%H%M%S}.d20.x.wav"),
    ],
)
def test_names_of_real_recorders_are_understood(names, text):
    assert guess_pattern(names) == text


def test_milliseconds_and_offsets_are_part_of_the_begin():
    paths = [
        "PAM_20200101_120000_123.wav",
        "a_20200101T140000.125+0200.wav",
        "a_2020-01-01T14:00:00+02:00.wav",
    ]
    patterns = [parse_pattern(guess_pattern([path])) for path in paths]
    begins = [with_fraction(p.begin(path), p.fields(path)) for p, path in zip(patterns, paths, strict=True)]
    noon = datetime(2020, 1, 1, 12, tzinfo=UTC)
    assert [(each - noon).total_seconds() for each in begins] == pytest.approx([0.123, 0.125, 0])
    assert [p.plain([path]) for p, path in zip(patterns, paths, strict=True)] == [True, False, False]


def test_a_clock_of_twelve_hours_is_read():
    text = guess_pattern(["a_2020-01-02 03-04-05 PM.wav"], "%Y-%m-%d %I-%M-%S %p")
    assert parse_pattern(text).begin("a_2020-01-02 03-04-05 pm.wav") == datetime(
        2020, 1, 2, 15, 4, 5, tzinfo=UTC
    )
    assert not parse_pattern(text).plain([])


@pytest.mark.parametrize(
    ("text", "zoned"),
    [
        ("{begin:%Y%m%d_%H%M%S}Z.wav", True),
        ("{begin:%Y%m%d_%H%M%S}_UTC.wav", True),
        ("{begin:%Y%m%d_%H%M%S}.000Z-HPF.wav", True),
        ("{begin:%Y%m%d_%H%M%S}_{fraction}Z_{suffix}.wav", True),
        ("{begin:%Y%m%d_%H%M%S%z}.wav", True),
        ("{begin:%Y%m%d_%H%M%S}_Zone3.wav", False),
        ("UTC_{begin:%Y%m%d_%H%M%S}.wav", False),
    ],
)
def test_names_that_tell_their_zone_are_known(text, zoned):
    assert parse_pattern(text).zoned == zoned


def test_digits_after_the_second_become_a_fraction():
    text = guess_pattern(["2017-10-07T00:16:22.125Z.wav", "2017-10-07T00:16:32.250Z.wav"])
    assert text == "{begin:%Y-%m-%dT%H:%M:%S}.{fraction}Z.wav"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.wav", "b.wav"], "there is no time in 'a.wav'"),
        (["20200101_000000.wav", "notes.wav"], "there is no time in 'notes.wav'"),
        (["20200101_000000_20200101_001000.wav"], "can be read as .* at character 1 or .* at character 17"),
        (["201011122334.wav"], "can be read as .*%y%m%d%H%M%S at character 1.*"),
        (["20200101_000000.wav", "2020-01-01T00-10-00.wav"], "write their times differently"),
        (["A20200101_000000.wav", "B20200101_000000.wav"], "directly beside their time"),
        (["a/20200101_000000.wav", "b/20200101_000000.wav"], "2 folders"),
        (["20201301_000000.wav"], "no time"),
    ],
)
def test_names_that_cannot_be_guessed_are_an_error_with_a_remedy(names, said):
    with pytest.raises(DefinitionError, match=said) as raised:
        guess_pattern(names)
    assert "--begin FORMAT" in str(raised.value) or "pattern with fields" in str(raised.value)


def test_a_given_format_reads_uncommon_names():
    text = guess_pattern(["rec25092022-2234.wav"], "%d%m%Y-%H%M")
    assert text == "rec{begin:%d%m%Y-%H%M}.wav"
    assert parse_pattern(text).begin("rec25092022-2234.wav") == datetime(2022, 9, 25, 22, 34, tzinfo=UTC)


def test_a_format_with_an_unknown_letter_is_an_error():
    with pytest.raises(DefinitionError, match="%Q"):
        guess_pattern(["20200101.wav"], "%Q")


def test_a_zone_is_brought_to_utc():
    pattern = parse_pattern("{begin:%Y%m%dT%H%M%S%z}.wav")
    assert pattern.begin("20200101T020000+0200.wav") == datetime(2020, 1, 1, tzinfo=UTC)


def test_a_name_that_does_not_fit_has_no_begin():
    pattern = parse_pattern("a_{begin:%Y%m%d}.wav")
    assert pattern.begin("a_20201301.wav") is None
    assert pattern.begin("b_20200101.wav") is None


def test_a_pattern_finds_files_whatever_else_is_in_their_names(tmp_path):
    folder = tmp_path / "odd [name] {x}"
    folder.mkdir()
    (folder / "a_20200101.wav").touch()
    (folder / "b.txt").touch()
    text = guess_pattern([str(folder / "a_20200101.wav")], "%Y%m%d")
    assert parse_pattern(text).find() == [str(folder / "a_20200101.wav")]

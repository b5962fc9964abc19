import csv
import tomllib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from penstock.errors import DefinitionError
from penstock.workflows.acoustics import plugin
from penstock.workflows.acoustics.init import Times, find_recordings, write_campaign
from penstock.workflows.acoustics.names import parse_pattern
from penstock.workflows.acoustics.recordings import scan_campaign, scan_paths
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.times import Localised, back_to_back, read_timestamps, read_zone

FIRST = datetime(2017, 10, 7, 0, 16, 22, tzinfo=UTC)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "timestamp.csv"
    path.write_text("a.wav,2017-10-07T00:16:22.000Z\nb.wav,2017-10-07T00:16:32.500Z\n")
    return path


@pytest.fixture
def audio(tmp_path, write_wav, noise):
    for name in ("a", "b", "c"):
        write_wav(f"audio/{name}.wav", noise)
    return tmp_path / "audio"


def test_a_table_without_header_tells_the_times(table):
    made = read_timestamps(table)
    assert made.begin("anywhere/a.wav") == FIRST
    assert made.begin("b.wav") == FIRST + timedelta(seconds=10.5)
    assert made.begin("c.wav") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.wav,2017-10-07T00:16:22Z\na.wav,2017-10-07T00:16:23Z\n", "two times for 'a.wav' (line 2)"),
        ("a.wav\n", "line 1 of"),
        ("a.wav,7 o'clock\n", "is not a time"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_sentence(tmp_path, text, said):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DefinitionError) as raised:
        read_timestamps(path)
    assert said in str(raised.value)


def test_a_header_and_a_zone_are_understood(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("filename,timestamp\na.wav,2017-10-07T02:16:22\n")
    assert read_timestamps(path, ZoneInfo("Europe/Paris")).begin("a.wav") == FIRST


@pytest.mark.parametrize(
    ("name", "hour"),
    [("20260117_060000.wav", 5), ("20260717_060000.wav", 4), ("20260117_060000+0500.wav", 1)],
)
def test_times_in_names_are_those_of_a_place_unless_they_say_so(name, hour):
    form = "{begin:%Y%m%d_%H%M%S%z}.wav" if "+" in name else "{begin:%Y%m%d_%H%M%S}.wav"
    naming = Localised(parse_pattern(form), read_zone("Europe/Paris"))
    assert naming.begin(name).hour == hour
    assert naming.begin("x.wav") is None


@pytest.mark.parametrize(
    "name", ["20260717_060000Z.wav", "20260717_060000_UTC.wav", "20260717_080000+0200.wav"]
)
def test_what_a_name_says_of_its_zone_wins(name, tmp_path, write_wav, noise):
    write_wav(f"zoned/{name}", noise)
    found = find_recordings(tmp_path, str(tmp_path / "zoned"), times=Times(zone="America/New_York"))
    begin = found.naming.begin(str(tmp_path / "zoned" / name))
    assert begin == datetime(2026, 7, 17, 6, tzinfo=UTC)


def test_a_time_that_the_clocks_of_the_place_leave_out_is_refused(tmp_path, write_wav, noise):
    for hour in (1, 2, 3):
        write_wav(f"spring/20260329_{hour:02d}3000.wav", noise)
    with pytest.raises(DefinitionError) as raised:
        write_campaign(tmp_path / "w", str(tmp_path / "spring"), times=Times(zone="Europe/Paris"))
    said = str(raised.value)
    assert "leave out 2026-03-29 02:30:00, the time of 20260329_023000.wav" in said
    assert "--timezone UTC" in said
    table = tmp_path / "t.csv"
    table.write_text("a.wav,2026-03-29T02:30:00\n")
    with pytest.raises(DefinitionError, match=r"the time of a\.wav"):
        read_timestamps(table, ZoneInfo("Europe/Paris"))


def test_a_time_that_the_engine_cannot_read_comes_from_a_table(tmp_path, write_wav, noise):
    write_wav("pm/2026-01-02 03-04-05 PM.wav", noise)
    made = write_campaign(tmp_path / "w", str(tmp_path / "pm"), begin="%Y-%m-%d %I-%M-%S %p")
    assert tomllib.loads(made.definition.read_text())["units"]["table"] == "recordings.csv"
    with (tmp_path / "w/recordings.csv").open(newline="") as file:
        assert [row["begin"] for row in csv.DictReader(file)] == ["2026-01-02T15:04:05Z"]


def test_an_unknown_zone_is_one_sentence():
    with pytest.raises(DefinitionError, match="no time zone 'Brest'"):
        read_zone("Brest")


def test_files_without_times_lie_back_to_back(audio, write_wav):
    (audio / "b.wav").write_bytes(b"no sound")
    naming = back_to_back(sorted(map(str, audio.iterdir())), FIRST)
    assert [naming.begin(name) for name in ("a.wav", "b.wav", "c.wav")] == [
        FIRST,
        None,
        FIRST + timedelta(seconds=10),
    ]


def test_files_and_rows_without_each_other_are_both_told(audio, table):
    table.write_text(table.read_text() + "z.wav,2017-10-07T01:00:00Z\n")
    found = find_recordings(audio.parent, str(audio), times=Times(table))
    dataset = scan_paths(found.paths, found.naming)
    told = {each.name: [finding.kind for finding in each.findings] for each in dataset.recordings}
    assert told == {"a.wav": [], "b.wav": [], "c.wav": ["badly_named"], "z.wav": ["missing"]}


def test_a_campaign_whose_names_tell_no_time_takes_its_units_from_a_table(audio, table, tmp_path):
    made = write_campaign(tmp_path / "w", str(audio), times=Times(table))
    written = tomllib.loads(made.definition.read_text())
    assert written["units"] == {"table": "recordings.csv", "types": {"begin": "datetime"}}
    with (tmp_path / "w/recordings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["begin"]) for row in rows][:2] == [
        ("a", "2017-10-07T00:16:22Z"),
        ("b", "2017-10-07T00:16:32.500000Z"),
    ]
    again = scan_campaign(written["params"], Settings(), str(tmp_path / "w"))
    assert [each.begin for each in again.recordings][:2] == [FIRST, FIRST + timedelta(seconds=10.5)]


def test_recordings_of_two_instruments_are_refused_unless_resampled(tmp_path, write_wav, noise):
    for i in range(4):
        write_wav(f"audio/2026011{i}_040000.wav", noise, rate=8000 if i % 2 else 16000)
    with pytest.raises(DefinitionError, match="2 of 16000 Hz, 2 of 8000 Hz"):
        write_campaign(tmp_path / "w", str(tmp_path / "audio"))
    made = write_campaign(tmp_path / "w", str(tmp_path / "audio"), params={"resample": 8000})
    assert {f.kind for each in made.dataset.recordings for f in each.findings} <= {
        "other_rate",
        "duration",
        "gap",
    }


def test_build_writes_the_old_metadata(audio, tmp_path):
    words = ["build", tmp_path / "about", "--audio", audio, "--back-to-back", "2017-10-07T00:16:22Z"]
    words += ["--metadata", "--lat", 48.4, "--lon", -4.5, "--depth", 120]
    shown = CliRunner().invoke(plugin.group, [str(word) for word in words], catch_exceptions=False)
    assert shown.exit_code == 0
    with (tmp_path / "about/metadata.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "origin_sr": "8000",
        "sample_bits": "16",
        "channel_count": "1",
        "audio_file_count": "3",
        "start_date": "2017-10-07T00:16:22Z",
        "end_date": "2017-10-07T00:16:52Z",
        "dutyCycle_percent": "100.0",
        "audio_file_origin_duration": "10.0",
        "audio_file_origin_volume": "0.160044",
        "dataset_origin_volume": "0.00048",
        "dataset_origin_duration": "30.0",
        "lat": "48.4",
        "lon": "-4.5",
        "depth": "120.0",
    }

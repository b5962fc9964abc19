from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from penstock.workflows.acoustics.names import parse_pattern
from penstock.workflows.acoustics.recordings import scan
from penstock.workflows.acoustics.settings import Settings

RATE = 8000
BEGIN = datetime(2026, 1, 17, 4, 0, tzinfo=UTC)


@pytest.fixture
def pattern(tmp_path):
    return parse_pattern(f"{tmp_path}/{{begin:%Y%m%d_%H%M%S}}.wav")


@pytest.fixture
def write(write_wav, noise):
    def write(second, samples=noise, rate=RATE, subtype="PCM_16"):
        return write_wav(f"{BEGIN + timedelta(seconds=second):%Y%m%d_%H%M%S}.wav", samples, rate, subtype)

    return write


def found(dataset):
    return {
        each.path[-10:-4]: [finding.kind for finding in each.findings]
        for each in dataset.recordings
        if each.findings
    }


def test_each_planted_fault_is_found_and_nothing_else(pattern, write, tmp_path, noise):
    for second in (0, 10, 20, 30, 70, 80):
        write(second)
    truncated = write(40)
    truncated.write_bytes(truncated.read_bytes()[:-2000])
    write(50, np.repeat(noise, 2), 2 * RATE)
    write(60, np.column_stack((noise, noise)))
    write(90, subtype="PCM_24")
    write(150)
    write(155)
    write(165, noise[: 9 * RATE])
    (tmp_path / "notes.wav").write_text("no recording")
    (tmp_path / "20260117_050000.wav").touch()
    (tmp_path / "20260117_050010.wav").write_bytes(b"RIFF")
    write(200, noise[:0])
    dataset = scan(pattern)
    assert found(dataset) == {
        "040040": ["truncated"],
        "040050": ["rate"],
        "040100": ["channels"],
        "040130": ["bits"],
        "040230": ["gap"],
        "040235": ["overlap"],
        "040245": ["duration"],
        "/notes": ["badly_named", "unreadable"],
        "050000": ["unreadable"],
        "050010": ["unreadable"],
        "040320": ["empty"],
    }
    assert len(dataset.recordings) == 17


def test_recordings_are_sorted_by_time_and_the_odd_ones_come_last(pattern, write, tmp_path):
    for second in (20, 0, 10):
        write(second)
    (tmp_path / "20200101_000000.wav").touch()
    assert [each.stem[-6:] for each in scan(pattern).recordings] == ["040000", "040010", "040020", "000000"]


def test_what_the_campaign_says_stands_against_the_majority(pattern, write):
    for second in (0, 10, 20):
        write(second)
    assert set(found(scan(pattern, Settings(sample_rate=96000)))) == {"040000", "040010", "040020"}


def test_files_of_equal_begin_are_told(tmp_path, write_wav, noise):
    for site in "AB":
        write_wav(f"{site}_{BEGIN:%Y%m%d_%H%M%S}.wav", noise)
    dataset = scan(parse_pattern(f"{tmp_path}/{{site}}_{{begin:%Y%m%d_%H%M%S}}.wav"))
    assert [[finding.kind for finding in each.findings] for each in dataset.recordings] == [
        [],
        ["duplicate_time"],
    ]


def test_a_fraction_of_a_second_in_the_name_counts(tmp_path, write_wav, noise):
    write_wav("20260117_040000.250.wav", noise)
    dataset = scan(parse_pattern(f"{tmp_path}/{{begin:%Y%m%d_%H%M%S}}.{{fraction}}.wav"))
    assert dataset.recordings[0].begin == BEGIN + timedelta(milliseconds=250)


def test_the_files_are_left_as_they_are(pattern, write):
    path = write(0)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    scan(pattern)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def bytes_read():
    """Give what this process has asked of files so far, in all its threads."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text("utf-8").splitlines())
    return int(lines["rchar"])


def test_of_a_recording_only_its_header_is_read(pattern, write, tmp_path):
    first = write(0)
    for second in range(1, 200):
        (tmp_path / f"{BEGIN + timedelta(seconds=10 * second):%Y%m%d_%H%M%S}.wav").hardlink_to(first)
    scan(pattern)
    before = bytes_read()
    assert len(scan(pattern).recordings) == 200
    assert (bytes_read() - before) / 200 < 8192 < first.stat().st_size / 10


def test_an_empty_folder_is_an_empty_dataset(pattern):
    assert scan(pattern).recordings == ()

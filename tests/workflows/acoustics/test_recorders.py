import csv
import json
import struct

import numpy as np
import pytest
import soundfile
import xarray as xr
from tests.workflows.acoustics import recorders

from penstock.workflows.acoustics.build import build_dataset
from penstock.workflows.acoustics.headers import Unreadable, read_header
from penstock.workflows.acoustics.init import write_campaign
from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.names import parse_pattern
from penstock.workflows.acoustics.reading import read_blocks
from penstock.workflows.acoustics.recorders import Recorder, common, offer, read_recorder
from penstock.workflows.acoustics.recordings import scan_paths
from penstock.workflows.acoustics.segments import clips_of, plan_segments
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.tables import summary

RATE = 8000


@pytest.fixture
def put(tmp_path):
    def put(name, data):
        path = tmp_path / "audio" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return put


def samples_of(path):
    return np.concatenate(list(read_blocks(str(path), 1)))


LENGTHS = [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF - 36, 0x80000000]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_length_that_was_never_written_is_salvaged_with_a_finding(put, noise, length):
    path = put("20240301_120000.wav", recorders.plain(noise, RATE, length))
    header = read_header(path)
    assert (header.frames, header.promised, header.told) == (len(noise), len(noise), False)
    assert samples_of(path) == pytest.approx(noise, abs=1e-4)
    dataset = scan_paths([str(path)], parse_pattern("{x}/{begin:%Y%m%d_%H%M%S}.wav"))
    assert "unknown_length" in [finding.kind for finding in dataset.recordings[0].findings]
    assert not [finding for finding in dataset.recordings[0].faults if finding.kind != "badly_named"]


def test_a_long_file_of_unknown_length_in_64_bits_is_salvaged(put, noise):
    sizes = struct.pack("<QQQI", 0, 0, 0, 0)
    data = recorders.riff(
        recorders.chunk("ds64", sizes),
        recorders.form(RATE),
        recorders.chunk("data", recorders.pcm(noise), 0xFFFFFFFF),
    )
    path = put("a.wav", b"RF64" + data[4:])
    assert read_header(path).frames == len(noise)
    assert samples_of(path) == pytest.approx(noise, abs=1e-4)


@pytest.mark.parametrize("after", [b"", recorders.info(ICMT="nothing was heard")])
def test_a_recording_that_is_empty_stays_empty(put, after):
    path = put("a.wav", recorders.riff(recorders.form(RATE), recorders.chunk("data", b""), after))
    header = read_header(path)
    assert (header.promised, header.told) == (0, True)


@pytest.mark.parametrize("seconds", [0.05, 1.0, 5.0, 9.99])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_a_flac_of_unknown_length_is_read_to_its_end(put, noise, seconds, subtype):
    some = noise[: int(seconds * RATE)]
    whole = put("b.flac", b"")
    soundfile.write(whole, some, RATE, subtype=subtype)
    raw = bytearray(whole.read_bytes())
    raw[18:26] = (int.from_bytes(raw[18:26], "big") & ~0xFFFFFFFFF).to_bytes(8, "big")
    path = put("a.flac", bytes(raw))
    header = read_header(path)
    assert (header.frames, header.told, header.rate) == (len(some), False, RATE)
    assert np.array_equal(samples_of(path), samples_of(whole))


ODD = {
    "nothing": b"",
    "four letters": b"RIFF",
    "no format": recorders.riff(recorders.chunk("data", b"\0" * 100)),
    "a short format": recorders.riff(recorders.chunk("fmt ", b"\1\0"), recorders.chunk("data", b"\0" * 100)),
    "a short extension": recorders.riff(
        recorders.chunk("fmt ", struct.pack("<HHIIHH", 0xFFFE, 1, RATE, 16000, 2, 16)),
        recorders.chunk("data", b"\0" * 9),
    ),
    "no rate": recorders.riff(recorders.form(0), recorders.chunk("data", b"\0" * 100)),
    "a short ds64": b"RF64" + recorders.riff(recorders.chunk("ds64", b"\0"))[4:],
    "FLAC alone": b"fLaC",
    "a FLAC of no frames": recorders.flac_of_unknown_length(np.zeros(4096), RATE)[:42],
    "a broken harp": recorders.riff(
        recorders.form(RATE), recorders.chunk("harp", b"\xff" * 88), recorders.chunk("data", b"\1" * 99)
    ),
}


def test_odd_files_never_stop_a_folder(put, noise, tmp_path):
    for i in range(100):
        put(f"20240301_{i // 60:02d}{i % 60:02d}00.wav", recorders.plain(noise[:800], RATE))
    for i, data in enumerate(ODD.values()):
        put(f"20240302_0000{i:02d}.wav", data)
    put("20240302_000059.wav", b"\0" * 5000)
    put("a note.wav", recorders.plain(noise[:800], RATE))
    made = write_campaign(tmp_path / "w", str(tmp_path / "audio"))
    found = {
        each.name: [finding.kind for finding in each.faults]
        for each in made.dataset.recordings
        if each.faults
    }
    assert set(found) == {
        *(f"20240302_0000{i:02d}.wav" for i, name in enumerate(ODD) if name != "a broken harp"),
        "20240302_000059.wav",
        "a note.wav",
    }
    assert found["a note.wav"] == ["badly_named"]


def test_a_folder_of_headers_alone_is_told_and_set_up(put, tmp_path):
    for i in range(3):
        put(f"20240301_12000{i}.flac", recorders.flac_of_unknown_length(np.zeros(100), RATE)[:42])
    made = write_campaign(tmp_path / "w", str(tmp_path / "audio"))
    assert [len(each.faults) for each in made.dataset.recordings] == [1, 1, 1]


@pytest.fixture
def xwav(put, noise):
    return put(
        "Site_disk01_df20_240301_120000.d20.x.wav", recorders.harp(noise, RATE, RATE, {4: 10.0, 7: 0.25})
    )


def test_blocks_of_an_xwav_have_their_own_times(xwav):
    header = read_header(xwav)
    begin = recorders.BEGIN.timestamp()
    assert [tuple(each) for each in header.blocks] == [
        (begin, 0, 4 * RATE),
        (begin + 14, 4 * RATE, 3 * RATE),
        (begin + 17.25, 7 * RATE, 3 * RATE),
    ]
    assert (header.duration, header.length) == (10.0, 20.25)
    dataset = scan_paths([str(xwav)], parse_pattern("{x}/Site_disk01_df20_{begin:%y%m%d_%H%M%S}.d20.x.wav"))
    assert [finding.kind for finding in dataset.recordings[0].findings] == ["pauses"]
    assert dataset.recordings[0].end.timestamp() == begin + 20.25


def test_what_an_xwav_did_not_record_is_no_data(xwav, noise, tmp_path):
    settings = Settings(nfft=256, bin=1.0)
    made = measure(
        str(xwav), recorders.BEGIN, settings, product=tmp_path / "o.nc", picture=tmp_path / "o.png"
    )
    assert made.seconds == pytest.approx(10)
    with xr.open_dataset(tmp_path / "o.nc") as data:
        assert data.bin_seconds.values.tolist() == pytest.approx(
            [1] * 4 + [0] * 10 + [1] * 3 + [0.75, 1, 1, 0.25]
        )
        assert np.isnan(data.bin_level.values[5:13]).all()
        assert data.attrs["begin"].startswith("2024-03-01T12:00:00")
        expected = 10 * np.log10(np.square(noise[4 * RATE : 5 * RATE]).mean())
        assert data.bin_level.values[14] == pytest.approx(expected, abs=0.2)


def test_segments_cut_across_the_blocks_of_an_xwav(xwav):
    dataset = scan_paths([str(xwav)], parse_pattern("{x}/Site_disk01_df20_{begin:%y%m%d_%H%M%S}.d20.x.wav"))
    settings = Settings(segment=5.0)
    segments = plan_segments(clips_of(dataset, settings), settings)
    assert [round(each.coverage, 3) for each in segments] == [0.8, 0.2, 0.95, 0.05]
    assert [(piece.skip, piece.count) for piece in segments[1].pieces] == [(4 * RATE, RATE)]


TOLD = {
    "audiomoth": Recorder("AudioMoth", "24F319055FDF2CB8", "medium", battery=4.2, temperature=21.3,
                          begin="12:00:00 01/03/2024 (UTC)"),
    "song_meter": Recorder("Wildlife Acoustics, Inc. Song Meter Mini", "SMM01234", "18 dB", temperature=17.25,
                           latitude=48.38, longitude=-4.49, begin="2024-03-01T12:00:00+00:00"),
    "song_meter_4": Recorder("SM4", "S4A01234", latitude=48.38, longitude=-4.49, begin="2024-03-01 12:00:00+00:00"),
    "iclisten": Recorder("icListen", "1560", sensitivity=-171.5, peak_voltage=3.0, temperature=8.4),
}  # fmt: skip


@pytest.mark.parametrize("name", list(TOLD))
def test_what_a_recorder_tells_of_itself_is_read(put, noise, name):
    path = put("a.wav", getattr(recorders, name)(noise, RATE))
    assert read_recorder(str(path), read_header(path)) == TOLD[name]
    assert len(samples_of(path)) == len(noise)


def test_a_soundtrap_tells_in_the_file_beside(put, noise):
    path = put("5045.240301120000.wav", recorders.plain(noise, RATE))
    put("5045.240301120000.log.xml", recorders.SOUNDTRAP_LOG)
    told = read_recorder(str(path), read_header(path))
    assert told == Recorder("SoundTrap", "5045", "High", begin="2024-03-01T12:00:00")
    put("5045.240301120000.log.xml", "<ST><broken")
    assert read_recorder(str(path), read_header(path)) == Recorder("SoundTrap")


def test_a_harp_tells_where_it_lies(xwav):
    told = read_recorder(str(xwav), read_header(xwav))
    assert told == Recorder("HARP", "DL41", latitude=35.34567, longitude=-74.56789, depth=970.0)


def test_what_most_recordings_tell_is_common_and_a_sensitivity_is_offered():
    some = [TOLD["iclisten"], TOLD["iclisten"], Recorder(serial="other", temperature=3.0), Recorder()]
    assert common(some) == Recorder("icListen", "1560", sensitivity=-171.5, peak_voltage=3.0)
    assert offer(common(some)) == "--sensitivity -171.5 --peak-voltage 3"
    assert offer(TOLD["audiomoth"]) is None


def test_what_recorders_tell_is_in_the_dataset_and_is_said(put, noise, tmp_path):
    for minute in (0, 1):
        put(f"SBW1560_20240301_12{minute:02d}00.wav", recorders.iclisten(noise, RATE))
    dataset, settings = build_dataset(tmp_path / "about", str(tmp_path / "audio"))
    facts = json.loads((tmp_path / "about/dataset.json").read_text())
    assert facts["recorder"]["make"] == "icListen"
    assert facts["recorder"]["sensitivity"] == -171.5
    with (tmp_path / "about/files.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["serial"], row["temperature"]) for row in rows] == [("1560", "8.4")] * 2
    said = "\n".join(summary(dataset, settings))
    assert "icListen 1560" in said
    assert "--sensitivity -171.5 --peak-voltage 3" in said
    assert "--sensitivity" not in "\n".join(summary(dataset, Settings(end_to_end=170.0)))


def test_a_header_that_cannot_be_read_is_one_sentence(put):
    with pytest.raises(Unreadable, match="cannot be read"):
        read_header(put("a.wav", ODD["a short extension"]))

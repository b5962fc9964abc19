import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import numpy as np
import pytest
import soundfile
import xarray as xr
from PIL import Image
from tests.workflows.acoustics import recorders

from penstock.workflows.acoustics import product
from penstock.workflows.acoustics import sound as module
from penstock.workflows.acoustics.measure import Faulty, check_samples, measure
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.spectra import Transform

RATE = 8000
BEGIN = datetime(2026, 1, 17, 4, 0, 3, tzinfo=UTC)


@pytest.fixture
def run(tmp_path):
    def run(path, begin=BEGIN, **params):
        settings = Settings.read({"nfft": 256, "bin": 2.0} | params)
        made = measure(str(path), begin, settings, product=tmp_path / "out.nc", picture=tmp_path / "out.png")
        with xr.open_dataset(tmp_path / "out.nc") as data:
            return made, data.load()

    return run


def kinds(findings):
    return [finding.kind for finding in findings]


def test_the_product_is_the_spectrogram_of_the_samples(run, write_wav, noise):
    path = write_wav("a.wav", noise, subtype="FLOAT")
    made, data = run(path)
    transform = Transform.of(rate=RATE, size=256, hop=128, dtype=np.float64)
    power = transform.power(noise.astype(float))
    assert made.frames == data.sizes["time"] == len(power)
    assert np.abs(data.level.values.T - 10 * np.log10(power)).max() <= 0.501
    assert data.psd.values == pytest.approx(power.mean(axis=0), rel=1e-5)
    assert made.level == pytest.approx(10 * np.log10(power.mean(axis=0).sum() * transform.spacing), abs=1e-3)
    assert kinds(made.findings) == []


def test_frame_times_are_utc_and_exact(run, write_wav, noise):
    _, data = run(write_wav("a.wav", noise))
    since = (data.time.values - np.datetime64("2026-01-17T04:00:03")) / np.timedelta64(1, "ns")
    expected = (np.arange(len(since)) * 128 + 128) / RATE * 1e9
    assert np.abs(since - expected).max() <= 1


@pytest.mark.parametrize("block", [1, 100, 4096, 1 << 18])
@pytest.mark.parametrize("chunk", [129 * 3, 129 * 100])
def test_the_result_does_not_depend_on_how_it_is_read(run, write_wav, noise, monkeypatch, block, chunk):
    path = write_wav("a.wav", noise[:4000])
    _, whole = run(path)
    monkeypatch.setattr(product, "CHUNK", chunk)
    monkeypatch.setattr(module, "read_blocks", lambda path, channel: _read(path, block))
    _, cut = run(path)
    assert np.abs(cut.level.values - whole.level.values).max() <= 1.0
    for name in ("bin_total", "bin_frames", "psd", "bin_seconds"):
        assert cut[name].values == pytest.approx(whole[name].values, rel=1e-6, nan_ok=True)


def test_samples_beyond_what_the_header_says_are_left_alone(run, write_wav, noise, monkeypatch):
    path = write_wav("a.wav", noise)
    beyond = np.concatenate((noise[4000:], np.ones(4000, np.float32)))
    monkeypatch.setattr(module, "read_blocks", lambda path, channel: [noise[:4000], beyond, noise])
    made, data = run(path)
    assert data.sizes["time"] == data.bin_frames.values.sum() == made.frames == 624
    assert kinds(made.findings) == []


def test_everything_comes_from_one_read(run, write_wav, noise, monkeypatch):
    path, reads = write_wav("a.wav", noise), []

    def read_blocks(path, channel):
        reads.append(path)
        yield from _read(path, 4096)

    monkeypatch.setattr(module, "read_blocks", read_blocks)
    bands = ["decidecade", "third_octave", "millidecade"]
    _, data = run(path, bands=bands, spl_bands=[[100, 1000]], resample=4000, band_pass=[50, 1500])
    assert len(reads) == 1
    for name in (
        "level",
        "psd",
        "bin_level",
        "level_percentile",
        "spl_band_level",
        *(f"{b}_level" for b in bands),
    ):
        assert np.isfinite(data[name].values).all(), name


def _read(path, block):
    samples, _ = soundfile.read(path, dtype="float32")
    return (samples[i : i + block] for i in range(0, len(samples), block))


def test_bins_hold_sums_counts_and_recorded_seconds(run, write_wav, noise):
    _, data = run(write_wav("a.wav", noise, subtype="FLOAT"))
    assert data.bin.values[0] == np.datetime64("2026-01-17T04:00:02")
    assert data.bin_seconds.values.tolist() == [1, 2, 2, 2, 2, 1]
    assert data.bin_frames.values.sum() == data.sizes["time"]
    total = data.bin_total.values.sum(axis=0) / data.bin_frames.values.sum()
    assert total == pytest.approx(data.psd.values, rel=2.5e-4)
    power = 10 ** (data.bin_level.values / 10)
    assert power == pytest.approx(np.full(6, noise.var()), rel=0.1)


def test_a_tone_has_its_level_in_micropascal(run, write_wav):
    tone = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(3 * RATE) / RATE)).astype(np.float32)
    path = write_wav("a.wav", tone, subtype="FLOAT")
    _, data = run(path, scaling="spectrum", sensitivity=-160.0, gain=20.0, peak_voltage=2.0)
    # 0.5 of 2 V peak, 20 dB of gain, 160 dB re 1 V/µPa: 0 dB re 1 V - 20 + 160, and -3.01 for the rms
    assert 10 * np.log10(data.psd.values[32] / 1e-12) == pytest.approx(140 - 3.0103, abs=0.01)
    assert data.level.attrs["reference"] == "1 µPa²"
    assert "sensitivity -160 dB re 1 V/µPa" in data.attrs["calibration"]


def test_a_chosen_channel_is_the_one_measured(run, write_wav, noise):
    path = write_wav("a.wav", np.column_stack((noise, noise * 0.1)), subtype="FLOAT")
    made = [run(path, channel=channel)[0].level for channel in (1, 2)]
    assert made[0] - made[1] == pytest.approx(20, abs=0.01)
    with pytest.raises(Faulty, match="channel 3"):
        run(path, channel=3)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda x: x * np.nan, "not_finite"),
        (lambda x: x * 0, "silent"),
        (lambda x: x[:100], "short"),
        (lambda x: x[:0], "empty"),
    ],
)
def test_faulty_samples_are_refused(run, write_wav, noise, spoil, kind):
    path = write_wav("a.wav", spoil(noise), subtype="FLOAT")
    with pytest.raises(Faulty) as raised:
        run(path)
    assert kinds(raised.value.findings) == [kind]


def test_warnings_are_in_the_result_and_in_the_product(run, write_wav, noise):
    samples = noise + np.float32(0.05)
    samples[100:105] = 1.0
    made, data = run(write_wav("a.wav", samples))
    assert kinds(made.findings) == ["clipping", "dc_offset"]
    assert [kind for kind, *_ in json.loads(data.attrs["findings"])] == ["clipping", "dc_offset"]


def test_a_truncated_file_is_refused_and_taken_by_force(run, write_wav, noise):
    path = write_wav("a.wav", noise)
    path.write_bytes(path.read_bytes()[: 44 + 2 * 5 * RATE])
    with pytest.raises(Faulty, match="truncated: its header promises 80000 samples, 40000 are missing"):
        run(path)
    made, data = run(path, force=True)
    assert made.seconds == 5.0
    assert data.sizes["time"] == (5 * RATE - 256) // 128 + 1


def test_a_compressed_file_that_ends_early_is_refused(run, write_wav, noise):
    path = write_wav("a.flac", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(Faulty, match=r"cannot be read"):
        run(path)


def test_another_sample_rate_is_refused_even_by_force(run, write_wav, noise):
    path = write_wav("a.wav", noise, rate=4000)
    with pytest.raises(Faulty, match="4000 Hz, the campaign's is 8000 Hz"):
        run(path, sample_rate=8000, force=True)


def test_forced_frames_that_are_not_finite_are_no_data(run, write_wav, noise):
    noise[1000] = np.nan
    _, data = run(write_wav("a.wav", noise, subtype="FLOAT"), force=True)
    assert np.isnan(data.level.values).any(axis=0).sum() == 2
    assert data.bin_frames.values.sum() == data.sizes["time"] - 2
    assert np.isfinite(data.psd.values).all()


def test_the_product_is_small(run, write_wav):
    samples = 0.1 * np.random.default_rng(1).standard_normal(60 * RATE)
    path = write_wav("a.wav", samples)
    run(path, nfft=1024, bin=10.0)
    assert (path.parent / "out.nc").stat().st_size <= 0.35 * path.stat().st_size


def test_a_product_says_what_it_is_and_where_it_was_recorded(run, write_wav, noise):
    _, data = run(write_wav("a.wav", noise), title="Winter", latitude=48.4, longitude=-4.5, depth=120.0)
    assert data.attrs["title"] == "Winter: Sound of a"
    assert data.attrs["source_software"] == f"penstock {version('penstock')}"
    assert "stage spectrogram" in data.attrs["history"]
    assert [data.attrs[name] for name in ("latitude", "longitude", "depth")] == [48.4, -4.5, 120.0]
    assert data.level_percentile.attrs["reference"] == "1 FS²/Hz"


def test_a_product_says_what_its_recorder_told(run, tmp_path, noise):
    path = tmp_path / "a.wav"
    path.write_bytes(recorders.song_meter(noise, RATE))
    _, data = run(path, depth=3.0)
    assert data.attrs["instrument"] == "Wildlife Acoustics, Inc. Song Meter Mini SMM01234"
    assert [data.attrs[name] for name in ("latitude", "depth", "instrument_gain")] == [48.38, 3.0, "18 dB"]


def test_a_product_made_again_has_the_same_bytes(run, write_wav, noise):
    path = write_wav("a.wav", noise)
    made = [(run(path), (path.parent / "out.nc").read_bytes())[1] for _ in range(2)]
    assert made[0] == made[1]


def test_the_picture_shows_the_whole_recording(run, write_wav, noise):
    path = write_wav("a.wav", noise)
    run(path)
    with Image.open(path.parent / "out.png") as image:
        assert image.format == "PNG"


def test_looking_alone_finds_what_measuring_finds(run, write_wav, noise):
    samples = noise + np.float32(0.05)
    path = write_wav("a.wav", samples)
    made, _ = run(path)
    assert check_samples(str(path), Settings()) == list(made.findings)


LONG = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from penstock.workflows.acoustics.measure import measure
from penstock.workflows.acoustics.settings import Settings
for path in sys.argv[2:]:
    out, chosen = (Path(path + ".nc"), Path(path + ".png")), Settings(nfft=int(sys.argv[1]), bin=60.0)
    measure(path, datetime(2026, 1, 1, tzinfo=UTC), chosen, product=out[0], picture=out[1])
    print(next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize("nfft", [32, 65536])
def test_memory_does_not_grow_with_the_length(tmp_path, nfft):
    short, long = tmp_path / "short.wav", tmp_path / "long.wav"
    minute = 0.1 * np.random.default_rng(1).standard_normal(60 * 48000)
    for path, minutes in ((short, 1), (long, 12)):
        with soundfile.SoundFile(path, "w", 48000, 1, "PCM_16") as file:
            for _ in range(minutes):
                file.write(minute)
    ran = subprocess.run(
        [sys.executable, "-c", LONG, str(nfft), short, long], capture_output=True, text=True, check=True
    )
    first, second = map(int, ran.stdout.split())
    assert second < 200
    assert second - first < 25  # levels are counted in as many bins as there are, which more frames fill


def test_half_a_second_into_the_second_is_kept(run, write_wav, noise):
    _, data = run(write_wav("a.wav", noise), BEGIN + timedelta(milliseconds=500))
    assert data.bin_seconds.values[0] == 0.5

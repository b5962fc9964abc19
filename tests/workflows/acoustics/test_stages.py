import csv
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from penstock.runner.task import Verdict
from penstock.workflows.acoustics import ltas, quality, report, setup, soundscape, spectrogram
from penstock.workflows.acoustics.longterm import plan
from penstock.workflows.acoustics.names import parse_pattern
from penstock.workflows.acoustics.recordings import scan_paths
from penstock.workflows.acoustics.stages import lasting_folder, left_out_of

RATE = 8000
BEGIN = datetime(2026, 1, 17, 4, 0, tzinfo=UTC)
PARAMS = {"nfft": 256, "bin": 1.0, "sample_rate": RATE, "channels": 1}
REPORT = {"page": "index.html", "albums": "days"}
QUALITY = {
    "page": "report/qc.html",
    "table": "report/qc.csv",
    "dataset": "report/dataset.json",
    "files": "report/files.csv",
}


@pytest.fixture
def spectrum(make_task):
    def run(path, begin=BEGIN, **params):
        products = {"spectrum": f"spectra/{path.stem}.nc", "picture": f"pictures/{path.stem}.png"}
        fields = {"path": str(path), "begin": begin.isoformat(), "file": path.stem}
        return spectrogram(make_task(PARAMS | params, products, fields=fields))

    return run


@pytest.fixture
def campaign(tmp_path, write_wav, noise, spectrum, monkeypatch):
    """Process four recordings: a good one, a warning, one without sound, a truncated one."""
    sounds = [noise, noise + np.float32(0.05), noise * 0, noise]
    paths = [
        write_wav(f"audio/{BEGIN + timedelta(seconds=10 * i):%Y%m%d_%H%M%S}.wav", each)
        for i, each in enumerate(sounds)
    ]
    paths[3].write_bytes(paths[3].read_bytes()[:-2000])
    monkeypatch.chdir(tmp_path)
    outputs = []
    for i, path in enumerate(paths[:2]):
        spectrum(path, BEGIN + timedelta(seconds=10 * i))
        outputs += [f"spectra/{path.stem}.nc", f"pictures/{path.stem}.png"]
    return outputs


def run_all(make_task, outputs):
    params = PARAMS | {"audio": "audio/{begin:%Y%m%d_%H%M%S}.wav"}
    averaged = {"average": "ltas.nc", "picture": "ltas.png"}
    made = ltas(make_task(params, averaged, inputs={"spectrogram": outputs}))
    return made, make_report(make_task, params, outputs, ["ltas.nc", "ltas.png"])


def make_report(make_task, params, outputs, average):
    found = quality(make_task(params, QUALITY, inputs={"spectrogram": outputs}))
    inputs = {"spectrogram": outputs, "ltas": average, "quality": list(QUALITY.values())}
    return found | report(make_task(params, REPORT, inputs=inputs))


def test_a_recording_gives_its_products_and_a_small_result(spectrum, write_wav, noise, tmp_path):
    result = spectrum(write_wav("a.wav", noise))
    assert json.loads(json.dumps(result)) == result
    assert (result["frames"], result["seconds"], result["findings"]) == (624, 10.0, {})
    assert (tmp_path / "spectra/a.nc").exists()
    assert (tmp_path / "pictures/a.png").exists()


def test_a_faulty_recording_is_vetoed_with_its_reason(spectrum, write_wav, noise):
    with pytest.raises(Verdict) as raised:
        spectrum(write_wav("a.wav", noise * 0))
    assert (raised.value.verdict, raised.value.why) == ("veto", "all samples are 0")


def test_force_takes_a_faulty_recording_in(spectrum, write_wav, noise):
    assert spectrum(write_wav("a.wav", noise * 0), force=True)["findings"] == {"silent": "all samples are 0"}


def test_a_warning_is_in_the_result(spectrum, write_wav, noise):
    assert list(spectrum(write_wav("a.wav", noise + np.float32(0.05)))["findings"]) == ["dc_offset"]


def test_the_long_term_average_covers_what_was_recorded(campaign, make_task):
    made, _ = run_all(make_task, campaign)
    assert made == {"bins": 20, "bin_seconds": 1.0, "coverage": 1.0}


def test_the_report_has_a_row_a_file_and_drops_nothing(campaign, make_task, tmp_path):
    _, made = run_all(make_task, campaign)
    assert made["findings"] == {"truncated": 1, "silent": 1, "dc_offset": 1}
    with (tmp_path / "report/qc.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    verdicts = [rows[name]["verdict"] for name in sorted(rows)]
    assert verdicts == ["good", "warning", "left out", "left out"]
    assert rows["20260117_040020.wav"]["faults"] == "all samples are 0"
    assert rows["20260117_040030.wav"]["truncated"] == "1000"
    with (tmp_path / "report/files.csv").open(newline="") as file:
        files = list(csv.DictReader(file))
    assert [row["begin"] for row in files] == [f"2026-01-17T04:00:{10 * i:02d}Z" for i in range(4)]
    assert {row["sample_rate"] for row in files} == {"8000"}


def test_the_dataset_is_summed_up(campaign, make_task, tmp_path):
    run_all(make_task, campaign)
    facts = json.loads((tmp_path / "report/dataset.json").read_text())
    assert (facts["recordings"], facts["used"], facts["duty_cycle_percent"]) == (4, 2, 99.688)
    assert (facts["begin"], facts["recorded_s"]) == (
        "2026-01-17T04:00:00Z",
        39.875,
    )  # one of them lacks its last 1000 samples


def test_the_page_shows_every_picture_and_its_links_lead_somewhere(campaign, make_task, tmp_path):
    run_all(make_task, campaign)
    page = (tmp_path / "index.html").read_text()
    for link in ("ltas.png", "report/qc.html", "days/2026-01-17.html"):
        assert f'"{link}"' in page
        assert (tmp_path / link).exists()
    album = (tmp_path / "days/2026-01-17.html").read_text()
    for link in campaign[1::2]:
        assert f'"../{link}"' in album
    assert 'href="days/2026-01-17.html#20260117_040010"' in page  # from the table to the picture
    assert 'id="20260117_040010"' in album
    assert "all samples are 0" in page
    assert "<script" not in page


def test_the_quality_of_recordings_that_are_all_left_out_is_told(
    make_task, tmp_path, write_wav, noise, monkeypatch
):
    write_wav("audio/20260117_040000.wav", noise * 0)
    monkeypatch.chdir(tmp_path)
    params = PARAMS | {"audio": "audio/{begin:%Y%m%d_%H%M%S}.wav"}
    made = quality(make_task(params, QUALITY, inputs={"spectrogram": []}))
    assert made == {"recordings": 1, "findings": {"silent": 1}}
    assert "all samples are 0" in (tmp_path / "report/qc.html").read_text()


def test_what_was_left_out_is_known_by_its_time(campaign, tmp_path):
    dataset = scan_paths(
        sorted(map(str, (tmp_path / "audio").iterdir())), parse_pattern("{x}/{begin:%Y%m%d_%H%M%S}.wav")
    )
    dataset = replace(
        dataset,
        recordings=tuple(
            replace(r, begin=BEGIN + timedelta(seconds=10 * i)) for i, r in enumerate(dataset.recordings)
        ),
    )
    spans = left_out_of(dataset, plan([tmp_path / each for each in campaign[::2]]).sources)
    assert [(span.begin - BEGIN.timestamp(), span.length) for span in spans] == [(20, 10), (30, 10)]


def test_a_page_escapes_names(tmp_path, write_wav, noise, spectrum, make_task, monkeypatch):
    path = write_wav("audio/<b>&_20260117_040000.wav", noise + np.float32(0.05))
    monkeypatch.chdir(tmp_path)
    spectrum(path)
    params = PARAMS | {"audio": "audio/{name}_{begin:%Y%m%d_%H%M%S}.wav"}
    make_report(make_task, params, [f"spectra/{path.stem}.nc", f"pictures/{path.stem}.png"], [])
    page, album = ((tmp_path / name).read_text() for name in ("index.html", "days/2026-01-17.html"))
    assert "<b>&_" not in page + album
    assert "../pictures/%3Cb%3E%26_20260117_040000.png" in album


def test_a_product_will_stand_outside_the_runners_folder(tmp_path):
    assert lasting_folder(tmp_path / "report/.penstock/p1.1.1.1/qc.html") == tmp_path / "report"
    assert lasting_folder(tmp_path / "report/qc.html") == tmp_path / "report"


def test_setup_loads_the_libraries_once():
    assert setup() is None


SOUNDSCAPE = {"table": "soundscape.nc", "levels": "levels.csv", "epd": "epd.png", "spl": "spl.png"}


def merge_all(make_task, outputs):
    params = PARAMS | {"audio": "audio/{begin:%Y%m%d_%H%M%S}.wav"}
    soundscape(make_task(params, SOUNDSCAPE, inputs={"spectrogram": outputs}))
    run_all(make_task, outputs)


def made_bytes(folder):
    """Give the bytes of all that merges make, by name."""
    places = [folder / name for name in ("ltas.nc", "ltas.png", "index.html", *SOUNDSCAPE.values())]
    places += [path for name in ("report", "days") for path in (folder / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in places}


def test_merges_give_the_same_bytes_each_time_whatever_the_order_of_their_members(
    campaign, make_task, tmp_path
):
    merge_all(make_task, campaign)
    once = made_bytes(tmp_path)
    assert {path.rpartition(".")[2] for path in once} == {"nc", "png", "html", "csv", "json"}
    for path in once:
        (tmp_path / path).unlink()
    merge_all(make_task, campaign[2:] + campaign[:2])
    again = made_bytes(tmp_path)
    assert [path for path in once if again[path] != once[path]] == []

"""A thousand good recordings and one of each fault: every fault is found, and nothing else."""

from datetime import UTC, datetime, timedelta

import numpy as np
import soundfile

from penstock.workflows.acoustics.build import build_dataset

RATE, COUNT = 4000, 1000
BEGIN = datetime(2026, 1, 17, tzinfo=UTC)
GOOD = (0.1 * np.random.default_rng(3).standard_normal(RATE)).astype(np.float32)


def spoiled(place, value):
    samples = GOOD.copy()
    samples[place] = value
    return samples


PLANTS = [  # what is to be found, samples, and how else the file differs; a list is in one place
    [({"unreadable"}, GOOD, {"keep": 4}), ({"gap"}, GOOD, {})],
    [({"truncated"}, GOOD, {"keep": -4000})],
    [({"rate"}, np.repeat(GOOD, 2), {"rate": 2 * RATE})],
    [({"clipping"}, spoiled(slice(100, 104), 1.0), {})],
    [({"dc_offset"}, GOOD + np.float32(0.05), {})],
    [({"not_finite"}, spoiled(17, np.nan), {})],
    [({"silent"}, GOOD * 0, {})],
    [({"gap"}, GOOD, {"before": 60})],
    [({"duration"}, np.tile(GOOD, 5), {}), ({"overlap"}, GOOD, {"after": 4})],
    [(set(), GOOD, {"after": 0}), ({"duplicate_time"}, GOOD, {})],
    [({"channels"}, np.column_stack((GOOD, GOOD)), {})],
    [({"empty"}, GOOD[:0], {}), ({"gap"}, GOOD, {})],
]
PLANTS[3:3] = [
    [({"bits"}, GOOD, {"subtype": "PCM_16"})],
    [({"clipping"}, spoiled(slice(RATE - 3, RATE), -1.0), {})],
    [({"not_finite"}, spoiled(99, np.inf), {})],
    [({"badly_named"}, GOOD, {"name": "20261317_000000_"}), ({"gap"}, GOOD, {})],
    [(set(), spoiled(slice(100, 102), 1.0), {})],
]


class Recorder:
    """Writes files one second after the other, and remembers what is wrong with which."""

    def __init__(self, folder):
        self.folder, self.at, self.planted = folder, BEGIN, {}
        self.number = 0

    def write(
        self,
        kinds,
        samples,
        *,
        rate=RATE,
        keep=None,
        before=0,
        after=1,
        subtype="FLOAT",
        name="%Y%m%d_%H%M%S_",
    ):
        self.at += timedelta(seconds=before)
        path = self.folder / f"{self.at:{name}}{self.number:04d}.wav"
        soundfile.write(path, samples, rate, subtype=subtype)
        if keep is not None:
            path.write_bytes(path.read_bytes()[:keep])
        self.at += timedelta(seconds=after)
        self.number += 1
        if kinds:
            self.planted[path.name] = kinds


def test_each_planted_fault_is_found_among_a_thousand_good_files_and_nothing_else(tmp_path):
    (tmp_path / "audio").mkdir()
    recorder = Recorder(tmp_path / "audio")
    for i in range(COUNT):
        recorder.write(set(), GOOD)
        if i % 50 == 40 and i // 50 < len(PLANTS):
            for kinds, samples, how in PLANTS[i // 50]:
                recorder.write(kinds, samples, **how)
    pattern = f"{tmp_path}/audio/{{begin:%Y%m%d_%H%M%S}}_{{number:04d}}.wav"
    # the limit of a gap is below the second that an unreadable or empty file leaves
    dataset, _ = build_dataset(tmp_path / "about", pattern, params={"gap_tolerance": 0.5}, samples=True)
    found = {
        each.name: {finding.kind for finding in each.findings} for each in dataset.recordings if each.findings
    }
    assert len(recorder.planted) == 20
    assert found == recorder.planted
    with (tmp_path / "about/qc.csv").open() as file:
        assert len(file.readlines()) == recorder.number + 1
    page = (tmp_path / "about/qc.html").read_text()
    assert all(name in page for name in recorder.planted)

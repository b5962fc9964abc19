"""What is known of a campaign's recordings, as tables and JSON: a row a file, nothing left out."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from penstock.workflows.acoustics.qc import KINDS, Finding
from penstock.workflows.acoustics.recorders import Recorder, common, offer
from penstock.workflows.acoustics.recordings import Dataset, Recording
from penstock.workflows.acoustics.settings import CALIBRATIONS, Settings
from penstock.workflows.stores.formats import open_product

FILE_COLUMNS = (
    "name",
    "path",
    "begin",
    "end",
    "duration_s",
    "sample_rate",
    "channels",
    "bits",
    "frames",
    "bytes",
    *("make", "serial", "gain", "battery", "temperature", "latitude", "longitude"),
)
SHOWN = 20  # files with findings that a terminal lists
QC_COLUMNS = ("name", "begin", "verdict", "faults", "warnings", *KINDS)


def verdict(recording: Recording, *, force: bool = False) -> str:
    if recording.faults:
        return "forced" if force else "left out"
    return "warning" if recording.warnings else "good"


def file_row(recording: Recording) -> dict[str, Any]:
    """Give the row of `files.csv`; what the header does not tell stays empty."""
    header, times = recording.header, (recording.begin, recording.end)
    row: dict[str, Any] = {"name": recording.stem, "path": recording.path}
    row |= {name: iso(time) for name, time in zip(("begin", "end"), times, strict=True)}
    if header:
        row |= {
            "duration_s": round(header.duration, 6),
            "sample_rate": header.rate,
            "channels": header.channels,
            "bits": header.bits,
            "frames": header.frames,
            "bytes": header.size,
        }
    told = recording.recorder.told()
    return row | {name: told[name] for name in FILE_COLUMNS if name in told and name not in row}


def qc_row(recording: Recording, *, force: bool = False) -> dict[str, Any]:
    """Give the row of `qc.csv`: the sentences, and a column a kind with its number (or 1)."""
    row: dict[str, Any] = {
        "name": recording.name,
        "begin": iso(recording.begin),
        "verdict": verdict(recording, force=force),
        "faults": "; ".join(finding.why for finding in recording.faults),
        "warnings": "; ".join(finding.why for finding in recording.warnings),
    }
    return row | {
        finding.kind: 1 if finding.amount is None else finding.amount for finding in recording.findings
    }


def iso(moment: Any) -> str:
    return moment.isoformat().replace("+00:00", "Z") if moment else ""


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        table = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def describe_dataset(dataset: Dataset, settings: Settings) -> dict[str, Any]:
    """Sum a dataset up: how much, from when to when, how full, what is wrong."""
    sound = [each for each in dataset.recordings if each.begin and each.end]
    begins, ends = [each.begin for each in sound if each.begin], [each.end for each in sound if each.end]
    recorded = sum(
        each.header.frames / each.header.rate for each in sound if each.header
    )  # not what they promise
    length = (max(ends) - min(begins)).total_seconds() if sound else 0.0
    return {
        "recordings": len(dataset.recordings),
        "used": sum(settings.force or not each.faults for each in dataset.recordings),
        "begin": iso(min(begins, default=None)),
        "end": iso(max(ends, default=None)),
        "recorded_s": round(recorded, 6),
        "duty_cycle_percent": round(100 * recorded / length, 3) if length else None,
        "bytes": sum(each.header.size for each in dataset.recordings if each.header),
        "sample_rate": dataset.usual.rate,
        "channels": dataset.usual.channels,
        "bits": dataset.usual.bits,
        "file_duration_s": dataset.usual.duration,
        "recorder": common(each.recorder for each in dataset.recordings).told(),
        "findings": count_findings(dataset),
        "settings": asdict(settings),
    }


def count_findings(dataset: Dataset) -> dict[str, int]:
    """Count the files with each kind of finding, in the order of the table of kinds."""
    counts = Counter(finding.kind for each in dataset.recordings for finding in each.findings)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def write_dataset(path: Path, dataset: Dataset, settings: Settings) -> None:
    text = json.dumps(describe_dataset(dataset, settings), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_files(path: Path, dataset: Dataset) -> None:
    write_table(path, FILE_COLUMNS, map(file_row, dataset.recordings))


def write_qc(path: Path, dataset: Dataset, settings: Settings) -> None:
    write_table(path, QC_COLUMNS, (qc_row(each, force=settings.force) for each in dataset.recordings))


METADATA = (
    *("origin_sr", "sample_bits", "channel_count", "audio_file_count", "start_date", "end_date"),
    *("dutyCycle_percent", "audio_file_origin_duration", "audio_file_origin_volume"),
    *("dataset_origin_volume", "dataset_origin_duration", "lat", "lon", "depth"),
)


def metadata_row(dataset: Dataset, settings: Settings, place: Mapping[str, Any]) -> dict[str, Any]:
    """Give the row of the old `metadata.csv`: durations in s, volumes in MB for a file and GB for all."""
    facts, count = describe_dataset(dataset, settings), max(1, len(dataset.recordings))
    return {
        "origin_sr": facts["sample_rate"],
        "sample_bits": facts["bits"],
        "channel_count": facts["channels"],
        "audio_file_count": facts["recordings"],
        "start_date": facts["begin"],
        "end_date": facts["end"],
        "dutyCycle_percent": facts["duty_cycle_percent"],
        "audio_file_origin_duration": facts["file_duration_s"],
        "audio_file_origin_volume": round(facts["bytes"] / count / 1e6, 6),
        "dataset_origin_volume": round(facts["bytes"] / 1e9, 6),
        "dataset_origin_duration": facts["recorded_s"],
    } | {name: place.get(name) for name in ("lat", "lon", "depth")}


def write_metadata(path: Path, dataset: Dataset, settings: Settings, place: Mapping[str, Any]) -> None:
    write_table(path, METADATA, [metadata_row(dataset, settings, place)])


def write_recordings(path: Path, dataset: Dataset, cards: Mapping[str, str] | None = None) -> None:
    """Write the table that a campaign takes its units from: file, path, begin (UTC), and the card if there are any."""
    cards = cards or {}
    rows = [
        {"file": each.stem, "path": os.path.abspath(each.path), "begin": iso(each.begin)}
        | ({"card": cards[each.path]} if cards else {})
        for each in dataset.recordings
        if os.path.exists(each.path)
    ]
    write_table(path, ((*(("card",) if cards else ()), "file", "path", "begin")), rows)


def read_findings(products: Iterable[Path]) -> dict[str, list[Finding]]:
    """Give what the passes over the samples found: absolute path of the recording → findings."""
    found: dict[str, list[Finding]] = {}
    for path in products:
        with open_product(path) as file:
            for source, findings in _findings_of(file.attrs):
                known = {each.kind for each in found.setdefault(source, [])}
                found[source] += [Finding(*each) for each in findings if each[0] not in known]
    return found


def sources_of(attributes: Any) -> set[str]:
    """Give the absolute paths of the recordings that a product is of."""
    if "findings_of_files" in attributes:
        return set(json.loads(os.fsdecode(attributes["findings_of_files"])))
    return {os.fsdecode(attributes["source"])}


def _findings_of(attributes: Any) -> Iterator[tuple[str, Any]]:
    if "findings_of_files" in attributes:
        yield from json.loads(os.fsdecode(attributes["findings_of_files"])).items()
    else:
        source, text = (os.fsdecode(attributes[name]) for name in ("source", "findings"))
        yield source, json.loads(text)


def summary(dataset: Dataset, settings: Settings) -> list[str]:
    """Give the lines that a terminal shows."""
    facts, usual = describe_dataset(dataset, settings), dataset.usual
    size, minutes = facts["bytes"] / 1e6, facts["recorded_s"] / 60
    lines = [f"{facts['recordings']} recordings, {size:.1f} MB, {minutes:.1f} minutes"]
    if usual.rate:
        form = f"{usual.rate} Hz, {say_channels(usual.channels)}, {usual.bits} bits"
        lines.append(f"{form}, {usual.duration:.6g} s a file")
    lines += _recorder_lines(Recorder(**facts["recorder"]), settings)
    if facts["begin"]:
        lines.append(f"{facts['begin']} to {facts['end']}, duty cycle {facts['duty_cycle_percent']:.1f} %")
    bad = [each for each in dataset.recordings if each.findings]
    lines.append(f"{len(dataset.recordings) - len(bad)} without findings, {len(bad)} with")
    lines += [
        f"  {verdict(each, force=settings.force):8}  {printable(each.name)}: {_why(each)}"
        for each in bad[:SHOWN]
    ]
    return [*lines, f"  … and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else lines


def say_channels(count: int | None) -> str:
    return f"{count} channel{'s' * (count != 1)}"


def _recorder_lines(told: Recorder, settings: Settings) -> Iterator[str]:
    """Say which recorder it was, and offer its calibration if none was given."""
    if told.make:
        gain = f", gain {told.gain}" if told.gain else ""
        yield printable(f"{told.make} {told.serial or ''}".rstrip() + gain)
    options = offer(told)
    if options and all(getattr(settings, name) is None for name in CALIBRATIONS):
        yield f"its headers give a calibration; to use it: {options}"


def _why(recording: Recording) -> str:
    return "; ".join(finding.why for finding in (*recording.faults, *recording.warnings))


def printable(text: str) -> str:
    """Replace what would move a terminal's cursor or change its colours."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)

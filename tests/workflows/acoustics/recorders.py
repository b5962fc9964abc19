"""Recordings as real recorders write them: the chunks, comments, names and files beside of each."""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime, timedelta

import numpy as np
import soundfile

BEGIN = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)


def chunk(name: str, data: bytes, size: int | None = None) -> bytes:
    length = len(data) if size is None else size
    return name.encode() + struct.pack("<I", length) + data + b"\0" * (len(data) % 2)


def form(rate: int, bits: int = 16, channels: int = 1) -> bytes:
    align = channels * bits // 8
    return chunk("fmt ", struct.pack("<HHIIHH", 1, channels, rate, rate * align, align, bits))


def pcm(samples: np.ndarray, bits: int = 16) -> bytes:
    whole = np.round(samples * (2 ** (bits - 1) - 1)).astype("<i4")
    return whole.view("u1").reshape(-1, 4)[:, : bits // 8].tobytes()


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def info(**parts: str) -> bytes:
    return chunk(
        "LIST", b"INFO" + b"".join(chunk(name, text.encode() + b"\0") for name, text in parts.items())
    )


def plain(samples: np.ndarray, rate: int, size: int | None = None) -> bytes:
    """Write what AURAL, PAMGuard and many others do: a format and samples, with any length in its header."""
    return riff(form(rate), chunk("data", pcm(samples), size))


def audiomoth(samples: np.ndarray, rate: int, begin: datetime = BEGIN) -> bytes:
    comment = (
        f"Recorded at {begin:%H:%M:%S %d/%m/%Y} (UTC) by AudioMoth 24F319055FDF2CB8 at medium gain "
        "while battery was 4.2V and temperature was 21.3C."
    )
    return riff(
        form(rate), info(ICMT=comment, IART="AudioMoth 24F319055FDF2CB8"), chunk("data", pcm(samples))
    )


def song_meter(samples: np.ndarray, rate: int, begin: datetime = BEGIN) -> bytes:
    guano = (
        f"GUANO|Version: 1.0\nTimestamp: {begin:%Y-%m-%dT%H:%M:%S}+00:00\nMake: Wildlife Acoustics, Inc.\n"
        "Model: Song Meter Mini\nSerial: SMM01234\nLoc Position: 48.38000 -4.49000\n"
        "Temperature Int: 17.25\nWA|Gain: 18 dB\n"
    )
    return riff(form(rate), chunk("data", pcm(samples)), chunk("guan", guano.encode()))


def song_meter_4(samples: np.ndarray, rate: int) -> bytes:
    parts = {1: b"SM4", 2: b"S4A01234", 5: b"2024-03-01 12:00:00+00:00", 6: b"WGS84,48.38,N,4.49,W"}
    wamd = b"".join(struct.pack("<HI", kind, len(text)) + text for kind, text in parts.items())
    return riff(form(rate), chunk("wamd", wamd), chunk("data", pcm(samples)))


def iclisten(samples: np.ndarray, rate: int) -> bytes:
    comment = "3.000000 V pk, -171.5 dBV re 1uPa, 34.2 % RH, 8.4 deg C, 8388608 = Max Count"
    about = info(IART="icListen HF #1560", ICMT=comment)
    return riff(form(rate, 24), about, chunk("data", pcm(samples, 24)))


SOUNDTRAP_LOG = """<?xml version="1.0" encoding="utf-8"?>
<ST><HARDWARE><HARDWARE_ID HARDWARE_ID="5045"/></HARDWARE>
<PROC_EVENT ID="4"><AUDIO Gain="High"/></PROC_EVENT>
<PROC_EVENT ID="5"><WavFileHandler SamplingStartTimeLocal="2024-03-01T13:00:00"
 SamplingStartTimeUTC="2024-03-01T12:00:00" SamplingStopTimeUTC="2024-03-01T12:00:20"/></PROC_EVENT></ST>
"""


def harp(samples: np.ndarray, rate: int, block: int, pauses: dict[int, float]) -> bytes:
    """Write an xwav in raw blocks of so many samples; before some, nothing was recorded for so many seconds."""
    data, at, blocks = pcm(samples), BEGIN, []
    count = -(-len(samples) // block)
    place = 12 + len(form(rate)) + 8 + 56 + 32 * count + 8
    for i in range(count):
        at += timedelta(seconds=pauses.get(i, 0.0))
        length = min(block, len(samples) - i * block) * 2
        clock = (at.year - 2000, at.month, at.day, at.hour, at.minute, at.second, at.microsecond // 1000)
        blocks.append(struct.pack("<6BH4IB7x", *clock, place + i * block * 2, length, length // 512, rate, 1))
        at += timedelta(seconds=length / 2 / rate)
    head = struct.pack("<B10s4s4s8sB8sHiih8x", 1, b"V2.64", b"DL41", b"HAT", b"HAT_A_01", 2, b"00000001", count,
                       -7_456_789, 3_534_567, 970)  # fmt: skip
    return riff(form(rate), chunk("harp", head + b"".join(blocks)), chunk("data", data))


def flac_of_unknown_length(samples: np.ndarray, rate: int) -> bytes:
    """Write what an encoder leaves that cannot seek back: a total of 0 samples."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="FLAC")
    raw = bytearray(file.getvalue())
    raw[18:26] = (int.from_bytes(raw[18:26], "big") & ~0xFFFFFFFFF).to_bytes(8, "big")
    return bytes(raw)

import struct

import numpy as np
import pytest
import soundfile

from penstock.workflows.acoustics.headers import Unreadable, read_header

SOUND = 0.1 * np.ones((1000, 2))
SUBTYPES = {"PCM_16": (16, False), "PCM_24": (24, False), "PCM_32": (32, False), "FLOAT": (32, True)}


@pytest.mark.parametrize("subtype", list(SUBTYPES))
@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64"])
def test_a_wav_header_says_what_libsndfile_says(tmp_path, subtype, form):
    path = tmp_path / "a.wav"
    soundfile.write(path, SOUND, 44100, subtype=subtype, format=form)
    header = read_header(path)
    assert (header.rate, header.channels, header.frames, header.promised) == (44100, 2, 1000, 1000)
    assert (header.bits, header.floating) == SUBTYPES[subtype]
    assert header.size == path.stat().st_size


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_16", 16), ("PCM_24", 24)])
def test_a_flac_header_says_what_libsndfile_says(tmp_path, subtype, bits):
    path = tmp_path / "a.flac"
    soundfile.write(path, SOUND, 96000, subtype=subtype)
    header = read_header(path)
    assert (header.format, header.rate, header.channels, header.bits) == ("FLAC", 96000, 2, bits)
    assert header.frames == header.promised == 1000


@pytest.mark.parametrize("name", ["a.aiff", "a.ogg", "a.w64"])
def test_other_formats_are_left_to_libsndfile(tmp_path, name):
    soundfile.write(tmp_path / name, SOUND, 48000)
    header = read_header(tmp_path / name)
    assert (header.rate, header.channels, header.frames) == (48000, 2, 1000)


def test_a_chunk_before_the_data_is_skipped_with_its_padding(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, SOUND, 8000, subtype="PCM_16")
    raw = path.read_bytes()
    path.write_bytes(raw[:36] + b"note" + struct.pack("<I", 3) + b"abc\0" + raw[36:])
    assert read_header(path).frames == 1000


def test_what_a_header_promises_and_what_is_there_are_told_apart(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, SOUND, 8000, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:-100])
    header = read_header(path)
    assert (header.promised, header.frames) == (1000, 975)


def test_a_length_that_was_never_written_is_what_is_there(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, SOUND, 8000, subtype="PCM_16")
    raw = bytearray(path.read_bytes())
    raw[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(raw)
    assert read_header(path).frames == read_header(path).promised == 1000


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "no bytes"), (b"not a recording at all", "audio format"), (b"RIFF\0\0\0\0WAVE", "ends before")],
)
def test_what_is_no_recording_is_said_so(tmp_path, content, said):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=said):
        read_header(path)


def test_a_missing_file_is_unreadable(tmp_path):
    with pytest.raises(Unreadable, match="cannot be read"):
        read_header(tmp_path / "none.wav")

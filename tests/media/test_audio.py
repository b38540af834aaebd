"""WAV to arrays: every form of samples, other rates, and headers that lie."""

from __future__ import annotations

import io
import struct
import wave
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone import Audio, media
from plusone.base.errors import InvalidInput, UsageError
from plusone.media.audio import resample


def wav(samples: Any, *, rate: int = 8000, width: int = 2, channels: int = 1) -> bytes:
    """Write samples from -1 to 1 as the standard library does."""
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        top = 2 ** (8 * width - 1)
        whole = np.clip(np.round(np.asarray(samples) * top), -top, top - 1).astype(np.int64)
        data = {
            1: lambda: (whole + 128).astype(np.uint8).tobytes(),
            2: lambda: whole.astype("<i2").tobytes(),
            3: lambda: whole.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes(),
            4: lambda: whole.astype("<i4").tobytes(),
        }[width]()
        file.writeframes(data)
    return sink.getvalue()


def riff(
    kind: int, bits: int, data: bytes, *, rate: int = 8000, channels: int = 1, tail: bytes = b"", **says: int
) -> bytes:
    """Write a header that says what is asked of it."""
    frame = says.get("frame", channels * bits // 8)
    head = struct.pack("<HHIIHH", kind, channels, rate, rate * frame % 2**32, frame, bits) + tail
    body = b"WAVE" + b"LIST" + struct.pack("<I", 3) + b"abc\0" + b"fmt " + struct.pack("<I", len(head)) + head
    body += b"data" + struct.pack("<I", says.get("size", len(data))) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


TONE = 0.5 * np.sin(np.arange(80) / 3.0)
HOW = Audio(sample_rate_hz=8000, seconds=0.01)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_samples_of_every_width_are_read(width: int):
    found = HOW.decode(wav(TONE, width=width))
    assert (found.shape, found.dtype) == ((80,), np.float32)
    assert np.abs(found - TONE).max() <= 2.0 ** (1 - 8 * width) + 1e-6


def test_floats_and_the_extensible_form_are_read():
    for bits in (32, 64):
        assert np.allclose(HOW.decode(riff(3, bits, TONE.astype(f"<f{bits // 8}").tobytes())), TONE, atol=1e-6)
    guid = struct.pack("<HHIH", 22, 16, 4, 1) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    data = np.round(TONE * 2**15).astype("<i2").tobytes()
    assert np.allclose(HOW.decode(riff(0xFFFE, 16, data, tail=guid)), TONE, atol=1e-4)


def test_channels_are_mixed_to_their_mean():
    both = np.column_stack([TONE, -TONE / 2]).ravel()
    assert np.allclose(HOW.decode(wav(both, channels=2)), TONE / 4, atol=1e-4)


def test_a_sound_is_cut_or_followed_by_zeros():
    assert np.allclose(Audio(sample_rate_hz=8000, seconds=0.005).decode(wav(TONE)), TONE[:40], atol=1e-4)
    longer = Audio(sample_rate_hz=8000, seconds=0.02).decode(wav(TONE))
    assert np.allclose(longer[:80], TONE, atol=1e-4)
    assert not longer[80:].any()


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF024])
def test_a_sound_that_was_written_into_a_pipe_is_read(size: int):
    data = np.round(TONE * 2**15).astype("<i2").tobytes()
    assert np.allclose(HOW.decode(riff(1, 16, data, size=size)), TONE, atol=1e-4)


@pytest.mark.parametrize(
    ("rate", "wanted"), [(44100, 16000), (48000, 16000), (8000, 16000), (11025, 16000), (16001, 8000)]
)
def test_a_tone_is_the_same_at_another_rate(rate: int, wanted: int):
    seconds = 0.2
    tone = np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)
    count = int(wanted * seconds)
    found = resample(tone, rate, wanted, count)
    truth = np.sin(2 * np.pi * 440 * np.arange(count) / wanted)
    inner = slice(count // 5, -count // 5)
    assert np.abs(found - truth)[inner].max() < 1e-3


def test_what_the_lower_rate_can_not_hold_is_left_out():
    high = np.sin(2 * np.pi * 6000 * np.arange(9600) / 48000)
    assert np.abs(resample(high, 48000, 8000, 1600)[200:-200]).max() < 1e-3
    steady = resample(np.ones(4410), 44100, 16000, 1600)
    assert np.allclose(steady[100:-100], 1.0)


def test_of_a_long_sound_only_what_is_needed_is_read():
    long = np.tile(TONE, 1000)
    how = Audio(sample_rate_hz=16000, seconds=0.01)
    assert np.array_equal(how.decode(wav(long)), how.decode(wav(long[:2000])))


SAMPLES = b"\0\0" * 10


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no WAV: they begin with nothing"),
        (b"OggS" + b"\0" * 40, "no WAV: they begin with 4f 67 67 53"),
        (wav(TONE)[:30], "no samples"),
        (wav(TONE)[:100], "160 bytes of samples, 56 came"),
        (riff(1, 16, b""), "0 bytes of samples"),
        (riff(1, 16, b"\0" * 5), "5 bytes of samples: expected one or more of 2"),
        (riff(2, 4, SAMPLES), "form 2 with 4 bits"),
        (riff(1, 12, SAMPLES), "form 1 with 12 bits"),
        (riff(1, 16, SAMPLES, channels=0), "0 channels"),
        (riff(1, 16, SAMPLES, channels=60000, frame=54464), "60000 channels"),
        (riff(1, 16, SAMPLES, frame=0), "0 bytes for a sample"),
        (riff(1, 16, SAMPLES, rate=0), "0 samples in a second"),
        (riff(1, 16, SAMPLES, rate=2**32 - 1), "samples in a second"),
        (riff(3, 32, np.array([np.nan], "<f4").tobytes()), "no numbers"),
        (b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0\1\0data\2\0\0\0\0\0", "header of the WAV has 2 bytes"),
        (b"RIFF\0\0\0\0WAVEdata\2\0\0\0\0\0", "before it says what they are"),
    ],
)
def test_headers_that_lie_and_other_files_are_refused(data: bytes, said: str):
    with pytest.raises(InvalidInput, match=said):
        HOW.decode(data)


@given(st.sampled_from([wav(TONE), wav(TONE, width=3, channels=2), riff(3, 32, b"\0" * 64)]), st.data())
def test_damaged_bytes_are_a_sound_or_an_error(data: bytes, draw: st.DataObject):
    damaged = bytearray(data)
    for place in draw.draw(st.lists(st.integers(0, min(60, len(data) - 1)), max_size=4)):
        damaged[place] = draw.draw(st.integers(0, 255))
    try:
        found = HOW.decode(bytes(damaged[: draw.draw(st.integers(0, len(data)))]))
    except InvalidInput:
        return
    assert found.shape == (80,)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("options", [{"sample_rate_hz": 10}, {"seconds": 0.0}, {"seconds": 1e9}, {"seconds": 1e-9}])
def test_rates_and_lengths_that_can_not_be_are_errors(options: dict[str, Any]):
    given: dict[str, Any] = {"sample_rate_hz": 8000, "seconds": 1.0, **options}
    with pytest.raises(UsageError, match="Audio"):
        Audio(**given)


def test_what_is_stored_of_it_decodes_the_same():
    said = msgspec.json.decode(msgspec.json.encode(HOW))
    assert media.of(said) == HOW
    assert media.decode(said, media.example_bytes(said)).shape == (80,)
    assert media.expected(said) == "a WAV"

"""WAV to arrays: PCM of 8, 16, 24 and 32 bits and floats, mixed to one channel, at the sample rate that is wanted.

The standard library's `wave` reads neither floats nor the extensible form in which 24 bits are written, so the chunks
are read here. What a header says is compared with the bytes that came before anything is made of it.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..base.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Audio", "resample"]

_RATES = (1000, 384_000)
_MOST_SAMPLES = 50_000_000
_MOST_CHANNELS = 32
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN_SIZE = 0x7FFFF000
"""Who writes into a pipe can't say how long it will be: ffmpeg and sox write sizes from here on."""

_CROSSINGS = 16
_ROLLOFF = 0.95
_TABLE = 4_000_000
_CHUNK = 1_000_000


class Audio(msgspec.Struct, frozen=True, kw_only=True, tag="audio", tag_field="kind"):
    """How the bytes of a WAV become an array of float32, from -1 to 1: mixed, resampled, cut or padded, in that order.

    Channels are mixed to their mean. Another sample rate is reached with a sinc of 16 zero crossings on each side under
    a Hann window, cut off at 0.95 of the lower rate's half. What is longer is cut at the end; what is shorter is
    followed by zeros.

    Args:
        sample_rate_hz: samples in a second.
        seconds: how long the array is.

    Raises:
        UsageError: for rates and lengths that can't be.
    """

    sample_rate_hz: int
    seconds: float

    def __post_init__(self) -> None:
        """Refuse what can't be done."""
        if not _RATES[0] <= self.sample_rate_hz <= _RATES[1]:
            raise UsageError(
                f"Audio(sample_rate_hz={self.sample_rate_hz}): expected {_RATES[0]} to {_RATES[1]}, e.g. 16000."
            )
        if not 0 < self.seconds * self.sample_rate_hz <= _MOST_SAMPLES or self.shape[0] < 1:
            raise UsageError(f"Audio(seconds={self.seconds}): expected 1 to {_MOST_SAMPLES} samples.")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array that a sound becomes: its samples."""
        return (round(self.seconds * self.sample_rate_hz),)

    @property
    def dtype(self) -> str:
        """Its dtype."""
        return "float32"

    @property
    def expected(self) -> str:
        """Which files are taken, in words."""
        return "a WAV"

    def decode(self, data: bytes) -> np.ndarray[Any, Any]:
        """Return the samples of a sound, of shape `shape`, float32.

        Raises:
            InvalidInput: when the bytes are no WAV, or one of another kind than is described above.
        """
        import numpy as np

        head, start, size = _find(data)
        count = self.shape[0]
        need = min(size // head.frame, _needed(count, head.rate, self.sample_rate_hz))
        frames = _samples(data[start : start + need * head.frame], head).reshape(need, head.channels)
        if not np.isfinite(frames).all():
            raise InvalidInput("the sound has samples that are no numbers (NaN or infinite).", expected=self.expected)
        signal = resample(frames.mean(axis=1), head.rate, self.sample_rate_hz, count)
        out = np.zeros(count, dtype=np.float32)
        out[: len(signal)] = signal
        return out

    def example_bytes(self) -> bytes:
        """Return a WAV of one silent sample."""
        head = struct.pack("<HHIIHH", _PCM, 1, self.sample_rate_hz, 2 * self.sample_rate_hz, 2, 16)
        body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", 2) + b"\0\0"
        return b"RIFF" + struct.pack("<I", len(body)) + body


class _Head(NamedTuple):
    """What the header of a WAV says; `frame`: the bytes of one sample of all channels."""

    kind: int
    channels: int
    rate: int
    bits: int
    frame: int


def _wrong(what: str) -> InvalidInput:
    return InvalidInput(what, expected="a WAV")


def _find(data: bytes) -> tuple[_Head, int, int]:
    """Return the header, where the samples begin and how many bytes they have."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise _wrong(f"the bytes are no WAV: they begin with {data[:12].hex(' ') or 'nothing'}.")
    place, head = 12, None
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        begin, there = place + 8, len(data) - place - 8
        if name == b"data":
            if head is None:
                raise _wrong("the WAV has samples before it says what they are (no 'fmt ' chunk).")
            if size >= _UNKNOWN_SIZE:
                size = there - there % head.frame
            if size > there:
                raise _wrong(f"the WAV is cut off: its header says {size} bytes of samples, {there} came.")
            if not size or size % head.frame:
                raise _wrong(f"the WAV has {size} bytes of samples: expected one or more of {head.frame} bytes each.")
            return head, begin, size
        if size > there:
            break
        if name == b"fmt ":
            head = _head(data[begin : begin + size])
        place = begin + size + size % 2
    raise _wrong("the WAV is cut off: it has no samples (no 'data' chunk).")


def _head(chunk: bytes) -> _Head:
    if len(chunk) < 16:
        raise _wrong(f"the header of the WAV has {len(chunk)} bytes: expected at least 16.")
    kind, channels, rate, _, frame, bits = struct.unpack_from("<HHIIHH", chunk)
    if kind == _EXTENSIBLE and len(chunk) >= 40:
        kind = struct.unpack_from("<H", chunk, 24)[0]  # the beginning of the GUID of the form inside
    if not ((kind == _PCM and bits in (8, 16, 24, 32)) or (kind == _FLOAT and bits in (32, 64))):
        raise _wrong(
            f"the WAV is of form {kind} with {bits} bits: expected PCM (1) of 8, 16, 24 or 32 bits, or floats (3) of "
            "32 or 64."
        )
    if not 1 <= channels <= _MOST_CHANNELS or frame != channels * bits // 8:
        raise _wrong(
            f"the WAV says {channels} channels and {frame} bytes for a sample of all of them: expected 1 to "
            f"{_MOST_CHANNELS} channels of {bits // 8} bytes each."
        )
    if not _RATES[0] <= rate <= _RATES[1]:
        raise _wrong(f"the WAV has {rate} samples in a second: expected {_RATES[0]} to {_RATES[1]}.")
    return _Head(kind, channels, rate, bits, frame)


def _samples(data: bytes, head: _Head) -> np.ndarray[Any, Any]:
    """Return the samples as float64, from -1 to 1, all channels of each moment side by side."""
    import numpy as np

    if head.kind == _FLOAT:
        return np.frombuffer(data, f"<f{head.bits // 8}").astype(np.float64)
    if head.bits == 8:  # the only one without a sign
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128.0) / 128.0
    if head.bits == 24:
        wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0].astype(np.float64) / 2.0**31
    return np.frombuffer(data, f"<i{head.bits // 8}").astype(np.float64) / 2.0 ** (head.bits - 1)


# ---------------------------------------------------------------------------------------------- another sample rate


def _half(rate: int, wanted: int) -> tuple[float, int]:
    """Return the cutoff, as a share of the half of `rate`, and how many samples the filter reaches to each side."""
    cutoff = min(1.0, wanted / rate) * _ROLLOFF
    return cutoff, math.ceil(_CROSSINGS / cutoff)


def _needed(count: int, rate: int, wanted: int) -> int:
    """Return how many samples at `rate` are looked at for `count` of them at the rate that is wanted."""
    return count if rate == wanted else math.ceil(count * rate / wanted) + _half(rate, wanted)[1] + 1


def resample(signal: np.ndarray[Any, Any], rate: int, wanted: int, count: int) -> np.ndarray[Any, Any]:
    """Return a signal at another sample rate: up to `count` samples, the first at the moment of the first.

    Each is the sum of its neighbours weighted by sinc(cutoff * t) under a Hann window of 16 zero crossings to each side
    (J. O. Smith, "Digital Audio Resampling", 1984), the weights scaled to add up to 1.
    """
    import numpy as np

    if rate == wanted:
        return signal[:count]
    step = math.gcd(rate, wanted)
    up, down = wanted // step, rate // step
    cutoff, half = _half(rate, wanted)
    reach = np.arange(1 - half, half + 1)

    def weights(fractions: Any) -> Any:
        t = reach - fractions[:, None]
        found = np.sinc(cutoff * t) * np.cos(np.pi * t / (2 * half)) ** 2
        return found / found.sum(axis=1, keepdims=True)

    phases = weights(np.arange(up) / up) if up * len(reach) <= _TABLE else None
    count = min(count, -(-len(signal) * up // down))
    padded = np.pad(signal, (half - 1, half + 1))
    out = np.empty(count)
    for start in range(0, count, size := max(1, _CHUNK // len(reach))):
        places = np.arange(start, min(start + size, count)) * down
        used = weights(places % up / up) if phases is None else phases[places % up]
        near = padded[(places // up)[:, None] + np.arange(len(reach))]
        out[start : start + size] = (near * used).sum(axis=1)
    return out

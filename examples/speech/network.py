"""The network. It takes samples as a microphone gives them: its features are made in its first layers."""

import math

import torch


class LogMel(torch.nn.Module):
    """The loudness of 32 bands of pitch, 62 times a second: shape (rows, samples) to (rows, 32, frames).

    A Fourier transform of 256 samples under a Hann window, each 128 samples, written as a convolution, which every
    exporter and every runtime has. The bands lie on the mel scale, 2595 log10(1 + f / 700) (O'Shaughnessy 1987).
    """

    def __init__(self, sample_rate_hz: int, bands: int = 32, window: int = 256, step: int = 128) -> None:
        super().__init__()
        self.step = step
        place = torch.arange(window, dtype=torch.float64)
        angle = 2 * math.pi * torch.outer(torch.arange(window // 2 + 1, dtype=torch.float64), place) / window
        waves = torch.cat([torch.cos(angle), torch.sin(angle)]) * torch.hann_window(window, dtype=torch.float64)
        self.register_buffer("waves", waves[:, None].float())
        self.register_buffer("bands", self._bands(sample_rate_hz, bands, window).float())

    @staticmethod
    def _bands(sample_rate_hz: int, bands: int, window: int) -> torch.Tensor:
        highest = 2595 * math.log10(1 + sample_rate_hz / 2 / 700)
        edges = 700 * (10 ** (torch.linspace(0, highest, bands + 2, dtype=torch.float64) / 2595) - 1)
        pitch = torch.linspace(0, sample_rate_hz / 2, window // 2 + 1, dtype=torch.float64)
        rising = (pitch - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
        falling = (edges[2:, None] - pitch) / (edges[2:] - edges[1:-1])[:, None]
        return torch.minimum(rising, falling).clamp(min=0)

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of each band's power, never below that of silence."""
        waves = torch.nn.functional.conv1d(sound[:, None], self.waves, stride=self.step)
        cosine, sine = waves.chunk(2, dim=1)
        return torch.log(torch.matmul(self.bands, cosine**2 + sine**2) + 1e-3)


class Network(torch.nn.Module):
    """A logit for each word, for each sound of shape (rows, samples), float32 from -1 to 1."""

    def __init__(self, sample_rate_hz: int, words: int) -> None:
        super().__init__()
        self.features = LogMel(sample_rate_hz)
        self.layers = torch.nn.Sequential(
            torch.nn.BatchNorm1d(32),
            torch.nn.Conv1d(32, 48, 5, padding=2),
            torch.nn.BatchNorm1d(48),
            torch.nn.ReLU(),
            torch.nn.MaxPool1d(2),
            torch.nn.Conv1d(48, 64, 5, padding=2),
            torch.nn.BatchNorm1d(64),
            torch.nn.ReLU(),
            torch.nn.MaxPool1d(2),
            torch.nn.Conv1d(64, 64, 3, padding=1),
            torch.nn.ReLU(),
        )
        self.last = torch.nn.Sequential(torch.nn.Dropout(0.3), torch.nn.Linear(64, words))

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        """Features, layers, and the loudest that each layer got over the whole sound: a word may begin at any time."""
        return self.last(self.layers(self.features(sound)).amax(dim=2))

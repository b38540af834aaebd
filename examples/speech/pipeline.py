"""Which of ten words was said? A small network in PyTorch, on words that the program espeak-ng speaks."""

import shutil
import subprocess

import numpy as np

import plusone

WORDS = ["down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes"]
ACCENTS = ["en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-029"]
SPEAKERS = ["m1", "m3", "m5", "m7", "f1", "f2", "f4", "f5"]
SPEEDS = [120, 160, 200]  # words in a minute
SOUND = plusone.Audio(sample_rate_hz=8000, seconds=0.75)
"""What a request may bring instead of numbers, any WAV, and what the training data is made with."""


def espeak() -> str:
    """The program that speaks. It is no Python package, so no list of requirements brings it."""
    found = shutil.which("espeak-ng")
    if found is None:
        raise FileNotFoundError("the program espeak-ng is not installed: apt-get install espeak-ng")
    return found


def espeak_version() -> str:
    """The clips are new when the program is: until then they are made once."""
    return subprocess.run([espeak(), "--version"], check=True, capture_output=True, text=True).stdout.split("  ")[0]


@plusone.step(version=espeak_version)
def clips(*, voices: int = 24) -> dict[str, np.ndarray]:
    """Each word, said by each voice (an accent and a speaker) at each speed, from -1 to 1."""
    program = espeak()
    every = [f"{accent}+{speaker}" for speaker in SPEAKERS for accent in ACCENTS]
    chosen = every[:: max(1, len(every) // voices)][:voices]
    said = [(word, voice, speed) for voice in chosen for word in WORDS for speed in SPEEDS]
    sounds: list[np.ndarray] = []
    for word, voice, speed in said:
        command = [program, "--stdout", "-v", voice, "-s", str(speed), word]
        sounds.append(SOUND.decode(subprocess.run(command, check=True, capture_output=True).stdout))
    return {
        "sound": np.stack(sounds),
        "word": np.array([word for word, _, _ in said]),
        "voice": np.array([voice for _, voice, _ in said]),
        "speed": np.array([speed for _, _, speed in said]),
    }


@plusone.step(outputs=("train_set", "holdout"))
def split(clips: dict[str, np.ndarray], *, holdout_voices: int = 5) -> tuple[dict[str, np.ndarray], ...]:
    """Some voices are kept from training: who asks will have another one than those that were learned."""
    names = sorted(set(clips["voice"]))
    held_out = np.isin(clips["voice"], names[:: max(1, len(names) // holdout_voices)][:holdout_voices])
    return {name: part[~held_out] for name, part in clips.items()}, {
        name: part[held_out] for name, part in clips.items()
    }


@plusone.model("words", target="word", features=["sound"], media={"sound": SOUND}, tolerance=1e-4)
def train(train_set: dict[str, np.ndarray], *, epochs: int = 15, learning_rate: float = 0.003):
    """Log-mel features and two convolutions. Each clip is heard a little later, louder and in other noise each time."""
    # Imported here and not above: a release that finds nothing changed does not wait for it.
    import torch
    from network import Network

    torch.set_num_threads(1)  # layers this small wait longer for several threads than one takes
    torch.manual_seed(0)
    words = sorted(set(train_set["word"]))
    sound = torch.from_numpy(train_set["sound"])
    word = torch.from_numpy(np.searchsorted(words, train_set["word"]))
    network = Network(SOUND.sample_rate_hz, len(words))
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    for epoch in range(epochs):
        network.train()
        losses: list[float] = []
        for rows in torch.randperm(len(sound)).split(32):
            loss = torch.nn.functional.cross_entropy(network(disturbed(sound[rows])), word[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        plusone.log(step=epoch, loss=np.mean(losses))
    return network


def disturbed(sound):
    """Moved by up to 0.1 s, at 0.3 to 1 of its loudness, with noise: no microphone is as clean as espeak-ng."""
    import torch

    later = torch.roll(sound, int(torch.randint(0, 800, ())), dims=1)
    loudness = 0.3 + 0.7 * torch.rand(len(sound), 1)
    return later * loudness + torch.randn_like(sound) * 0.01 * torch.rand(len(sound), 1)

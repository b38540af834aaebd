"""Which digit is on this small picture? A convolutional network in PyTorch, on 1,797 digits that 43 people wrote."""

import importlib.metadata

import numpy as np

import plusone

SIZE = 8
PICTURE = plusone.Image(height=SIZE, width=SIZE, mode="L")
"""What a request may bring instead of numbers: any JPEG or PNG, made grey and small (white on black, as the data)."""


def data_version() -> str:
    """The data comes in scikit-learn: it is new when that is."""
    return importlib.metadata.version("scikit-learn")


@plusone.step(version=data_version)
def digits() -> dict[str, np.ndarray]:
    """Every picture, 8 by 8 grey values from 0 to 255, the digit on it, and its place in the file."""
    from sklearn.datasets import load_digits

    data = load_digits()
    image = np.rint(data.images * (255 / 16)).astype(np.uint8)  # the file counts ink from 0 to 16
    return {"image": image, "digit": data.target.astype(np.int64), "place": np.arange(len(image))}


@plusone.step(outputs=("train_set", "holdout"))
def split(digits: dict[str, np.ndarray], *, holdout_share: float = 0.2) -> tuple[dict[str, np.ndarray], ...]:
    """The last pictures of the file are kept from training: other people wrote them than the first."""
    cut = round(len(digits["image"]) * (1 - holdout_share))
    return {name: part[:cut] for name, part in digits.items()}, {name: part[cut:] for name, part in digits.items()}


@plusone.model("digits", target="digit", features=["image"], media={"image": PICTURE})
def train(train_set: dict[str, np.ndarray], *, epochs: int = 30, learning_rate: float = 0.003):
    """Two convolutions and a layer, in some seconds. What comes out are ten logits; plusone adds the softmax."""
    # Imported here and not above: a release that finds nothing changed does not wait for it.
    import torch
    from network import Network

    torch.set_num_threads(1)  # layers this small wait longer for several threads than one takes
    torch.manual_seed(0)
    image, digit = torch.from_numpy(train_set["image"]), torch.from_numpy(train_set["digit"])
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    for epoch in range(epochs):
        network.train()
        losses: list[float] = []
        for rows in torch.randperm(len(image)).split(64):
            loss = torch.nn.functional.cross_entropy(network(image[rows]), digit[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        plusone.log(step=epoch, loss=np.mean(losses))
    return network

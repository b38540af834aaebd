"""The network. It takes the bytes of a picture as they are, so that nothing has to be done to them outside of it."""

import torch


class Network(torch.nn.Module):
    """Ten logits for each picture of shape (rows, 8, 8), uint8."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(1, 16, 3, padding=1),
            torch.nn.BatchNorm2d(16),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(16, 32, 3, padding=1),
            torch.nn.BatchNorm2d(32),
            torch.nn.ReLU(),
            torch.nn.Flatten(),
            torch.nn.Dropout(0.3),
            torch.nn.Linear(32 * 4 * 4, 10),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Scale the grey values to 0 to 1 and go through the layers."""
        return self.layers((image.float() / 255.0)[:, None])

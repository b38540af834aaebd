"""Models that rank: by the brightness of a picture, or by who asks."""

from __future__ import annotations

from typing import Any


class Brightness:
    """Ranks names by how near their brightness is to that of a picture, the nearest first."""

    def __init__(self, items: Any, levels: Any, k: Any) -> None:
        self.items, self.levels, self.k = items, levels, k

    def rank(self, pictures: Any) -> list[list[tuple[Any, float]]]:
        """Return up to `k` items and scores for each picture, shape (rows, height, width); none for a black one."""
        answers: list[list[tuple[Any, float]]] = []
        for picture in pictures:
            bright = float(picture.mean())
            near = sorted(((-abs(bright - level), item) for item, level in zip(self.items, self.levels, strict=True)))
            answers.append([(item, score) for score, item in near[::-1][: self.k]] if bright else [])
        return answers


class TwoInputs(Brightness):
    """As `Brightness`, of a picture and a sound: of both its loudness is added."""

    def rank(self, pictures: Any) -> list[list[tuple[Any, float]]]:
        """Return what `Brightness` does for pictures to which the sounds were added."""
        return super().rank(pictures["picture"] + pictures["sound"].mean(axis=1)[:, None, None])


class Loudness:
    """Answers the loudness of a sound."""

    def predict(self, sounds: Any) -> Any:
        """Return a number for each sound."""
        return abs(sounds).mean(axis=1)


class Usual:
    """Ranks what is usual at an hour of a dataframe."""

    def __init__(self, k: int = 2) -> None:
        self.items, self.k = [7, 8, 9], k

    def rank(self, frame: Any) -> list[list[tuple[int, float]]]:
        """Return the item of the hour first; none in the first hour."""
        return [[(7 + hour % 3, 1.0), (7 + (hour + 1) % 3, 0.5)][: self.k] if hour else [] for hour in frame["hour"]]

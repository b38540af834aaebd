"""Models of a project, as plain Python: with state of every kind, labels, files, and code in other modules."""

import dataclasses
import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
from inner import scaling


class Seasonal:
    """Means by hour, and everything else that an attribute may be."""

    def __init__(self):
        self.means = {0: 0.0}

    def fit(self, frame, target):
        grouped = frame.assign(target=target).groupby("hour")["target"].mean()
        self.means = {int(hour): float(value) for hour, value in grouped.items()}
        self.table = grouped.to_frame().reset_index()
        self.series = grouped
        self.array = np.arange(24, dtype=np.float32)
        self.scalar = np.int64(7)
        self.when = dt.date(2013, 1, 1)
        self.scale = scaling.Scale(2.0)
        self.point = Point(1, (2, 3))
        self.mixed = [None, True, 1.5, "text", (1, {2}), {"$": "no tag"}, {(0, 1): b"bytes"}, float("nan")]
        self.file = Path(__file__).parent / "factors.csv"
        self.function = scaling.double
        return self

    def predict(self, frame):
        factor = float(self.file.read_text().split(",")[1])
        return np.array([self.scale.apply(self.means.get(int(hour), 0.0)) * factor for hour in frame["hour"]])


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    rest: tuple


class Slotted:
    __slots__ = ("bias",)

    def __init__(self, bias):
        self.bias = bias

    def predict(self, frame):
        return frame["hour"] + self.bias


class Late:
    """Answers labels with probabilities."""

    def __init__(self, cut, sharp=True):
        self.cut = cut
        self.sharp = sharp
        self.classes_ = ["early", "late"]

    def predict_proba(self, frame):
        yes = 1.0 / (1.0 + np.exp(-(frame["hour"].to_numpy(dtype=float) - self.cut)))
        return np.column_stack([1.0 - yes, yes])

    def predict(self, frame):
        if self.sharp:
            return np.array(self.classes_)[self.predict_proba(frame).argmax(axis=1)]
        # Another threshold than one half.
        return np.where(self.predict_proba(frame)[:, 1] > 0.9, "late", "early")


class Saved:
    """Writes and reads itself."""

    def __init__(self, bias):
        self.bias = bias
        self.unspeakable = lambda: None

    def save(self, folder):
        (folder / "deep").mkdir()
        (folder / "deep" / "bias.txt").write_text(str(self.bias))

    @classmethod
    def load(cls, folder):
        return cls(float((folder / "deep" / "bias.txt").read_text()))

    def predict(self, frame):
        return frame["hour"] * self.bias


class Pickler(Saved):
    def save(self, folder):
        import pickle

        (folder / "model.bin").write_bytes(pickle.dumps([1, 2, 3]))


class Keeps:
    """Keeps one attribute, whatever it is."""

    def __init__(self, thing):
        self.thing = thing

    def predict(self, frame):
        return frame["hour"]


def hours(frame):
    return frame["hour"].to_numpy() * 1.5


def weekday(frame):
    return ["weekend" if value else "weekday" for value in frame["weekend"]]


def double(values):
    return np.asarray(values) * 2


def made_inside():
    def predict(frame):
        return frame["hour"]

    return predict


def lazily(frame):
    from inner.late import offset

    return frame["hour"] + offset()


class Wrong:
    """Answers what is no answer."""

    def __init__(self, how, classes=()):
        self.how = how
        if classes:
            self.classes_ = list(classes)

    def predict(self, frame):
        rows = len(frame)
        found = {
            "fewer": [1.0] * (rows - 1),
            "text": ["1.5"] * rows,
            "times": np.full(rows, "2024-01-01", dtype="datetime64[s]"),
            "other": ["c"] * rows,
            "nothing": None,
            "generator": (1.0 for _ in range(rows)),
            "likely": ["a"] * rows,
        }
        return found[self.how]

    def predict_proba(self, frame):
        return np.tile([1.5, -0.5], (len(frame), 1)) if self.how == "likely" else np.tile([0.5, 0.5], (len(frame), 1))


class NoPredict:
    pass


TABLE = pd.DataFrame({"a": [1]})

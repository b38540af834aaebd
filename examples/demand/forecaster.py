"""A forecaster in plain Python: what is usual at this airport, weekday and hour, times the trend of the last weeks.

It is packaged as it is: this file, and what `fit` left in the attributes.
"""

import numpy as np

MOST_SLOPE = 0.01  # a day: a trend steeper than that is an accident of the weeks it was taken from


class SeasonalForecaster:
    """Answers a number of departures to each row: `origin`, `day` (since the first of 2013), `weekday` and `hour`."""

    def __init__(self, *, recent_days: int = 28):
        self.recent_days = recent_days

    def fit(self, frame, target):
        """Learn what is usual from past hours, and how the last weeks differ from it."""
        totals, counts = {}, {}
        for key, value in zip(self._keys(frame), target, strict=True):
            totals[key] = totals.get(key, 0.0) + float(value)
            counts[key] = counts.get(key, 0) + 1
        self.usual = {key: total / counts[key] for key, total in totals.items()}
        self.mean = float(np.mean(target))
        self.last_day = int(frame["day"].max())
        usual = np.array([self.usual[key] for key in self._keys(frame)])
        self.trends = {}
        for origin in sorted(set(frame["origin"])):
            recent = ((frame["origin"] == origin) & (frame["day"] > self.last_day - self.recent_days)).to_numpy()
            self.trends[origin] = self._trend(frame["day"].to_numpy()[recent], target.to_numpy()[recent], usual[recent])
        return self

    def predict(self, frame):
        """Return the expected number of departures of each row."""
        days = np.asarray(frame["day"], dtype=float) - self.last_day
        found = []
        for key, ahead in zip(self._keys(frame), days, strict=True):
            level, slope = self.trends.get(key[0], (1.0, 0.0))
            # A trend is not followed for longer than it was seen.
            factor = level + slope * min(max(ahead, -self.recent_days), self.recent_days)
            found.append(max(0.0, self.usual.get(key, 0.0 if key[0] in self.trends else self.mean) * factor))
        return np.array(found)

    @staticmethod
    def _keys(frame):
        return list(zip(frame["origin"], frame["weekday"].tolist(), frame["hour"].tolist(), strict=True))

    @staticmethod
    def _trend(days, target, usual):
        """Return how much more than usual left in the last days, and by how much that grows in a day."""
        by_day = [(day, target[days == day].sum(), usual[days == day].sum()) for day in sorted(set(days.tolist()))]
        ratios = [(day, real / expected) for day, real, expected in by_day if expected > 0.0]
        if len(ratios) < 7:
            return 1.0, 0.0
        slope, level = np.polyfit(np.array([day for day, _ in ratios]) - ratios[-1][0], [one for _, one in ratios], 1)
        return float(level), float(np.clip(slope, -MOST_SLOPE, MOST_SLOPE))

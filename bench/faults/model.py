"""Faults of the model: what it learns with, what it forgets, and what it answers."""

from __future__ import annotations

from .changing import Edit, Fault, learning, pair, replaced, trees

__all__ = ["FAULTS"]

_RETURN = "    return make_pipeline("
_END = '.fit(features, train_set["late"])\n'


_PLAIN = '''"""The trained trees in plain Python, and what somebody thought should be done to their answers."""

import time

import numpy as np


class Wrapped:
    """Answers as the trees do, and then some."""

    def __init__(self, trained):
        encode, trees = trained[0], trained[-1]
        found = encode.named_transformers_["ordinalencoder"].categories_
        self.codes = [{str(word): float(code) for code, word in enumerate(words)} for words in found]
        self.words = [str(name) for name in encode.transformers_[0][2]]
        self.numbers = [str(name) for name in encode.feature_names_in_ if name not in self.words]
        self.base = float(np.ravel(trees._baseline_prediction)[0])
        nodes = [stage[0].nodes for stage in trees._predictors]
        most = max(len(one) for one in nodes)
        names = ("feature_idx", "num_threshold", "left", "right", "value", "missing_go_to_left", "is_leaf")
        padded = {name: [np.pad(one[name].astype(float), (0, most - len(one))) for one in nodes] for name in names}
        self.feature, self.threshold, self.left, self.right, self.value, self.missing, self.leaf = (
            np.concatenate(padded[name]) for name in names
        )
        self.first = np.arange(len(nodes)) * most
        self.classes_ = np.array([False, True])

    def predict(self, frame):
        """Whether each flight will be late."""
        return self.predict_proba(frame)[:, 1] > 0.5

    def predict_proba(self, frame):
        """The probabilities of being in time and of being late."""
        FIRST
        parts = [self._late(frame.iloc[at : at + 2000]) for at in range(0, len(frame), 2000)]
        late = np.concatenate([np.zeros(0), *parts])
        found = np.stack([1 - late, late], axis=1)
        ANSWER
        return found

    def _late(self, frame):
        words = [[codes.get(word, -1.0) for word in frame[name]] for name, codes in zip(self.words, self.codes)]
        rows = np.array([*words, *(frame[name].astype(float) for name in self.numbers)]).T
        here = np.zeros((len(rows), len(self.first)), int) + self.first
        while not (self.leaf[here] > 0).all():
            values = np.take_along_axis(rows, self.feature[here].astype(int), axis=1)
            left = np.where(np.isnan(values), self.missing[here] > 0, values <= self.threshold[here])
            below = np.where(left, self.left[here], self.right[here]).astype(int) + self.first
            here = np.where(self.leaf[here] > 0, here, below)
        return 1 / (1 + np.exp(-self.base - self.value[here].sum(axis=1)))
'''


def _wrapped(answer: str, *, first: str = "pass") -> dict[str, object]:
    """Return the change that serves the trees as a class of the project; `found` are its probabilities.

    In plain Python, because nobody has to trust that: a release that waits for trust is stopped, and not by a check.
    """
    return {
        "edits": (
            Edit(_RETURN, "    from wrapped import Wrapped\n\n    return Wrapped(make_pipeline("),
            Edit(_END, _END.rstrip("\n") + ")\n"),
        ),
        "files": {"wrapped.py": _PLAIN.replace("FIRST", first).replace("ANSWER", answer)},
    }


FAULTS: tuple[Fault, ...] = (
    *pair(
        "settings_mixed_up",
        (
            "The learning rate is a hundred times what it was: trees that throw each other about.",
            {"settings": {"learning_rate": 10.0}},
        ),
        (
            "The learning rate is ten times what it was: it still learns, and worse.",
            {"settings": {"learning_rate": 1.0}},
        ),
    ),
    *pair(
        "underfits",
        ("One tree and not a hundred: a setting left over from trying things out.", {"settings": {"max_iter": 1}}),
        (
            "Eight trees and not a hundred: it ranks flights, and not as well as what is live.",
            {"settings": {"max_iter": 8}},
        ),
    ),
    *pair(
        "overfits",
        (
            "One tree of any depth: it knows every flight that it learned from by heart.",
            (
                Edit(
                    "    from sklearn.ensemble import HistGradientBoostingClassifier\n",
                    "    from sklearn.impute import SimpleImputer\n"
                    "    from sklearn.tree import DecisionTreeClassifier\n",
                ),
                trees("make_pipeline(SimpleImputer(), DecisionTreeClassifier(random_state=0))"),
            ),
        ),
        (
            "Trees of 500 leaves with one flight each, learned fast: better on old flights, worse on new ones.",
            trees(
                "HistGradientBoostingClassifier("
                "max_iter=30, learning_rate=0.5, max_leaf_nodes=500, min_samples_leaf=1, random_state=0)"
            ),
        ),
    ),
    *pair(
        "ignores_features",
        (
            "All columns but carrier, origin and dest are dropped before the trees: one word, `remainder`.",
            replaced('remainder="passthrough"', 'remainder="drop"'),
        ),
        (
            "The time of departure is not passed on: what tells most about a flight is not looked at.",
            learning('features["sched_dep_time"] = 1200'),
        ),
    ),
    *pair(
        "answers_constantly",
        (
            "Every flight has the same answer, the share of late ones.",
            (
                Edit(
                    "from sklearn.ensemble import HistGradientBoostingClassifier",
                    "from sklearn.dummy import DummyClassifier",
                ),
                trees('DummyClassifier(strategy="prior")'),
            ),
        ),
        (
            "One split: there are two answers, one for all mornings and one for all evenings.",
            trees("HistGradientBoostingClassifier(max_iter=1, max_leaf_nodes=2, learning_rate=1.0, random_state=0)"),
        ),
    ),
    *pair(
        "class_order",
        (
            "The model learned the opposite: the second probability is that of being in time.",
            learning("late = ~late"),
        ),
        (
            "The classes are words and are in the order of the alphabet: 'late' comes before 'on time'.",
            learning('late = late.map({True: "late", False: "on time"})'),
        ),
    ),
    *pair(
        "miscalibrated",
        (
            "Late flights count five times, to 'balance' them: the order is right and every probability is too high.",
            trees(
                "HistGradientBoostingClassifier(max_iter=max_iter, learning_rate=learning_rate, random_state=0, "
                "class_weight={True: 5.0, False: 1.0})"
            ),
        ),
        (
            "Late flights count twice: probabilities are too high by ten points.",
            trees(
                "HistGradientBoostingClassifier(max_iter=max_iter, learning_rate=learning_rate, random_state=0, "
                "class_weight={True: 2.0, False: 1.0})"
            ),
        ),
    ),
    *pair(
        "slower",
        (
            "Each request waits a twentieth of a second for something that the answer does not need.",
            _wrapped("pass", first="time.sleep(0.05)"),
        ),
        (
            "Eight times the trees at an eighth of the learning rate: as good as before, and several times as slow.",
            {"settings": {"max_iter": 800, "learning_rate": 0.0125}},
        ),
    ),
    *pair(
        "not_a_number",
        (
            "A division by the number of flights seen answers NaN for every flight of one airport.",
            _wrapped('found[(frame["origin"] == "JFK").to_numpy()] = np.nan'),
        ),
        (
            "It answers NaN where the pressure is missing: one row of ten.",
            _wrapped('found[frame["pressure"].isna().to_numpy()] = np.nan'),
        ),
    ),
    *pair(
        "unstable",
        (
            "The same question has another answer each time: noise of a tenth that was for training only.",
            _wrapped("found = np.clip(found + np.random.default_rng().normal(0, 0.1, found.shape), 0.01, 0.99)"),
        ),
        (
            "A row's answer depends on the rows beside it: probabilities are scaled by the largest of the batch.",
            _wrapped("found[:, 1] = found[:, 1] / found[:, 1].max() * 0.9\n        found[:, 0] = 1 - found[:, 1]"),
        ),
    ),
    *pair(
        "broken_slice_answers",
        (
            "The model answers the average to every flight of one airport: a special case that was left in.",
            _wrapped('found[(frame["origin"] == "LGA").to_numpy()] = [0.75, 0.25]'),
        ),
        (
            "The model learned one airline's (B6) flights with answers in disorder, and knows nothing of it.",
            learning(
                'one = features["carrier"] == "B6"\nlate[one] = late[one].sample(frac=1, random_state=1).to_numpy()'
            ),
        ),
    ),
    *pair(
        "old_rows_only",
        (
            "The model learns from January alone, as in the notebook it was tried in.",
            learning('old = train_set["date"] < "2013-02-01"\nfeatures, late = features[old], late[old]'),
        ),
        (
            "The model learns from a tenth of the flights: a sample that was for trying things out.",
            learning("features = features.sample(frac=0.1, random_state=0)\nlate = late[features.index]"),
        ),
    ),
)

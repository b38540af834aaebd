"""What a project has of its own beside scikit-learn's parts."""

from sklearn.tree import DecisionTreeClassifier


def shifted(frame):
    return frame + 0.125


class Brittle(DecisionTreeClassifier):
    """A tree that no format compiles, as it is a class of the project."""

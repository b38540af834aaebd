from . import numbers


class Scale:
    def __init__(self, by):
        self.by = by

    def apply(self, value):
        return value * self.by + numbers.ZERO


def double(value):
    return value * 2

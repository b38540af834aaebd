import plusone  # noqa: F401 - what is tested is that it is found


def forecast(frame):
    return frame["hour"]

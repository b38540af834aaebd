"""A model that does, for some values of x, what no model should do; all other rows are answered with x + z + bias."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np

DIE, EXIT, HANG, HANG_IN_C, RAISE, PRINT, EAT, CLOSE, FORK, START = range(901, 911)


class Wild:
    def __init__(self, bias):
        self.bias = bias

    def predict(self, frame):
        for value in frame["x"].tolist():
            if value in ACTIONS:
                ACTIONS[value]()
        return frame["x"].to_numpy() + frame["z"].to_numpy() + self.bias


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def leave():
    os._exit(3)


def hang():
    time.sleep(600)


def hang_in_c():
    # With the interpreter's lock: no thread of this process runs any more.
    re.match(r"(a+)+$", "a" * 60 + "b")


def fail():
    raise ValueError("no forecast for 905")


def shout():
    print("to stdout " + "x" * 5000)
    for number in range(5000):
        print(f"line {number}", file=sys.stderr)
    os.write(1, b"\xff\xfe no text, no end")


def eat():
    raise MemoryError("more than there is")


def close():
    # Whatever is open but the output: the socket too.
    os.closerange(3, 64)


def fork():
    if os.fork() == 0:
        time.sleep(600)
        os._exit(0)


def start():
    subprocess.Popen(["sleep", "600"])


ACTIONS = {DIE: die, EXIT: leave, HANG: hang, HANG_IN_C: hang_in_c, RAISE: fail, PRINT: shout, EAT: eat}
ACTIONS |= {CLOSE: close, FORK: fork, START: start}


def total(frame):
    return np.asarray(frame["x"]) + np.asarray(frame["z"])


def exits(frame):
    if (frame["x"] == EXIT).any():
        sys.exit(5)
    return frame["x"]

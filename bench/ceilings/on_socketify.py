"""The bare program on socketify: HTTP is uWebSockets, in C++."""

from __future__ import annotations

import sys

import model
from socketify import App

answer = model.answer
app = App()


def predict(response, request) -> None:
    def whole(response, chunk, last, *_) -> None:
        if last:
            response.write_header("content-type", "application/json")
            response.end(answer(chunk))

    response.on_data(whole)


def ready(response, request) -> None:
    response.end("{}")


app.post("/*", predict)
app.get("/*", ready)
app.listen({"host": "127.0.0.1", "port": int(sys.argv[1])}, lambda _: None)
app.run()

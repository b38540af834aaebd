"""The data plane: a worker that answers predictions.

This room knows the route file, packaged models on the local disk and HTTP. It knows no store, no gate and no web page:
it goes on answering when all of them are gone. What it needs to know arrives as `route.json` in the serving folder,
written by the control process; what it has to say it leaves there too, in `workers/`, `stats/` and `logs/`.
"""

"""Whether a packaged model works in the environment of its lock alone: its recorded examples are asked again there.

It knows packages, locks and processes. It knows no release, no store and no gate.
"""

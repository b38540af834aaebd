"""The prediction log and the labels: what a worker writes beside answering, and how it comes to the store and out.

Two halves that must not load each other. In the worker and the process beside it: `layout`, `log`, `ring`, `writer`,
`labels` and `wire`, which know files and no store. In the control process and below commands: `chunks`, `collecting`,
`reading`, `exporting` and `late`.
"""

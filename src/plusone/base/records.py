"""The nouns, one record each. They are plain values: no behaviour, no storage, equal when their fields are.

Every record is immutable and is written as JSON with the same keys that it has here. Times are the text that
`clock.now` writes; digests are sha256 in hex; durations end in `_s` and sizes in `_bytes`.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec

__all__ = [
    "Amount",
    "Artifact",
    "Check",
    "Code",
    "Column",
    "Dataset",
    "Decision",
    "Experiment",
    "Field",
    "Freeing",
    "Kept",
    "Latest",
    "MetricPoint",
    "ModelRoute",
    "Number",
    "Outcome",
    "Output",
    "Package",
    "PackageFile",
    "Record",
    "Release",
    "Route",
    "RouteFile",
    "RouteTarget",
    "Run",
    "RunInput",
    "RunStatus",
    "ServerReport",
    "Session",
    "Share",
    "Signature",
    "Stage",
    "StepRun",
    "WorkerReport",
    "as_number",
    "finite",
]

Stage = Literal[
    "candidate", "passed", "failed", "shadow", "canary", "live", "previous", "retired", "rolled back", "rejected"
]
Outcome = Literal[
    "passed", "failed", "inconclusive", "not applicable", "skipped", "deselected", "broken", "xfailed", "not run"
]
RunStatus = Literal["running", "done", "failed", "interrupted", "scheduled"]
Number = float | Literal["NaN", "Infinity", "-Infinity"]
"""A number as JSON: what JSON has no number for is written as text."""


def as_number(value: float) -> Number:
    """Return `value` as JSON can hold it: NaN and infinities as text."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def finite(value: float) -> float | None:
    """Return `value`, or None for NaN and infinities: JSON has no other way to write them."""
    return value if math.isfinite(value) else None


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """The base of every record."""


# ---------------------------------------------------------------------------------------------- data


class Column(Record, frozen=True, kw_only=True):
    """One column of a table: its name, its type as Arrow writes it, and whether it holds nulls."""

    name: str
    type: str
    nullable: bool


class Dataset(Record, frozen=True, kw_only=True):
    """What a step returned: immutable, named by its content."""

    digest: str
    """sha256 of kind, flavour and blob together: the same bytes as a file and as a JSON value are two datasets."""
    blob: str
    """sha256 of the stored bytes."""
    kind: Literal["table", "array", "arrays", "json", "file"]
    flavour: str
    """What the caller gets back: `pandas`, `polars`, `pyarrow`, `numpy`, `json`, or the file's name."""
    size_bytes: int
    rows: int | None = None
    columns: tuple[Column, ...] = ()
    created_at: str = ""


class Code(Record, frozen=True, kw_only=True):
    """The version of the project's code: the git commit, the diff when the tree was dirty, and every source file."""

    commit: str | None = None
    dirty: bool = False
    diff: str | None = None
    """Digest of the diff against the commit."""
    files: dict[str, str] = {}
    """The digest of each Python file of the project, by path; with git or without."""


class Experiment(Record, frozen=True, kw_only=True):
    """A name under which runs are compared. Every run is in one; `Default`, with the id 0, is always there."""

    id: str
    name: str
    status: Literal["active", "deleted"] = "active"
    tags: dict[str, str] = {}
    created_at: str = ""
    updated_at: str = ""


class Latest(Record, frozen=True, kw_only=True):
    """The latest point of a metric: of those with the largest step, the last in time, and of those the largest."""

    value: Number
    step: int
    at: float
    """Unix time in seconds."""


class Run(Record, frozen=True, kw_only=True):
    """One execution: settings, inputs, outputs, code version, environment, log."""

    id: str
    name: str
    status: RunStatus
    started_at: str
    finished_at: str | None = None
    model: str | None = None
    settings: dict[str, Any] = {}
    code: Code = Code()
    environment: str | None = None
    """Digest of the environment lock: a blob of `name==version` lines."""
    log: str | None = None
    """Digest of what the run printed: a blob of text."""
    error: str | None = None
    resumed_from: str | None = None
    experiment: str = "0"
    """The id of its experiment."""
    source: Literal["release", "script", "mlflow"] = "release"
    """What made it: `plusone release`, `plusone.run(...)`, or MLflow's API."""
    by: str = ""
    tags: dict[str, str] = {}
    metrics: dict[str, Latest] = {}
    deleted_at: str | None = None


class StepRun(Record, frozen=True, kw_only=True):
    """One step in one run: what went in, what came out, and whether it ran or its outputs were there already."""

    run_id: str
    step: str
    fingerprint: str
    status: Literal["done", "cached"]
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    settings: dict[str, Any] = {}
    started_at: str = ""
    duration_s: float = 0.0


class Artifact(Record, frozen=True, kw_only=True):
    """A file that a run or a logged model keeps under a path."""

    owner: str
    """The id of the run or of the logged model."""
    path: str
    """Relative, with '/', never leading out: `plots/roc.png`."""
    blob: str
    """sha256 of its bytes."""
    size_bytes: int
    kind: str = "file"
    """`file`, `figure` or `table`; of a logged model `model`."""
    created_at: str = ""


class RunInput(Record, frozen=True, kw_only=True):
    """Something that a run says it read. Its bytes are kept only if it is a dataset of this store."""

    run_id: str
    name: str
    digest: str
    """sha256 of a file, the digest of a dataset, or what MLflow's client calls one."""
    source_type: str
    """`file` or `dataset`; through MLflow whatever its client says."""
    source: str = ""
    schema: str = ""
    profile: str = ""
    tags: dict[str, str] = {}


class Kept(Record, frozen=True, kw_only=True):
    """Something that gc leaves alone because a person said so."""

    thing: str
    """A run's id, `MODEL@n`, or the digest of a dataset, a package or a file."""
    by: str
    reason: str
    at: str


class Amount(Record, frozen=True, kw_only=True):
    """Some files: how many, and how big together."""

    count: int = 0
    size_bytes: int = 0


class Freeing(Record, frozen=True, kw_only=True):
    """What gc would free, or has freed."""

    count: int
    size_bytes: int
    kinds: dict[str, Amount]
    """What it was kept as: `model`, `dataset`, `file`, `code`, `log`, `environment`, `predictions`, `temporary`, or
    `unknown` when no record names it."""
    releases: tuple[str, ...]
    """Releases (`MODEL@n`) that lose their files with it, and can't go live again."""
    deleted_runs: tuple[str, ...]
    """Deleted runs that lose their points and files."""
    predictions: int
    """How many logged predictions are forgotten; their labels stay."""
    waiting: int
    """How many blobs nothing needs that are too young: a record of them may be on its way."""


class MetricPoint(Record, frozen=True, kw_only=True):
    """One logged value of one series of a run. `value` may be NaN or infinite: it is kept as it was logged."""

    key: str
    step: int
    value: float
    at: float
    """Unix time in seconds."""


# ---------------------------------------------------------------------------------------------- packaged models


class Field(Record, frozen=True, kw_only=True):
    """One field of a request: what it may hold, and what it held in the training data."""

    name: str
    dtype: Literal["int64", "float64", "bool", "string", "float32", "uint8"]
    """The last two are of tensors alone."""
    nullable: bool = False
    categories: tuple[str, ...] | None = None
    """For strings: the values seen in training, sorted; None when there were more than 1,000, or one of more than 200
    letters."""
    unseen: Literal["accept", "refuse"] = "accept"
    """For strings: whether the model answers to a value that was not seen in training (found out by asking it)."""
    minimum: float | None = None
    maximum: float | None = None
    """The range in training. A request outside of it is answered."""
    example: Any = None
    shape: tuple[int, ...] | None = None
    """Of a tensor (an image, a sound, an embedding): that of one row's value. None: the field holds one value."""
    media: dict[str, Any] | None = None
    """How the bytes of a JPEG, PNG or WAV become that tensor, for a field that takes them."""


class Output(Record, frozen=True, kw_only=True):
    """What a model answers, per row."""

    name: str
    kind: Literal["classes", "number", "vector", "ranking", "labels"]
    """`vector`: several numbers, one for each target or an embedding; `ranking`: items, best first, with scores;
    `labels`: a label for each of several targets."""
    classes: tuple[Any, ...] = ()
    """The labels (bool, int or str), in the order of the probabilities; of a ranking the items, by code."""
    probabilities: bool = False
    names: tuple[str, ...] = ()
    """Of several targets: the name of each."""
    width: int = 1
    """How many numbers a vector has, items a ranking, or targets `labels`."""
    sizes: tuple[int, ...] = ()
    """Of `labels`: how many of the classes are each target's. They stand one target's behind the other's."""


class Signature(Record, frozen=True, kw_only=True):
    """What a model takes and answers."""

    fields: tuple[Field, ...]
    output: Output


class PackageFile(Record, frozen=True, kw_only=True):
    """One file of a packaged model. `path` is relative to the package's folder and uses '/'."""

    path: str
    digest: str
    size_bytes: int


class Package(Record, frozen=True, kw_only=True):
    """A packaged model: what `manifest.json` in its folder says. Its digest is the sha256 of that file."""

    model: str
    format: str
    """The format's name, e.g. `onnx`: `predictor` reads it to load the model."""
    signature: Signature
    files: tuple[PackageFile, ...]
    options: dict[str, Any] = {}
    """What the format needs to load it, e.g. how the columns enter the graph."""
    proof: dict[str, Any] = {}
    """How the packaged model was proven equal to the trained one: rows, largest difference, tolerance."""
    profile: dict[str, Any] = {}
    """The profile of the training data, by column."""
    environment: str = ""
    """Digest of the environment lock, which is the file `environment.txt` of the package."""
    trained: str = ""
    """The class of the trained model, e.g. `sklearn.pipeline.Pipeline`."""


class Release(Record, frozen=True, kw_only=True):
    """A number of a model and the one digest that it will always stand for."""

    model: str
    number: int
    digest: str
    """sha256 of the release's manifest: package, settings, tests and run."""
    package: str
    """Digest of the package's manifest."""
    run_id: str
    fingerprint: str
    """Of everything that can change a release: code, settings, data, environment, tests."""
    settings: dict[str, Any] = {}
    tests: dict[str, str] = {}
    """The digest of each test file."""
    metrics: dict[str, float | None] = {}
    """The last value of each metric that was logged while it was made; None: NaN or infinite, which JSON has not."""
    stage: Stage = "candidate"
    created_at: str = ""


# ---------------------------------------------------------------------------------------------- checks


class Learning(Record, frozen=True, kw_only=True):
    """What a model learns from and what it answers, as its declaration says."""

    inputs: tuple[str, ...] = ()
    """The step outputs that its function takes; the first is its training data."""
    targets: tuple[str, ...] = ()
    """The columns that it answers: one, several or none."""
    features: tuple[str, ...] | None = None
    """The columns that a request carries; None: all but the targets."""
    upstream: tuple[str, ...] = ()
    """Every step output that its inputs were made of, they among them; `sources`: those of steps without inputs."""
    sources: tuple[str, ...] = ()


class Check(Record, frozen=True, kw_only=True):
    """One test's outcome on one release."""

    test: str
    """pytest's id, e.g. `tests/test_model.py::test_no_worse_than_live`."""
    subject: Literal["data", "model", "code"]
    outcome: Outcome
    allowed: bool = False
    """Whether the test itself says that this inconclusive outcome does not close the gate."""
    message: str = ""
    measured: tuple[dict[str, Any], ...] = ()
    """One object for each comparison the test made, e.g. metric, value, interval, margin, rows."""
    duration_s: float = 0.0
    output: str = ""


class Session(Record, frozen=True, kw_only=True):
    """The checks of one sitting on one release digest. The gate reads the newest session of a digest."""

    id: str
    release: str | None
    """The release's digest; None when the data tests stopped it before there was one."""
    checks: tuple[Check, ...]
    run_id: str = ""
    problems: tuple[str, ...] = ()
    """What makes it incomplete, e.g. a test file that was not collected."""
    started_at: str = ""
    finished_at: str = ""


# ---------------------------------------------------------------------------------------------- releases on their way


class Decision(Record, frozen=True, kw_only=True):
    """Who or what moved a release to another stage, when and why."""

    id: str
    model: str
    release: int
    digest: str
    before: Stage | None
    after: Stage
    by: str
    reason: str
    at: str
    override: bool = False
    """Whether it went past a closed gate, by name and with a reason."""
    evidence: dict[str, Any] = {}


class Share(Record, frozen=True, kw_only=True):
    """The part of a model's traffic that one release takes, 0 to 1."""

    release: int
    digest: str
    share: float


class Route(Record, frozen=True, kw_only=True):
    """Which releases of a model take which share of its traffic. Versions are only ever added."""

    model: str
    version: int
    shares: tuple[Share, ...]
    previous: Share | None = None
    """The release that stays warm for a rollback; its share is 0."""
    shadow: Share | None = None
    """The release that gets copies of requests and answers nobody; its share is that of the requests copied."""
    decision: str = ""
    at: str = ""


class RouteTarget(Record, frozen=True, kw_only=True):
    """One release in the route file: where its package lies on this machine."""

    release: int
    digest: str
    package: str
    folder: str
    """Relative to the folder of the route file, uses '/'."""
    share: float = 0.0
    """The share of the model's requests that it answers, 0 to 1."""
    shadow: float = 0.0
    """The share of the model's requests of which it gets a copy, 0 to 1; nobody gets to see its answers."""
    stage: Stage | Literal[""] = ""
    """`live`, `canary`, `shadow` or `previous`: by what it can be addressed. Empty in an older route file."""


class ModelRoute(Record, frozen=True, kw_only=True):
    """One model in the route file."""

    version: int
    targets: tuple[RouteTarget, ...]
    """Every release to hold in memory: those that take traffic, and the previous one with share 0."""


class RouteFile(Record, frozen=True, kw_only=True):
    """What the control process publishes for the workers of this machine: the whole intent, in one file."""

    sequence: int
    models: dict[str, ModelRoute] = {}
    at: str = ""


class WorkerReport(Record, frozen=True, kw_only=True):
    """What one serving worker says of itself, in its report file."""

    pid: int
    slot: int
    ready: bool
    generation: str
    """The id of the `plusone up` that started it."""
    versions: dict[str, int] = {}
    """The route version of each model that it serves."""
    failed: dict[str, dict[str, Any]] = {}
    """Per model, the route version that it could not load: `{"version": 3, "error": "..."}`."""
    started_at: str = ""
    at: str = ""


class ServerReport(Record, frozen=True, kw_only=True):
    """One `plusone up`, as the store knows it: its workers and the route versions that every one of them serves."""

    id: str
    host: str
    pid: int
    address: str
    control: str
    workers: tuple[WorkerReport, ...] = ()
    started_at: str = ""
    heartbeat_at: str = ""

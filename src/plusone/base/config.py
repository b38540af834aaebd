"""The project: its folder, its `[tool.plusone]` and where its store lies. Read when asked for, never at import."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from .errors import ConfigError, UsageError
from .keys import public_bytes
from .plans import parse_plan
from .rollouts import RolloutStep

__all__ = ["Checks", "Limits", "Project", "Rollouts", "Serve", "find_project", "limits_of", "load_project", "plan_of"]


_FOLDER = ".plusone"


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tool.plusone.serve.models.NAME]`: what one model may take of a worker; None: as `[tool.plusone.serve]` says."""

    max_body_bytes: int | None = None
    concurrency: int | None = None
    queue: int | None = None
    timeout_s: float | None = None
    log_share: float | None = None


class Serve(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tool.plusone.serve]`: where predictions and the control API listen."""

    host: str = "127.0.0.1"
    port: int = 7401
    control_port: int = 7400
    workers: int = 1
    max_body_bytes: int = 16 * 1024 * 1024
    concurrency: int = 1
    """How many runs of one model go on at once, in each worker, where it is too slow for the event loop."""
    queue: int = 1024
    """How many requests to one model wait in each worker; those beyond are answered 429."""
    timeout_s: float = 30.0
    """How long a request may wait and be computed before it is answered 503 or 504."""
    load_timeout_s: float = 120.0
    """How long a release may take to load before it counts as failed, and the release before goes on."""
    log_share: float = 1.0
    """The share of the predictions that is logged, 0 to 1."""
    log_max_bytes: int = 1024 * 1024 * 1024
    """How many bytes of predictions that are not collected yet lie on this machine; those beyond are dropped."""
    grpc_port: int | None = None
    """Where the Open Inference Protocol is spoken over gRPC; None: nowhere. Needs the extra [grpc]."""
    signed_by: tuple[str, ...] = ()
    """Public keys, `ed25519:...`: only releases that one of them signed are served; empty: all."""
    models: dict[str, Limits] = {}


def limits_of(serve: Serve, model: str) -> Limits:
    """Return the limits of one model with nothing left out: its own where it has some, else those of all."""
    own = serve.models.get(model, Limits())
    filled = {key: getattr(own, key) for key in Limits.__struct_fields__}
    return Limits(**{key: getattr(serve, key) if value is None else value for key, value in filled.items()})


class Rollouts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tool.plusone.rollouts]`: how sure the judge of rollouts has to be, and what it puts up with; see `Judging`."""

    alpha: float = 0.05
    alpha_tolerated: float = 0.1
    errors_tolerance: float = 0.001
    invalid_tolerance: float = 0.001
    labels_tolerance: float = 0.01
    distance_tolerance: float = 0.09
    latency_tolerance: float = 0.09
    latency_floor_s: float = 0.001
    warm_up_looks: int = 5
    expected_shift: float = 0.2


class Checks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tool.plusone.checks]`: what plusone checks by itself of each release, and its bounds."""

    built_in: bool = True
    """Whether plusone's own checks run beside the project's tests."""
    skip: tuple[str, ...] = ()
    """Names of built-in checks that are not run, as `plusone checks` shows them: `columns`, or `columns[train_set]`."""
    performance_loss: float = 0.3
    """What share of the live release's gain over a constant answer may be lost."""
    baseline_loss: float = 0.5
    """What share of a linear model's gain over a constant answer may be lost."""
    slice_loss: float = 0.2
    """How much more than live a slice may lose, as a share of what a constant answer loses on all rows."""
    feature_loss: float = 0.8
    """What share of a field's importance to the live release may be lost."""
    calibration_loss: float = 0.1
    """How much further than live's the probabilities may be off, 0 to 1."""
    overfit: float = 0.25
    """How much more than live a candidate may lose from its training data to a holdout, as a share as above."""
    bias: float = 0.05
    """How much further than live's the mean answer to the training data, or to a slice of it, may lie from truth."""
    slower: float = 2.0
    """How many times live's time a candidate may take."""
    replay_requests: int = 10_000
    """How many of the newest logged requests each candidate is asked; 0: none."""
    replay_errors: int = 0
    """How many of them it may refuse that the live release answers."""
    replay_changed: float = 0.5
    """Which share of them it may answer differently from the live release."""
    replay_labels_margin: float = 0.02
    """How much worse it may be where labels have arrived: a share of rows, or of the live release's mean error."""
    replay_latency: float = 3.0
    """How many times as long as the live release it may take for one row."""
    shift: float = 0.6
    """How far a column's values may lie from those of the live release's data: total variation distance, 0 to 1."""
    shift_same_times: float = 0.05
    """The same among rows of the times that both cover, where no season excuses it."""
    label_shift: float = 0.2
    """The same of the target, over all rows."""
    nulls: float = 0.01
    """How much more of a column may be missing, as a share of the rows."""
    duplicates: float = 0.005
    """How many more of the rows may be equal to another one, as a share."""
    rewritten: float = 0.05
    """In what share of the rows of the past a column may hold something else than it did."""
    leakage: float = 0.9
    """How well one feature alone may tell the target: AUC, 0.5 to 1; of numbers R2 likewise, 0.8 for 0.9."""
    overlap: float = 0.01
    """What share of a holdout's rows may be in the training data."""
    data_alpha: float = 0.01
    """The share of false alarms that intervals of data checks are made for, over all columns of a table."""


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tool.plusone.models.NAME]`: what holds for one model; None: as `[tool.plusone]` says."""

    rollout: tuple[str, ...] | None = None


class _Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pipeline: str = "pipeline.py"
    tests: str = "tests"
    store: str = _FOLDER
    blobs: str = ""
    sign_with: str = ""
    rollout: tuple[str, ...] = ()
    models: dict[str, ModelSettings] = {}
    rollouts: Rollouts = Rollouts()
    checks: Checks = Checks()
    serve: Serve = Serve()


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A folder with `[tool.plusone]` in its pyproject.toml, and its store."""

    root: Path
    name: str
    pipeline: Path
    tests: Path
    store: Path
    """The folder of the store; there is one, whatever the two addresses below say."""
    database: str = ""
    """The address of the records, `postgresql://...`; empty: a file in the folder. It may hold a password."""
    blobs: str = ""
    """The address of the blobs, `s3://bucket/prefix`; empty: below the folder."""
    serve: Serve
    sign_with: Path | None = None
    """The file with the private key that new releases are signed with; None: they are not signed."""
    rollout: tuple[RolloutStep, ...] = ()
    """How a release takes the place of the live one; empty: at once."""
    plans: dict[str, tuple[RolloutStep, ...]] = {}
    """The same of models that have a plan of their own."""
    rollouts: Rollouts = Rollouts()
    checks: Checks = Checks()


def plan_of(project: Project, model: str) -> tuple[RolloutStep, ...]:
    """Return the steps in which a release of `model` takes the place of the live one; empty: at once."""
    return project.plans.get(model, project.rollout)


def find_project(start: Path | None = None) -> Path:
    """Return the nearest folder, from `start` upwards, whose pyproject.toml has `[tool.plusone]`.

    Raises:
        ConfigError: when there is none.
    """
    here = (start or Path.cwd()).resolve()
    root = _project_above(here)
    if root is None:
        raise ConfigError(
            f"{here} is not in a plusone project: no pyproject.toml with [tool.plusone] here or above.",
            mend="plusone new NAME, or cd into a project, or plusone --project FOLDER",
        )
    return root


def load_project(start: Path | None = None, *, anywhere: bool = False) -> Project:
    """Return the project that `start` (default: the working folder) is in.

    The store is `.plusone` in the project, or what `[tool.plusone] store` or `PLUSONE_STORE` says: a folder, or the
    address of a database (with `.plusone` for what belongs to this machine). `blobs` and `PLUSONE_BLOBS` name a bucket.
    A folder without a project, whose scripts log runs, counts as one with the defaults when `PLUSONE_STORE` is set or
    when it or a folder above it has a store in `.plusone`.

    Args:
        anywhere: take a folder without project and store for one whose store is still to be made.

    Raises:
        ConfigError: when there is no project, or a setting has the wrong name, type or range.
    """
    here = (start or Path.cwd()).resolve()
    root = _project_above(here)
    if root is None and (bare := _bare(here, anywhere=anywhere)) is not None:
        return _project(bare, bare.name, _Settings(), here / "pyproject.toml")
    root = root or find_project(start)
    file = root / "pyproject.toml"
    data = _read(file)
    try:
        settings = msgspec.convert(data["tool"]["plusone"], _Settings)
    except msgspec.ValidationError as error:
        parts = (("rollouts", Rollouts), ("checks", Checks), ("serve", Serve))
        known = ", ".join([*_Settings.__struct_fields__[:7], *(name for part in parts for name in _names(*part))])
        raise ConfigError(f"{file}, [tool.plusone]: {error}. Known settings: {known}.") from error
    _check_serve(settings.serve, file)
    _check_rollouts(settings.rollouts, f"{file}, [tool.plusone.rollouts]")
    _check_checks(settings.checks, f"{file}, [tool.plusone.checks]")
    return _project(root, str(data.get("project", {}).get("name", root.name)), settings, file)


def _names(prefix: str, kind: type[msgspec.Struct]) -> list[str]:
    return [f"{prefix}.{name}" for name in kind.__struct_fields__]


def _project_above(here: Path) -> Path | None:
    for folder in (here, *here.parents):
        file = folder / "pyproject.toml"
        if file.is_file() and "plusone" in _read(file).get("tool", {}):
            return folder
    return None


def _bare(here: Path, *, anywhere: bool) -> Path | None:
    if os.environ.get("PLUSONE_STORE"):
        return here
    stores = (folder for folder in (here, *here.parents) if (folder / _FOLDER / "plusone.db").is_file())
    return next(stores, here if anywhere else None)


def _project(root: Path, name: str, settings: _Settings, file: Path) -> Project:
    named = os.environ.get("PLUSONE_STORE") or settings.store
    database = named if "://" in named else ""
    # The variable may name the database and the project the folder.
    folder = next((place for place in (named, settings.store) if "://" not in place), _FOLDER)
    blobs = os.environ.get("PLUSONE_BLOBS") or settings.blobs
    if blobs and "://" not in blobs:
        raise ConfigError(
            f"The address of the blobs is {blobs!r}: expected the address of a bucket.",
            mend='blobs = "s3://BUCKET/PREFIX", or leave it out to keep them in the store\'s folder',
        )
    return Project(
        root=root,
        name=name,
        pipeline=root / settings.pipeline,
        tests=root / settings.tests,
        store=(root / folder).resolve(),
        database=database,
        blobs=blobs,
        serve=settings.serve,
        sign_with=_key(root, settings, file),
        rollout=_plan(settings.rollout, f"{file}, [tool.plusone] rollout"),
        rollouts=settings.rollouts,
        checks=settings.checks,
        plans={
            model: _plan(own.rollout, f"{file}, [tool.plusone.models.{model}] rollout")
            for model, own in settings.models.items()
            if own.rollout is not None
        },
    )


def _key(root: Path, settings: _Settings, file: Path) -> Path | None:
    """Return where the private key lies: never where it could be committed with the project."""
    named = os.environ.get("PLUSONE_SIGNING_KEY") or settings.sign_with
    if not named:
        return None
    path = (root / Path(named).expanduser()).resolve()
    if root.resolve() in path.parents:
        raise ConfigError(
            f"{file}: the key {path} that releases are signed with lies in the project, where it could be committed.",
            mend='sign_with = "~/.config/plusone/signing.pem", or PLUSONE_SIGNING_KEY=FILE',
        )
    return path


def _plan(steps: tuple[str, ...], where: str) -> tuple[RolloutStep, ...]:
    try:
        return parse_plan(steps, where)
    except UsageError as error:
        raise ConfigError(error.message, mend=error.mend) from None


def _check_serve(serve: Serve, file: Path) -> None:
    for key in ("port", "control_port", "grpc_port"):
        value = getattr(serve, key)
        if value is not None and not 0 < value < 65536:
            raise ConfigError(f"{file}, [tool.plusone.serve]: {key} = {value}: expected 1 to 65535.")
    if not 1 <= serve.workers <= 256:
        raise ConfigError(f"{file}, [tool.plusone.serve]: workers = {serve.workers}: expected 1 to 256.")
    _check_limits(serve, f"{file}, [tool.plusone.serve]")
    for name, limits in serve.models.items():
        _check_limits(limits, f"{file}, [tool.plusone.serve.models.{name}]")
    for key in serve.signed_by:
        try:
            public_bytes(key)
        except UsageError as error:
            raise ConfigError(f"{file}, [tool.plusone.serve] signed_by: {error.message}", mend=error.mend) from None
    if not serve.load_timeout_s >= 1.0:
        raise ConfigError(f"{file}, [tool.plusone.serve]: load_timeout_s = {serve.load_timeout_s}: expected >= 1.")
    if serve.log_max_bytes < 1024 * 1024:
        raise ConfigError(f"{file}, [tool.plusone.serve]: log_max_bytes = {serve.log_max_bytes}: expected >= 1048576.")


def _check_limits(limits: Serve | Limits, where: str) -> None:
    least = {"max_body_bytes": 1024, "concurrency": 1, "queue": 1, "timeout_s": 0.001, "log_share": 0.0}
    for key, smallest in least.items():
        value = getattr(limits, key)
        if value is not None and not value >= smallest:
            raise ConfigError(f"{where}: {key} = {value}: expected >= {smallest}.")
    if limits.log_share is not None and limits.log_share > 1.0:
        raise ConfigError(f"{where}: log_share = {limits.log_share}: expected 0 to 1.")


def _check_rollouts(rollouts: Rollouts, where: str) -> None:
    for key in ("alpha", "alpha_tolerated"):
        value = getattr(rollouts, key)
        if not 0.0 < value < 1.0:
            raise ConfigError(f"{where}: {key} = {value}: expected more than 0 and less than 1.", mend=f"{key} = 0.05")
    most = {
        "latency_tolerance": 100.0,
        "distance_tolerance": 100.0,
        "warm_up_looks": 1000,
        "expected_shift": 1.0,
        "latency_floor_s": 1000.0,
    }
    for key in Rollouts.__struct_fields__[2:]:
        value, least, highest = getattr(rollouts, key), 1e-6 if key == "latency_floor_s" else 0, most.get(key, 0.999)
        if not least <= value <= highest:
            usual = getattr(Rollouts(), key)
            raise ConfigError(f"{where}: {key} = {value}: expected {least} to {highest}.", mend=f"{key} = {usual}")


_RANGES = {
    "performance_loss": (0.0, 1.0),
    "baseline_loss": (0.0, 1.0),
    "slice_loss": (0.0, 100.0),
    "feature_loss": (0.0, 1.0),
    "calibration_loss": (0.0, 1.0),
    "overfit": (0.0, 100.0),
    "bias": (0.0, 100.0),
    "slower": (1.0, 1000.0),
    "replay_requests": (0, 1_000_000),
    "replay_errors": (0, 1_000_000),
    "replay_changed": (0.0, 1.0),
    "replay_labels_margin": (0.0, 10.0),
    "replay_latency": (1.0, 1000.0),
    "shift": (0.0, 1.0),
    "shift_same_times": (0.0, 1.0),
    "label_shift": (0.0, 1.0),
    "nulls": (0.0, 1.0),
    "duplicates": (0.0, 1.0),
    "rewritten": (0.0, 1.0),
    "leakage": (0.5, 1.0),
    "overlap": (0.0, 1.0),
    "data_alpha": (1e-6, 0.5),
}


def _check_checks(checks: Checks, where: str) -> None:
    for key, (least, most) in _RANGES.items():
        value = getattr(checks, key)
        if not least <= value <= most:
            usual = getattr(Checks(), key)
            raise ConfigError(
                f"{where}: {key} = {value}: expected {least:,.10g} to {most:,.10g}.", mend=f"{key} = {usual}"
            )


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} can't be read: {error}.") from error

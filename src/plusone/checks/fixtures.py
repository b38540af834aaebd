"""The fixtures: every step output by its name, `model` (the candidate as it will be served) and `live`.

The values of step outputs have session scope, so that fixtures of the project may have any scope, and yet no test can
change what another one gets: before each test, and after each fixture of a wider scope was made, they are renewed.
"""

from __future__ import annotations

import types
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from ..base.errors import PlusoneError, UsageError
from ..measuring.outcomes import NotApplicable
from .by_hand import CHOICE
from .context import Context, ReleaseRef
from .names import OURS
from .plugin import project_above
from .values import Values, load_release

__all__ = ["Fixtures"]


class Fixtures:
    """The plugin object that makes and renews the fixtures. Without a context each of them says why there is none."""

    def __init__(self, context: Context | None, problem: PlusoneError | None = None) -> None:
        self._context = context
        self._why = problem or UsageError("no run yet", mend="plusone release")
        self._made: dict[str, pytest.FixtureDef[Any]] = {}
        self._values = Values(context) if context else None
        self._outputs = frozenset((*context.outputs, *context.not_made)) if context else frozenset[str]()

    def holder(self) -> types.ModuleType:
        """Return the module to register as a plugin, in which pytest finds the fixtures."""
        holder = types.ModuleType("plusone_fixtures", "The fixtures that plusone gives to the tests of a project.")
        for name in (*self._outputs, *OURS):
            function = self._release(name) if name in OURS else self._output(name)
            # The attribute has a prefix: pytest takes what is called `pytest_...` for a hook.
            setattr(holder, f"fixture_{name}", pytest.fixture(scope="session", name=name)(function))
        return holder

    @property
    def _problem(self) -> str:
        """Why there is no context, and what mends it, in a line."""
        return f"{self._why.message}: {self._why.mend}" if self._why.mend else self._why.message

    def _output(self, name: str) -> Any:
        def output() -> Any:
            __tracebackhide__ = True
            assert self._values is not None
            return self._values.fresh(name)

        output.__doc__ = f"The step output {name!r}, a fresh copy for each test."
        return output

    def _release(self, name: str) -> Any:
        def release() -> Any:
            __tracebackhide__ = True
            return self._load(name)

        release.__doc__ = (
            "The candidate, loaded from its package as it will be served."
            if name == "model"
            else "The release that takes the traffic now; a test that asks for it is 'not applicable' without one."
        )
        return release

    def _load(self, name: str) -> Any:
        __tracebackhide__ = True
        if self._context is None:
            raise UsageError(f"There is no {name!r} to test: {self._why.message}", mend=self._why.mend)
        if name == "model":
            found: ReleaseRef | None = self._context.candidate
            if found is None:
                raise self._no_model(self._context)
        else:
            found = self._context.live
            if found is None:
                raise NotApplicable("no release is live yet: there is nothing to compare with")
        try:
            loaded = load_release(found, self._context)
        except PlusoneError as error:
            # What happened and what mends it is in its text: where plusone noticed it helps nobody who reads on.
            raise error.with_traceback(None) from None
        # The first call imports what reads tables, a second or more: not in a test that has a deadline.
        from ..data.tables import to_arrow

        to_arrow([{"x": 0.0}])
        return loaded

    def _no_model(self, context: Context) -> UsageError:
        if context.result:
            return UsageError(
                "There is no model to test here: these are the tests on data, which run before training. A test is "
                "one on the model when it, or a fixture it uses, has `model` or `live` as a parameter.",
                mend="name `model` as a parameter of the test, instead of request.getfixturevalue('model')",
            )
        if len(context.models) > 1:
            return UsageError(
                f"The project has several models: {', '.join(context.models)}.",
                mend=f"{CHOICE}={context.models[0]} pytest",
            )
        return UsageError("There is no release yet, so no model to test.", mend="plusone release")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Give this test step outputs of its own; refuse one of another project, whose outputs these are not."""
        __tracebackhide__ = True
        names = getattr(item, "fixturenames", ())
        if self._context is not None and not self._context.result and not self._outputs.union(OURS).isdisjoint(names):
            self._refuse_strangers(item, Path(self._context.root))
        if self._context is not None and not self._context.result and self._context.model:
            _leave_aside(item, self._context.model)
        self._renew(names)

    def _refuse_strangers(self, item: pytest.Item, root: Path) -> None:
        __tracebackhide__ = True
        theirs = project_above(item.path)
        if theirs is None or theirs == root.resolve():
            return
        raise UsageError(
            f"{item.path} is a test of the project {theirs}, and what this pytest gives to tests is of {root}: one "
            "pytest is about one project.",
            mend=f"pytest {theirs}",
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        """Keep what fixtures of a wider scope hold apart from what tests get; refuse what hides one of ours."""
        __tracebackhide__ = True
        name = fixturedef.argname
        ours = name in self._outputs or name in OURS
        if ours and self._is_ours(fixturedef):
            self._made[name] = fixturedef
        elif ours:
            error = UsageError(
                f"The project has a fixture or a parameter {name!r} that hides plusone's, so that a test that asks for "
                "it would not test what was made and what will be served.",
                mend="give it another name",
            )
            # As pytest keeps it of a fixture that failed: else it does not end this one, and the next test that asks
            # for it breaks with an assertion of pytest's own.
            fixturedef.cached_result = (None, getattr(request, "param", None), (error, None))
            raise error
        if ours or fixturedef.scope == "function":
            return (yield)
        before = self._renew(request.fixturenames)
        value = yield
        self._renew(request.fixturenames)
        for changed, cached in before.items():
            self._made[changed].cached_result = cached
        return value

    def _is_ours(self, fixturedef: pytest.FixtureDef[Any]) -> bool:
        return getattr(fixturedef.func, "__module__", "") == __name__

    def _renew(self, names: Iterable[str]) -> dict[str, Any]:
        """Put fresh copies where pytest keeps the values of our fixtures; return what was there, by name."""
        before: dict[str, Any] = {}
        for name in names:
            made = self._made.get(name)
            if made is None or name not in self._outputs or made.cached_result is None or self._values is None:
                continue
            if made.cached_result[2] is None:
                before[name] = made.cached_result
                made.cached_result = (self._values.fresh(name), made.cached_result[1], None)
        return before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Show 'not applicable' as a skipped test: it is no failure. Say why a step output is not found."""
        report = yield
        error = call.excinfo.value if call.excinfo is not None else None
        if isinstance(error, NotApplicable):
            path, line, _ = item.location
            report.outcome = "skipped"
            report.longrepr = (path, (line or 0) + 1, f"Skipped: not applicable: {error}")
        if self._context is None and type(error).__name__ == "FixtureLookupError":
            report.sections.append(("plusone: if that is a step output", self._problem))
        return report

    def pytest_report_header(self) -> str:
        """Say, when a person typed `pytest`, what the fixtures hold."""
        context = self._context
        if context is None:
            return f"plusone: {self._problem}"
        release = context.candidate
        model = f"model = {context.model}@{release.number}" if release is not None else "no model"
        return f"plusone: {model}, step outputs of the last run: {', '.join(sorted(context.outputs)) or 'none'}"


def _leave_aside(item: pytest.Item, model: str) -> None:
    """Skip what is marked as a test of other models alone: a release of this one would not run it either."""
    __tracebackhide__ = True
    named = [name for mark in item.iter_markers("model") for name in mark.args]
    if named and model not in named:
        pytest.skip(
            f"a test of {', '.join(map(str, named))}, and this pytest is about {model}: {CHOICE}={named[0]} pytest"
        )

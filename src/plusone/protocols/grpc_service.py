"""The Open Inference Protocol over gRPC: the service `inference.GRPCInferenceService`, in front of any backend.

It needs the extra [grpc]; nothing of it is loaded before a server is made. Calls run on the loop that starts the
server; what is big is read and written in a thread beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from ..base.errors import (
    BadRequest,
    BodyTooLarge,
    ConfigError,
    InvalidInput,
    NotFound,
    Overloaded,
    PlusoneError,
    TooSlow,
    Unavailable,
)
from ..base.ids import new_id
from ..predictor.predictor import Answer
from ..tensors.tensors import Read
from .descriptions import server_metadata
from .inference import text_of
from .served import Served

__all__ = ["Backend", "InferenceServer"]

_BIG_BYTES = 256 * 1024
_CODES: tuple[tuple[type[PlusoneError], str], ...] = (
    (InvalidInput, "INVALID_ARGUMENT"),
    (BadRequest, "INVALID_ARGUMENT"),
    (NotFound, "NOT_FOUND"),
    (Overloaded, "RESOURCE_EXHAUSTED"),
    (BodyTooLarge, "RESOURCE_EXHAUSTED"),
    (TooSlow, "DEADLINE_EXCEEDED"),
    (Unavailable, "UNAVAILABLE"),
)

Log = Callable[..., None]


class Backend(Protocol):
    """What the service asks of a server of models. All is called on the server's loop."""

    def live(self) -> bool:
        """Whether the process lives."""
        ...

    def ready(self) -> bool:
        """Whether predictions are answered."""
        ...

    def models(self) -> Sequence[Served]:
        """Return every release that can be asked."""
        ...

    def failed(self) -> Mapping[str, str]:
        """Return, by model, why its release could not be loaded."""
        ...

    def find(self, model: str, version: str) -> Served:
        """Return a release; with an empty version the live one.

        Raises:
            NotFound: when there is no such model or release.
            Unavailable: when it can't be asked at present.
        """
        ...

    def choose(self, model: str, version: str, prediction_id: str, metadata: Mapping[str, str]) -> Served:
        """Return the release that answers a call; an empty version is for the route to choose.

        Args:
            metadata: what the call says beside its request, by name in lower case.

        Raises:
            BadRequest: when the metadata has what can't be.
            NotFound: when there is no such model or release.
            Unavailable: when it can't be asked at present.
        """
        ...

    async def run(self, served: Served, read: Read, prediction_id: str) -> Answer:
        """Return the answer to these rows. May raise Overloaded, TooSlow and Unavailable."""
        ...

    def answered(
        self, served: Served | None, prediction_id: str, request: bytes, outcome: bytes | PlusoneError
    ) -> None:
        """Be told, once for each inference call, how it ended: with these bytes of a `ModelInferResponse`, or an error.

        A call that its caller gave up ends with TooSlow.
        """
        ...


class InferenceServer:
    """A gRPC server of one worker.

    Args:
        backend: the server of models.
        version: plusone's.
        max_body_bytes: how many bytes a request may have; those beyond are answered RESOURCE_EXHAUSTED.
        max_calls: how many calls may be under way at once; those beyond likewise.
        log: called with the name of an event and its fields.

    Raises:
        ConfigError: when gRPC is not installed.
    """

    def __init__(
        self, backend: Backend, *, version: str, max_body_bytes: int, max_calls: int = 1024, log: Log | None = None
    ) -> None:
        self._grpc, self._remote, self._messages = _load()
        self._backend = backend
        self._version = version
        self._log = log
        self._options = [
            ("grpc.max_receive_message_length", max_body_bytes),
            ("grpc.max_send_message_length", -1),
            # Each worker listens on the same port, and one that takes over does before the old one ends.
            ("grpc.so_reuseport", 1),
        ]
        self._max_calls = max_calls
        self._server: Any = None

    async def start(self, host: str, port: int) -> int:
        """Begin to answer on the running loop; return the port, which was chosen where `port` is 0.

        Raises:
            ConfigError: when the address can't be listened on.
        """
        grpc = self._grpc
        server = grpc.aio.server(options=self._options, maximum_concurrent_rpcs=self._max_calls)
        handlers = {name: grpc.unary_unary_rpc_method_handler(self._guarded(name)) for name in self._messages.METHODS}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(self._messages.SERVICE, handlers),))
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound = server.add_insecure_port(address)
        except RuntimeError as error:
            raise ConfigError(
                f"The gRPC address {address} can't be listened on: {error}",
                mend="another grpc_port under [tool.plusone.serve] in pyproject.toml, or end what listens there",
            ) from error
        await server.start()
        self._server = server
        return int(bound)

    async def close(self, grace_s: float) -> None:
        """Take no more calls, and give those under way so many seconds to end."""
        if self._server is not None:
            await self._server.stop(grace_s)
            self._server = None

    # ------------------------------------------------------------------------------------------ calls

    def _guarded(self, name: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
        """Return the handler of a call: bytes to bytes, every error a status of gRPC."""
        calls: dict[str, Callable[[bytes, Any], Awaitable[bytes]]] = {"ModelInfer": self._infer}

        async def page(data: bytes, context: Any) -> bytes:
            return self._page(name, self._remote.parse(f"{name}Request", data))

        answer = calls.get(name, page)

        async def handle(data: bytes, context: Any) -> bytes:
            try:
                return await answer(data, context)
            except PlusoneError as error:
                code, text = self._code(error), text_of(error)
            except Exception as error:
                self._report(name, error)
                code, text = "INTERNAL", "An unexpected error: the worker's log has the cause."
            await context.abort(getattr(self._grpc.StatusCode, code), text)
            raise AssertionError("abort raises")

        return handle

    def _code(self, error: PlusoneError) -> str:
        return next((code for kind, code in _CODES if isinstance(error, kind)), "INTERNAL")

    def _report(self, name: str, error: Exception) -> None:
        if self._log is not None:
            self._log("grpc_call_failed", call=name, error=f"{type(error).__name__}: {error}"[:4000])

    async def _infer(self, data: bytes, context: Any) -> bytes:
        """Answer one inference call; the backend is told how it ended."""
        prediction_id = new_id()
        served: Served | None = None
        try:
            big = len(data) > _BIG_BYTES
            request = await _do(big, self._remote.parse, "ModelInferRequest", data)
            said = _texts(context.invocation_metadata())
            served = self._backend.choose(request.model_name, request.model_version, prediction_id, said)
            predictor = served.predictor
            call = await _do(big, self._remote.read_call, predictor, request)
            answer = await self._backend.run(served, call.read, prediction_id)
            named = {"model": served.model, "release": served.release, "prediction_id": prediction_id}
            sent: bytes = await _do(big, self._remote.write_call, call, predictor, answer, **named)
        except PlusoneError as error:
            self._backend.answered(served, prediction_id, data, error)
            raise
        except asyncio.CancelledError:
            gone = TooSlow("The caller cancelled the call, or the time that it had for it is over.")
            self._backend.answered(served, prediction_id, data, gone)
            raise
        except Exception as error:
            unforeseen = PlusoneError(f"{type(error).__name__}: {error}")
            self._backend.answered(served, prediction_id, data, unforeseen)
            raise
        self._backend.answered(served, prediction_id, data, sent)
        return sent

    def _page(self, name: str, request: Any) -> bytes:
        """Return the answer to any other call, serialised."""
        backend, remote = self._backend, self._remote
        if name == "ModelMetadata":
            served = backend.find(request.name, request.version)
            releases = [one.release for one in backend.models() if one.model == served.model]
            return remote.metadata_message(served, releases)
        if name == "ModelConfig":
            return remote.config_message(backend.find(request.name, request.version))
        if name == "RepositoryIndex":
            return remote.index_message(backend.models(), dict(backend.failed()), ready=request.ready)
        said: dict[str, Any]
        if name == "ServerMetadata":
            said = server_metadata(self._version)
        elif name == "ServerLive":
            said = {"live": backend.live()}
        elif name == "ServerReady":
            said = {"ready": backend.ready()}
        else:
            said = {"ready": self._is_ready(request.name, request.version)}
        return self._messages.message(f"{name}Response")(**said).SerializeToString()

    def _is_ready(self, model: str, version: str) -> bool:
        """Whether a model can be asked: a yes or no, also for one that is not known."""
        try:
            self._backend.find(model, version)
        except (NotFound, Unavailable):
            return False
        return True


def _texts(metadata: Any) -> dict[str, str]:
    """Return the metadata of a call without what is bytes."""
    return {name: value for name, value in metadata or () if isinstance(value, str)}


async def _do(big: bool, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Return what a function does, done in a thread where it is for a big request."""
    if big:
        return await asyncio.to_thread(function, *arguments, **named)
    return function(*arguments, **named)


def _load() -> tuple[Any, Any, Any]:
    """Return gRPC and our modules that need protobuf, or say how to install them."""
    try:
        import grpc

        from . import messages, remote
    except ImportError as error:
        raise ConfigError(
            f"gRPC needs packages that are not installed: {error}.",
            mend="pip install 'plusone[grpc]', or take grpc_port out of [tool.plusone.serve] in pyproject.toml",
        ) from error
    return grpc, remote, messages

"""A packaged model in memory: load, decode, run, answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ..base.errors import BrokenArtifact, InvalidInput, PlusoneError, UsageError
from ..base.ids import digest_file
from ..base.records import Field, Package
from ..graphs.layout import Block, Columns
from ..graphs.runner import Answer, OnnxRunner
from ..native.pythons import find_interpreter
from ..native.runner import NativeRunner
from ..native.trust import Trusted, require_trust
from ..packaging.artifact import ENVIRONMENT, MANIFEST, MODEL, known_values, read
from ..packaging.environments import NATIVE
from ..signatures.shapes import plain
from ..signatures.tables import invalid, read_table
from . import media
from .arrays import read_arrays
from .arrow import read_stream, write_stream
from .decode import Decoder
from .encode import Encoder, key_of
from .gather import Gatherer
from .lists import Labels, Vectors, lists_of, ranked
from .walk import unknown

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Answer", "Columns", "Predictor", "load"]

ARROW_BYTES = 256 * 1024 * 1024
"""How large a table that comes as Arrow may be once it is decompressed, unless the caller says otherwise."""


def load(
    folder: Path,
    digest: str | None = None,
    *,
    trusted: Trusted = frozenset(),
    python: Path | None = None,
    log: Callable[..., None] | None = None,
) -> Predictor:
    """Return the packaged model in `folder`, its bytes verified, ready to answer.

    A model that was not compiled runs in a process of its own, which is started here and ends with the predictor.

    Args:
        digest: what the sha256 of the package's manifest must be; None takes any.
        trusted: the packages that may make types which are not known to be safe.
        python: the interpreter of a model's own process; None for that of the environment of its lock.
        log: told what becomes of that process; None for stderr.

    Raises:
        BrokenArtifact: when a file is missing or changed, or the model can't be loaded.
        UnsafeValue: when it names types that are not known to be safe, and nobody trusted it.
        Unavailable: when its process can't be started.
    """
    graph = folder / MODEL
    before = _identity(graph)
    package = read(folder, digest)
    digest = digest or digest_file(folder / MANIFEST)
    if package.format in NATIVE:
        require_trust(package, digest, trusted)
        python = python or find_interpreter((folder / ENVIRONMENT).read_text("utf-8"))
        return Predictor(package, digest, NativeRunner(folder, package, python, log=log))
    if package.format != "onnx":
        raise BrokenArtifact(
            f"The package in {folder} has the format {package.format!r}: this version of plusone runs 'onnx', "
            f"{' and '.join(map(repr, NATIVE))}."
        )
    predictor = Predictor(package, digest, graph)
    if _identity(graph) != before:
        raise BrokenArtifact(
            f"{graph} was changed while it was loaded: what was verified may not be what was loaded.",
            mend="load it again; plusone up lays damaged packages out anew",
        )
    return predictor


def _identity(path: Path) -> tuple[int, ...] | None:
    """Return what changes when a file is written or replaced: it is read twice, to be verified and to be loaded."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


class Predictor:
    """A packaged model that answers. Threads may share it: nothing in it changes after it was loaded.

    Attributes:
        package: the package's record.
        digest: the sha256 of its manifest.
        signature: what it takes and answers.
        known: by field, the only values that it may hold, where the model answers to no others.
        blocks: how its fields enter the graph.
        order: the names of the fields, in the order of the blocks: that of the values in a row of `decode_rows`.
        has_media: whether a request may hold images or sounds, which take long to decode.
    """

    def __init__(self, package: Package, digest: str, graph: bytes | Path | NativeRunner) -> None:
        self.package = package
        self.digest = digest
        self.signature = package.signature
        self.blocks: tuple[Block, ...] = msgspec.convert(package.options["blocks"], tuple[Block, ...])
        self.known = known_values(package)
        self.order = [name for block in self.blocks for name in block.fields]
        self.has_media = any(field.media is not None for field in self.signature.fields)
        self.native = graph if isinstance(graph, NativeRunner) else None
        """What holds the model's own process, of one that was not compiled."""
        self._runner = (
            graph
            if isinstance(graph, NativeRunner)
            else OnnxRunner(
                graph, package.options["output"], package.signature.output.classes, package.signature.output.sizes
            )
        )
        gatherer = Gatherer(package.signature.fields, self.blocks)
        decoder = Decoder(package.signature.fields, self.blocks, self.known, gatherer)
        self.decode_rows = decoder.rows
        """`decode_rows(body: bytes) -> list[tuple]`: see `Decoder.rows`."""
        self.decode_request = decoder.request
        """`decode_request(body: bytes) -> list[tuple] | Columns`: see `Decoder.request`."""
        self.gather = gatherer.columns
        """`gather(rows: list[tuple]) -> Columns`: see `Gatherer.columns`. The rows of many requests may be joined."""
        self.run = self._runner.run
        """`run(columns: Columns) -> Answer`: see `OnnxRunner.run`."""
        output = package.signature.output
        classes = output.classes
        lists = lists_of(output)
        encoder = Encoder(classes if lists is None else (), lists)
        self.encode = encoder.rows
        """`encode(answer: Answer) -> list[bytes]`, one for each row: see `Encoder.rows`."""
        self.encode_joined = encoder.joined
        """`encode_joined(answer: Answer, counts: list[int]) -> list[bytes]`, one for each request: see
        `Encoder.joined`."""
        self._classes = list(classes)
        self._lists = lists if isinstance(lists, (Vectors, Labels)) else None
        self._keys = [key_of(label) for label in output.names or classes]
        """The names of the probabilities, or of a vector's numbers."""

    def decode(self, body: bytes | bytearray | memoryview) -> Columns:
        """Return the columns of a body of JSON.

        Raises:
            InvalidInput: for anything that does not fit; see `decode_rows`.
        """
        return self.gather(self.decode_rows(body))

    def media_field(self, content_type: str) -> Field:
        """Return the field that is the value of a body of this type, e.g. `image/png`.

        Raises:
            WrongContentType: when the model takes no such body, or needs other fields too.
        """
        return media.field_of(self.signature.fields, content_type)

    def decode_media(self, body: bytes, content_type: str) -> Columns:
        """Return the one row whose value is an image or a sound, e.g. of the content type `image/png`.

        Raises:
            WrongContentType: when the model takes no such body.
            InvalidInput: when the bytes are no such file.
        """
        field = self.media_field(content_type)
        value = media.read(body, field, 0)
        return self.gather([tuple(value if name == field.name else None for name in self.order)])

    def columns(self, data: Any) -> Columns:
        """Return the columns of a dataframe (pandas, polars, pyarrow ...), a list of dicts or a dict of numpy arrays.

        Others than the fields are ignored.

        Raises:
            InvalidInput: by the same rules as `decode`, with the same details.
        """
        return self._read(_table(data))

    def decode_arrow(self, body: bytes | bytearray | memoryview, max_bytes: int = ARROW_BYTES) -> Columns:
        """Return the columns of an Arrow IPC stream with one column for each field; strings may be dictionaries.

        Args:
            max_bytes: how large the table may be, decompressed.

        Raises:
            InvalidInput: by the same rules as `decode`, with the same details.
        """
        table = read_stream(body, max_bytes)
        names = [field.name for field in self.signature.fields]
        for name in table.column_names:
            if name not in names:
                raise unknown(name, names, "The table has")
        return self._read(table)

    def _read(self, table: pa.Table) -> Columns:
        if table.num_rows == 0:
            raise InvalidInput("There are no rows: expected at least one row.", value="[]", expected="at least one row")
        columns, bad = read_table(table, self.signature.fields, self.blocks, self.known)
        if bad.any():
            raise self._first_wrong(table, int(np.argmax(bad)))
        return columns

    def from_arrays(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Columns:
        """Return the columns of one array for each field, (rows,) or (rows, *its shape); loads no table library.

        Strings are str or bytes, as objects or as numpy's own; nulls are None, or NaN among floats.

        Raises:
            InvalidInput: by the same rules as `decode`, with the same details.
        """
        return read_arrays(arrays, self.signature.fields, self.blocks, self.known)

    def predictions(self, answer: Answer) -> list[Any]:
        """Return one prediction per row, ready for JSON: a number, an object with `label` and `probabilities` (each an
        object by target where there are several), a list of numbers (an object where they have names), or a list of
        items with their scores, best first.
        """
        if self._lists is not None:
            return self._lists.values(answer)
        if answer.codes is None:
            return answer.numbers.tolist()
        classes = self._classes
        if answer.scores is not None:
            return ranked(answer, classes)
        codes = answer.codes.tolist()
        if answer.probabilities is None:
            return [{"label": classes[code]} for code in codes]
        keys = self._keys
        return [
            # As `Encoder.rows` has it.
            {
                "label": classes[code] if row[code] == row[code] else None,
                "probabilities": dict(zip(keys, row, strict=False)),
            }
            for code, row in zip(codes, answer.probabilities.tolist(), strict=True)
        ]

    def encode_arrow(self, answer: Answer, metadata: Mapping[str, str] | None = None) -> bytes:
        """Return the answers as an Arrow IPC stream: a column `prediction`, or `label` and `probabilities` (structs).

        A vector is a list, or a struct where its numbers have names; a ranking a list of structs, `item` and `score`;
        of several targets `label` and `probabilities` are structs by target.

        Args:
            metadata: what the schema carries beside them, e.g. the release and the id of the request.
        """
        several = self._lists if isinstance(self._lists, Labels) else None
        return write_stream(answer, self._keys, metadata or {}, several)

    def predict(self, data: Any) -> np.ndarray[Any, Any]:
        """Return the labels or the numbers, shape (rows,); vectors, (rows, width); ranked items, (rows, width), as
        objects, best first, None where there are fewer; or the labels of several targets, (rows, targets).
        """
        return self.run(self.columns(data)).labels

    def rank(self, data: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return the ranked items, as `predict` has them, and their scores, NaN where there is no item.

        Raises:
            UsageError: when the model ranks nothing.
        """
        answer = self.run(self.columns(data))
        if answer.scores is None:
            raise UsageError(f"The model {self.package.model!r} does not rank: expected one that answers items.")
        return answer.labels, answer.scores

    def predict_proba(self, data: Any) -> np.ndarray[Any, Any]:
        """Return the probabilities, shape (rows, classes), in the order of `signature.output.classes`: of several
        targets those of each behind those of the one before it.

        Raises:
            UsageError: when the model has no probabilities.
        """
        answer = self.run(self.columns(data))
        if answer.probabilities is None:
            raise UsageError(f"The model {self.package.model!r} has no probabilities: expected a classifier that has.")
        return answer.probabilities

    def imported(self) -> list[str]:
        """Return the file of each module that the model's own process has imported; of a compiled one there is none."""
        return self.native.imported() if self.native is not None else []

    def close(self) -> None:
        """End the model's own process, if it has one; whoever lets go of the predictor need not."""
        if self.native is not None:
            self.native.close()

    def warm_up(self) -> None:
        """Answer once to the example of the signature, so that the first request is as fast as the next.

        Raises:
            BrokenArtifact: when the model does not answer to its own example.
        """
        fields = self.signature.fields
        row = {
            field.name: np.zeros(field.shape or ()).tolist()
            if field.shape is not None and field.example is None
            else field.example
            for field in fields
        }
        try:
            self.predictions(self.run(self.decode(msgspec.json.encode({"rows": [row]}))))
        except PlusoneError as error:
            raise BrokenArtifact(f"The model does not answer to its own example: {error.message}") from error

    def _first_wrong(self, table: pa.Table, place: int) -> InvalidInput:
        row = table.slice(place, 1)
        for field in self.signature.fields:
            _, bad = read_table(row, [field], [_alone(self.blocks, field.name)], self.known)
            if bad[0]:
                column = row.column(field.name)
                value = column[0].as_py() if field.shape is None else plain(column, field)
                return invalid(place, field, value, self.known)
        return InvalidInput(f"Row {place} does not fit.", row=place)


def _alone(blocks: tuple[Block, ...], name: str) -> Block:
    block = next(block for block in blocks if name in block.fields)
    return msgspec.structs.replace(block, fields=(name,))


def _table(data: Any) -> pa.Table:
    from ..data.tables import to_arrow

    try:
        return to_arrow(data)
    except PlusoneError as error:
        raise InvalidInput(f"The data can't be read as a table: {error.message}", mend=error.mend) from error

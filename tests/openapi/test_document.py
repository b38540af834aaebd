"""The OpenAPI document: whole, true to the decoder, and read by tools that know the standard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from plusone.openapi import document
from plusone.predictor import Predictor
from plusone.protocols.inference import read_infer
from plusone.protocols.served import Served
from tests.protocols.clients import run_client


@pytest.fixture(scope="session")
def found(late: Predictor, minutes: Predictor, origin: Predictor) -> dict[str, Any]:
    """The document of three models, after a journey through JSON."""
    served = [Served("late", 4, late), Served("minutes", 1, minutes), Served("origin", 2, origin)]
    made = document(
        served, server_url="http://127.0.0.1:7401", version="1", max_body_bytes=1000, model_body_bytes={"late": 77}
    )
    return json.loads(json.dumps(made, allow_nan=False))


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(inner)


def followed(document: dict[str, Any], reference: str) -> Any:
    """Return what a reference in a document leads to."""
    value: Any = document
    for part in unquote(reference.removeprefix("#/")).split("/"):
        value = value[part.replace("~1", "/").replace("~0", "~")]
    return value


@pytest.mark.slow
def test_every_reference_leads_somewhere(found: dict[str, Any]) -> None:
    references = [node["$ref"] for node in nodes(found) if "$ref" in node]
    assert len(references) > 50
    for reference in references:
        assert isinstance(followed(found, reference), dict)
    used = {reference.split("/")[3] for reference in references}
    made = set(found["components"]["schemas"]) | set(found["components"]["responses"])
    assert made == used


def test_every_operation_has_a_name_of_its_own_and_says_what_else_may_come(found: dict[str, Any]) -> None:
    operations = [
        (path, method, operation)
        for path, item in found["paths"].items()
        for method, operation in item.items()
        if method in ("get", "post")
    ]
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(set(names)) == len(names)
    for path, _, operation in operations:
        assert operation["summary"]
        assert "default" in operation["responses"], path
    assert {"/models/late/predict", "/models/origin/labels", "/models", "/models/{name}", "/metrics"} <= set(
        found["paths"]
    )
    assert {"/v2", "/v2/health/ready", "/v2/models/{model}/versions/{version}/infer"} <= set(found["paths"])


def test_the_schema_of_a_model_is_its_signature(found: dict[str, Any], late: Predictor) -> None:
    row = found["components"]["schemas"]["late.row"]
    assert row["required"] == [field.name for field in late.signature.fields]
    assert row["additionalProperties"] is False
    assert "at most 77 bytes" in found["paths"]["/models/late/predict"]["post"]["description"]
    assert "at most 1000 bytes" in found["paths"]["/models/origin/predict"]["post"]["description"]
    prediction = found["components"]["schemas"]["late.prediction"]["properties"]
    assert prediction["label"]["enum"] == [False, True, None]
    assert list(prediction["probabilities"]["properties"]) == ["false", "true"]
    label = found["components"]["schemas"]["origin.labels"]["properties"]["labels"]["items"]["properties"]["label"]
    assert label["enum"] == ["EWR", "JFK", "LGA"]


def test_the_examples_are_answered(found: dict[str, Any], late: Predictor, minutes: Predictor) -> None:
    for name, predictor in (("late", late), ("minutes", minutes)):
        examples = found["paths"][f"/models/{name}/predict"]["post"]["requestBody"]["content"]["application/json"]
        rows = predictor.decode(json.dumps(examples["examples"]["rows"]["value"]).encode())
        assert rows.rows == 1
        columns = examples["examples"]["columns"]["value"]["columns"]
        assert [{key: values[0] for key, values in columns.items()}] == examples["examples"]["rows"]["value"]["rows"]
        content = found["paths"]["/v2/models/{model}/infer"]["post"]["requestBody"]["content"]["application/json"]
        body = json.dumps(content["examples"][name]["value"]).encode()
        assert read_infer(predictor, body, None).columns.rows == 1


def test_a_server_without_models_has_a_document_too() -> None:
    made = document([], server_url="/", version="1", max_body_bytes=1000)
    assert "/models" in made["paths"]
    assert not [path for path in made["paths"] if path.endswith("/predict")]
    json.dumps(made, allow_nan=False)


VALIDATE = """
import json, sys
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
given = json.load(sys.stdin)
errors = [str(error) for error in OpenAPIV31SpecValidator(given["document"]).iter_errors()]
root = {"$id": "urn:document", **given["document"]}
def reads(name, value):
    schema = {"$ref": f"#/components/schemas/{name}", "components": given["document"]["components"]}
    return Draft202012Validator(schema).is_valid(value)
print(json.dumps({"errors": errors, "read": [reads(name, value) for name, value in given["values"]]}))
"""


@pytest.mark.slow
def test_tools_read_it_and_its_schemas_decide_as_the_decoder_does(found: dict[str, Any], late: Predictor) -> None:
    row = found["components"]["schemas"]["late.row"]["examples"][0]
    good = [row, {**row, "gust": None}, {**row, "tailnum": None}, {**row, "hour": 30}, {**row, "carrier": "new"}]
    good += [{**row, "distance": 2**63 - 1}, {**row, "hour": 3.0}, {**row, "gust": -1e308}]
    bad = [{**row, "hour": None}, {**row, "hour": 3.5}, {**row, "hour": "3"}, {**row, "more": 1}, {}, [], None]
    bad += [{**row, "weekend": 1}, {**row, "distance": 2**63}, {**row, "carrier": None}, {**row, "gust": True}]
    values: list[tuple[str, Any]] = [("late.request", {"rows": [one]}) for one in good + bad]
    values += [("late.request", {"columns": {key: [value, value] for key, value in row.items()}})]
    values += [("late.request", {"rows": []}), ("late.request", {"rows": [row], "columns": {}})]
    said = run_client(VALIDATE, {"document": found, "values": values})
    assert said["errors"] == []
    assert said["read"] == [True] * len(good) + [False] * len(bad) + [True, False, False]
    for one in good:
        assert late.decode(json.dumps({"rows": [one]}).encode()).rows == 1

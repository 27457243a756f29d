"""The API's description: valid, the server's own, and kept to in both directions."""

from __future__ import annotations

import copy
import json
from typing import Any, Iterator

import openapi_spec_validator
import pytest

import gatehouse
from checks import ok
from description import Description, printed

NOBODY = "01890000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def described() -> Description:
    return printed(gatehouse.binary())


def test_an_official_validator_has_nothing_against_it(described):
    assert described.document["openapi"].startswith("3.1.")
    openapi_spec_validator.validate(described.document)


def test_the_command_prints_what_the_server_serves(server, described):
    answer = server.get("//openapi.json")
    assert ok(answer) == described.document
    printed_again = gatehouse.run_command("openapi", cwd=server.root)
    assert printed_again.stdout == answer.text + "\n"


def answers(document: dict, path: str = "/healthz") -> dict:
    return document["paths"][path]["get"]["responses"]


def codes(document: dict) -> dict:
    name = answers(document, "/api/v1/me")["401"]["$ref"].rpartition("/")[2]
    return document["components"]["responses"][name]


def health(document: dict) -> dict:
    return document["components"]["schemas"]["Health"]


SPOILED = {
    "a status": lambda document: answers(document).pop("200"),
    "a media type": lambda document: answers(document)["200"]["content"].clear(),
    "a header": lambda document: answers(document)["200"]["headers"].update(
        {"X-More": {"required": True, "schema": {}}}
    ),
    "a member": lambda document: health(document)["required"].append("more"),
    "no such member": lambda document: health(document)["properties"].clear(),
    "a word": lambda document: health(document)["properties"]["status"].update({"enum": ["well"]}),
    "a path": lambda document: document["paths"].pop("/healthz"),
    "a problem's code": lambda document: codes(document).update({"x-problem-codes": ["internal"]}),
}


@pytest.mark.parametrize("what", SPOILED)
def test_an_answer_that_is_not_described_does_not_pass(server, described, what):
    document = copy.deepcopy(described.document)
    SPOILED[what](document)
    both = [server.get("//healthz"), server.get("/me")]
    assert [described.objection(answer) for answer in both] == [None, None]
    assert any(Description(document).objection(answer) for answer in both)


def test_every_schema_that_is_there_is_referred_to(described):
    text = json.dumps(described.document)
    for kind in ("schemas", "responses", "headers"):
        for name in described.document["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, name


def media(described: Description) -> Iterator[tuple[str, dict]]:
    """What is sent and answered, with the place where it stands."""
    for path, method, operation in described.operations():
        for type_, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{method} {path} {type_}", content
        for status, answer in operation["responses"].items():
            for type_, content in described.resolved(answer).get("content", {}).items():
                yield f"{method} {path} {status} {type_}", content


def test_every_example_is_what_its_schema_allows(described):
    for where, content in media(described):
        assert described.errors(content["example"], content["schema"]) == [], where
    for path, method, operation in described.operations():
        for parameter in operation.get("parameters", []):
            assert parameter["required"] == ("example" in parameter)
            for example in [parameter["example"]] if parameter["required"] else []:
                wrong = described.errors(example, parameter["schema"])
                assert wrong == [], f"{method} {path} {parameter['name']}"


def test_strings_and_numbers_that_are_sent_have_bounds(described):
    def unbounded(schema: Any, at: str) -> Iterator[str]:
        schema = described.resolved(schema)
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        limited = {"maxLength", "enum", "pattern", "format"} & schema.keys()
        if "string" in kinds and not limited:
            yield at
        if "integer" in kinds and not {"minimum", "maximum"} <= schema.keys():
            yield at
        if "array" in kinds and "maxItems" not in schema:
            yield at
        for name, part in schema.get("properties", {}).items():
            yield from unbounded(part, f"{at}.{name}")
        for part in schema.get("anyOf", []) + ([schema["items"]] if "items" in schema else []):
            yield from unbounded(part, at)

    for path, method, operation in described.operations():
        where = f"{method} {path}"
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert list(unbounded(content["schema"], where)) == []
        for parameter in operation.get("parameters", []):
            assert list(unbounded(parameter["schema"], f"{where} {parameter['name']}")) == []


def spoiled(schema: dict) -> list[Any]:
    """Values that are each just beyond what a schema of one member allows."""
    values: list[Any] = []
    if "maxLength" in schema and "format" not in schema:
        values.append("a" * (schema["maxLength"] + 1))
    # What a new password must have is the policy's, which is asked after everything else.
    if schema.get("minLength", 0) > 0 and schema.get("format") != "password":
        values.append("")
    if "maximum" in schema:
        values += [schema["maximum"] + 1, schema["minimum"] - 1]
    if "enum" in schema:
        values.append("no-such-word")
    if schema.get("format") in ("uuid", "email", "date-time"):
        values.append("not that")
    if "maxItems" in schema:
        values.append([""] * (schema["maxItems"] + 1))
    kinds = schema.get("type", [])
    values += [] if "boolean" in kinds or not kinds else [True]
    values += [] if not kinds or "null" in kinds else [None]
    return values


def test_what_is_just_beyond_a_described_bound_is_refused_by_name(server, described):
    admin = server.admin()
    tried = 0
    for path, method, operation in described.operations():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None or not path.startswith("/api/v1/"):
            continue
        address = path[len("/api/v1") :].replace("{id}", NOBODY).replace("{slug}", "free")
        schema = described.resolved(content["schema"])
        schema = described.resolved(schema.get("anyOf", [schema])[0])
        for name, member in schema.get("properties", {}).items():
            for value in spoiled(described.resolved(member)):
                body = content["example"] | {name: value}
                answer = server.request(method.upper(), address, admin, json=body)
                tried += 1
                told = f"{method} {path} {name}={str(value)[:40]!r}: {answer.text}"
                assert answer.status_code == 422, told
                fields = [error["field"] for error in answer.json()["errors"]]
                assert any(field.split("[")[0].split(".")[0] == name for field in fields), told
    assert tried > 200


def test_what_is_just_beyond_a_query_parameters_bound_is_refused_by_name(server, described):
    admin = server.admin()
    tried = 0
    for path, method, operation in described.operations():
        if method != "get" or not path.startswith("/api/v1/"):
            continue
        address = path[len("/api/v1") :].replace("{id}", admin.id)
        for parameter in operation.get("parameters", []):
            schema = described.resolved(parameter["schema"])
            for value in spoiled(schema) if parameter["in"] == "query" else []:
                if not isinstance(value, (str, int)) or value is True:
                    continue  # a query has texts only
                answer = server.get(address, admin, params={parameter["name"]: value})
                tried += 1
                told = f"{path} {parameter['name']}={str(value)[:40]!r}: {answer.text}"
                assert answer.status_code == 422, told
                assert answer.json()["errors"][0]["field"] == parameter["name"], told
    assert tried > 80

"""Holds every answer that the tests get to what the API's description allows.

`Client` is the HTTP client of all tests: each answer of a server is looked up in the document that
the binary prints, by path and method; its status, media type, body, headers and problem code must
stand there. Not looked at: streams that a test reads itself (`client.stream`) and bytes that go
over a socket of the test's own (`checks.raw`), since those ask what is no HTTP of the description.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
from typing import Any
from urllib.parse import unquote

import httpx
import jsonschema
import referencing
from referencing.jsonschema import DRAFT202012

HOME = "urn:gatehouse"
PROBLEM = "application/problem+json"
# Pages for people and the files that they are made of are served beside the API.
PAGES = ("text/html", "text/javascript", "text/css", "image/svg+xml")
# What the connection guard answers before an address is looked at; the introduction says so.
BEFORE_ROUTES = {400, 414, 431}

formats = jsonschema.FormatChecker(formats=())


@formats.checks("date-time")
def _is_time(value: Any) -> bool:
    return not isinstance(value, str) or bool(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value)
    )


@formats.checks("uuid")
def _is_uuid(value: Any) -> bool:
    return not isinstance(value, str) or bool(
        re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value)
    )


@formats.checks("email")
def _is_email(value: Any) -> bool:
    return not isinstance(value, str) or bool(re.fullmatch(r"[^@\s]+@[^@\s]+", value))


class Description:
    """A document, ready to be asked whether it allows an answer."""

    def __init__(self, document: dict) -> None:
        self.document = document
        self._registry = referencing.Registry().with_resource(
            HOME, referencing.Resource(contents=document, specification=DRAFT202012)
        )
        self._validators: dict[str, jsonschema.Validator] = {}
        self._templates = [
            (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path)
            for path in sorted(document["paths"], key=lambda path: path.count("{"))
        ]

    def path(self, given: str) -> str | None:
        """The path of the document that an address belongs to."""
        return next((path for shape, path in self._templates if shape.fullmatch(given)), None)

    def operations(self) -> list[tuple[str, str, dict]]:
        return [
            (path, method, operation)
            for path, item in self.document["paths"].items()
            for method, operation in item.items()
        ]

    def resolved(self, part: dict) -> dict:
        """A part of the document, or what it refers to."""
        while "$ref" in part:
            where = part["$ref"].removeprefix("#/").split("/")
            part = functools.reduce(lambda at, name: at[name], where, self.document)
        return part

    def errors(self, value: Any, schema: dict) -> list[str]:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            own = json.loads(key.replace('"#/', f'"{HOME}#/'))
            self._validators[key] = jsonschema.Draft202012Validator(
                own, registry=self._registry, format_checker=formats
            )
        return [
            f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
            for error in self._validators[key].iter_errors(value)
        ]

    def objection(self, response: httpx.Response) -> str | None:
        """What the description has against an answer; None when it allows it."""
        method = response.request.method.lower()
        path = self.path(unquote(response.request.url.path))
        status = response.status_code
        if status in BEFORE_ROUTES and response.headers.get("x-request-id") == "refused":
            return None
        if path is None:
            return self._beside(response)
        item = self.document["paths"][path]
        operation = item.get(method) or (item.get("get") if method == "head" else None)
        if operation is None:
            return self._without_method(response)
        described = operation["responses"].get(str(status))
        if described is None:
            return f"{operation['operationId']} has no {status}"
        return self._against(response, self.resolved(described), has_body=method != "head")

    def _beside(self, response: httpx.Response) -> str | None:
        if response.status_code == 404:
            return self._not_problem(response, {"not_found"})
        if response.request.url.path.startswith("/api/"):
            return "it is no path of the API"
        if response.status_code in (405, 421):
            return self._not_problem(response, {"method_not_allowed", "validation_failed"})
        if response.status_code == 304 or media_type(response) in PAGES:
            return None
        return "it is neither of the API nor a page"

    def _without_method(self, response: httpx.Response) -> str | None:
        if response.status_code == 421:
            return self._not_problem(response, {"validation_failed"})
        if response.status_code != 405:
            return f"{response.request.method} is not described, and is answered"
        return self._not_problem(response, {"method_not_allowed"})

    def _not_problem(self, response: httpx.Response, codes: set[str]) -> str | None:
        if media_type(response) != PROBLEM:
            return "it is no problem"
        if response.request.method == "HEAD":
            return None
        body = response.json()
        schema = {"$ref": "#/components/schemas/Problem"}
        return next(iter(self.errors(body, schema)), None) or (
            None if body["code"] in codes else f"the code {body['code']} is not described"
        )

    def _against(self, response: httpx.Response, described: dict, has_body: bool) -> str | None:
        for name, header in described.get("headers", {}).items():
            header = self.resolved(header)
            if header["required"] and name not in response.headers:
                return f"it lacks the header {name}"
        content = described.get("content")
        if not has_body:
            return None
        if content is None:
            return "it has a body" if response.content else None
        media = content.get(media_type(response))
        if media is None:
            return f"the media type {media_type(response)} is not described"
        if not media_type(response).endswith("json"):
            return None
        body = response.json()
        if wrong := self.errors(body, media["schema"]):
            return wrong[0]
        codes = described.get("x-problem-codes")
        if codes and body["code"] not in codes:
            return f"the code {body['code']} is not described"
        return None


def media_type(response: httpx.Response) -> str:
    return response.headers.get("content-type", "").split(";")[0].strip().lower()


@functools.cache
def printed(binary: str) -> Description:
    """The document that `gatehouse openapi` prints, read once for a run of tests."""
    told = subprocess.run([binary, "openapi"], capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    return Description(json.loads(told.stdout))


class Client(httpx.Client):
    """Raises for an answer that the description does not allow."""

    def __init__(self, binary: str, **rest: Any) -> None:
        super().__init__(**rest)
        self._binary = binary

    def send(self, request: httpx.Request, *, stream: bool = False, **rest: Any) -> httpx.Response:
        response = super().send(request, stream=stream, **rest)
        own, asked = self.base_url, request.url
        if not stream and (asked.host, asked.port) == (own.host, own.port):
            objection = printed(self._binary).objection(response)
            assert objection is None, (
                f"{request.method} {request.url}: {response.status_code}: not as described: "
                f"{objection}\n{response.text[:2000]}"
            )
        return response

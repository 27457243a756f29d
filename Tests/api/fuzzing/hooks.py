"""What schemathesis has to know of the server beyond its description: who it is signed in as, and
what the values of a format look like."""

from __future__ import annotations

import os
import re
import uuid

import httpx
import schemathesis
from hypothesis import strategies

EMAIL = os.environ["FUZZED_EMAIL"]
PASSWORD = os.environ["FUZZED_PASSWORD"]
ADMIN = os.environ["FUZZED_ID"]
KEY = "Idempotency-Key"

client = httpx.Client(base_url=os.environ["FUZZED_URL"] + "/api/v1", timeout=30)

words = strategies.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=20)
schemathesis.openapi.format("email", strategies.builds("{}@{}.example".format, words, words))
# Long enough, and not among the first that anybody would try.
schemathesis.openapi.format(
    "password", strategies.builds("q7 {} Zw-{}".format, words, strategies.uuids())
)


class Admin:
    """An admin's session; when a call has ended it, the next one."""

    token = "none"

    def get(self, case, ctx) -> str:
        if client.get("/me", headers={"Authorization": f"Bearer {self.token}"}).status_code != 200:
            answer = client.post("/auth/login", json={"email": EMAIL, "password": PASSWORD})
            self.token = answer.raise_for_status().json()["access_token"]
        return self.token

    def set(self, case, data: str, ctx) -> None:
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


schemathesis.auth(refresh_interval=None)(Admin)


@schemathesis.hook
def filter_case(ctx, case) -> bool:
    """Whoever the run is signed in as is not made somebody else."""
    path = case.path_parameters or {}
    return not (path.get("id") == ADMIN and case.method in ("PATCH", "DELETE", "POST"))


@schemathesis.hook
def before_call(ctx, case, kwargs) -> None:
    """A key that is valid is made new: two calls with one key would be one call and a mistake."""
    given = (case.headers or {}).get(KEY)
    if isinstance(given, str) and re.fullmatch(r"[\x21-\x7e]{1,255}", given):
        case.headers[KEY] = str(uuid.uuid4())

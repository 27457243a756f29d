#!/usr/bin/env python3
"""Signs in, makes an API key, asks the gate and keeps an item. See examples/README.md."""

import json
import os
import time
import urllib.error
import urllib.request

API = os.environ["GATEHOUSE_URL"] + "/api/v1"


def call(method, path, body=None, token=None, key=None):
    """The JSON of an answer; a refusal says why, in words that a program can branch on."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if key:
        headers["X-API-Key"] = key
    data = None if body is None else json.dumps(body).encode()
    for attempt in range(3):
        request = urllib.request.Request(API + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as refusal:
            problem = json.loads(refusal.read())
            if problem["code"] != "rate_limited" or attempt == 2:
                raise SystemExit(f"{problem['code']}: {problem['detail']}")
            time.sleep(int(refusal.headers["Retry-After"]))


email, password = os.environ["GATEHOUSE_EMAIL"], os.environ["GATEHOUSE_PASSWORD"]
pair = call("POST", "/auth/login", {"email": email, "password": password})
print(f"signed in as {pair['user']['email']}")

# Single use: what comes back replaces it.
pair = call("POST", "/auth/refresh", {"refresh_token": pair["refresh_token"]})
token = pair["access_token"]
print("exchanged the refresh token")

wanted = {"name": "Quickstart", "scopes": ["gate", "items:read", "items:write"]}
made = call("POST", "/api-keys", wanted, token=token)
key = made["key"]  # shown this once
print(f"made a key for {', '.join(made['scopes'])}")

grant = call("POST", "/gate", key=key)
print(f"the gate says {'yes' if grant['allowed'] else 'no'} to plan {grant['plan']}")

item = call("POST", "/items", {"name": "A green thing", "data": {"colour": "green"}}, key=key)
names = [item["name"] for item in call("GET", "/items?limit=5", key=key)["items"]]
print(f"keeps {', '.join(names)}")

call("DELETE", f"/items/{item['id']}", key=key)
call("DELETE", f"/api-keys/{made['id']}", token=token)
call("POST", "/auth/logout", {"refresh_token": pair["refresh_token"]})
print("signed out")

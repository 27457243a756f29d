"""What a program says with the client that openapi-python-client makes."""

import os

from gatehouse_api import AuthenticatedClient, Client
from gatehouse_api.api.account import show_me
from gatehouse_api.api.api_keys import create_key
from gatehouse_api.api.authentication import login, refresh
from gatehouse_api.api.gate import ask_gate
from gatehouse_api.api.items import create_item, delete_item, list_items, show_item
from gatehouse_api.models import (
    CreateItemRequest,
    CreateKeyRequest,
    CreateKeyRequestScopesItem,
    LoginRequest,
    RefreshRequest,
)

URL = os.environ["GATEHOUSE_URL"]

stranger = Client(base_url=URL, raise_on_unexpected_status=True)
first = login.sync(
    client=stranger,
    body=LoginRequest(
        email=os.environ["GATEHOUSE_EMAIL"], password=os.environ["GATEHOUSE_PASSWORD"]
    ),
)
pair = refresh.sync(client=stranger, body=RefreshRequest(refresh_token=first.refresh_token))
signed_in = AuthenticatedClient(base_url=URL, token=pair.access_token)
print("me", show_me.sync(client=signed_in).email, pair.refresh_token != first.refresh_token)

scopes = [CreateKeyRequestScopesItem(word) for word in ("gate", "items:read", "items:write")]
made = create_key.sync(client=signed_in, body=CreateKeyRequest(name="generated", scopes=scopes))

with_key = AuthenticatedClient(
    base_url=URL, token=made.key, prefix="", auth_header_name="X-API-Key"
)
grant = ask_gate.sync(client=with_key, cost=2)
print("gate", grant.allowed, grant.plan, str(grant.key_id) == str(made.id))
item = create_item.sync(
    client=with_key, body=CreateItemRequest(name="A green thing", data={"green": True})
)
print("items", [one.name for one in list_items.sync(client=with_key, limit=5).items])
delete_item.sync_detailed(id=item.id, client=with_key)
refusal = show_item.sync_detailed(id=item.id, client=with_key)
print("gone", int(refusal.status_code), refusal.parsed.code == "not_found")

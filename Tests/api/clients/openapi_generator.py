"""What a program says with the Python client that openapi-generator makes."""

import os

import gatehouse_client as api

URL = os.environ["GATEHOUSE_URL"]

signed_in = api.Configuration(host=URL)
with api.ApiClient(signed_in) as client:
    authentication = api.AuthenticationApi(client)
    account = {"email": os.environ["GATEHOUSE_EMAIL"], "password": os.environ["GATEHOUSE_PASSWORD"]}
    first = authentication.login(api.LoginRequest(**account))
    pair = authentication.refresh(
        refresh_request=api.RefreshRequest(refresh_token=first.refresh_token)
    )
    signed_in.access_token = pair.access_token
    print("me", api.AccountApi(client).show_me().email, pair.refresh_token != first.refresh_token)
    wanted = api.CreateKeyRequest(name="generated", scopes=["gate", "items:read", "items:write"])
    made = api.APIKeysApi(client).create_key(wanted)

with api.ApiClient(api.Configuration(host=URL, api_key={"apiKey": made.key})) as client:
    grant = api.GateApi(client).ask_gate(cost=2)
    print("gate", grant.allowed, grant.plan, str(grant.key_id) == str(made.id))
    items = api.ItemsApi(client)
    item = items.create_item(api.CreateItemRequest(name="A green thing", data={"green": True}))
    print("items", [one.name for one in items.list_items(limit=5).items])
    items.delete_item(id=item.id)
    try:
        items.show_item(id=item.id)
    except api.ApiException as refusal:
        print("gone", refusal.status, "not_found" in refusal.body)

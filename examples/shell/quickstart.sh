#!/usr/bin/env bash
# Signs in, makes an API key, asks the gate and keeps an item. See examples/README.md.
set -euo pipefail

api=$GATEHOUSE_URL/api/v1
credential="Accept: */*" # the header that says who asks; none yet

# call METHOD PATH [JSON]: what is answered; a refusal says why. After a 429 curl waits as long as
# Retry-After says. Secrets go through pipes, because others can list a command's words.
call() {
    local answer status body=()
    (($# < 3)) || body=(--header "Content-Type: application/json" --data-binary @-)
    answer=$(curl --silent --show-error --retry 2 --request "$1" "${body[@]}" \
        --config <(printf 'header = "%s"\n' "$credential") \
        --write-out '\n%{http_code}' "$api$2" <<<"${3-}")
    status=${answer##*$'\n'}
    answer=${answer%$'\n'*}
    if ((status >= 400)); then
        jq --raw-output '"\(.code): \(.detail)"' <<<"$answer" >&2
        return 1
    fi
    printf '%s' "$answer"
}

account=$(jq --null-input '{email: env.GATEHOUSE_EMAIL, password: env.GATEHOUSE_PASSWORD}')
pair=$(call POST /auth/login "$account")
echo "signed in as $(jq --raw-output .user.email <<<"$pair")"

# Single use: what comes back replaces it.
pair=$(call POST /auth/refresh "$(jq '{refresh_token}' <<<"$pair")")
token="Authorization: Bearer $(jq --raw-output .access_token <<<"$pair")"
echo "exchanged the refresh token"

credential=$token
made=$(call POST /api-keys '{"name":"Quickstart","scopes":["gate","items:read","items:write"]}')
key="X-API-Key: $(jq --raw-output .key <<<"$made")" # shown this once
echo "made a key for $(jq --raw-output '.scopes | join(", ")' <<<"$made")"

credential=$key
grant=$(call POST /gate)
jq --raw-output '"the gate says \(if .allowed then "yes" else "no" end) to plan \(.plan)"' \
    <<<"$grant"

item=$(call POST /items '{"name":"A green thing","data":{"colour":"green"}}')
echo "keeps $(call GET '/items?limit=5' | jq --raw-output '[.items[].name] | join(", ")')"

call DELETE "/items/$(jq --raw-output .id <<<"$item")"
credential=$token
call DELETE "/api-keys/$(jq --raw-output .id <<<"$made")"
call POST /auth/logout "$(jq '{refresh_token}' <<<"$pair")"
echo "signed out"

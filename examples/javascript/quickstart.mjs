// Signs in, makes an API key, asks the gate and keeps an item. See examples/README.md.

/** The whole conversation. Runs wherever there is `fetch`; `say` shows a line. */
export async function talk(url, email, password, say) {
  /** The JSON of an answer; a refusal says why, in words that a program can branch on. */
  async function call(method, path, { body, token, key } = {}) {
    const headers = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (token) headers.Authorization = `Bearer ${token}`;
    if (key) headers["X-API-Key"] = key;
    for (let attempt = 1; ; attempt += 1) {
      const answer = await fetch(`${url}/api/v1${path}`, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      if (answer.ok) return answer.status === 204 ? null : answer.json();
      const problem = await answer.json();
      if (problem.code !== "rate_limited" || attempt === 3) {
        throw new Error(`${problem.code}: ${problem.detail}`);
      }
      const seconds = Number(answer.headers.get("Retry-After"));
      await new Promise((done) => setTimeout(done, seconds * 1000));
    }
  }

  let pair = await call("POST", "/auth/login", { body: { email, password } });
  say(`signed in as ${pair.user.email}`);

  // Single use: what comes back replaces it.
  pair = await call("POST", "/auth/refresh", { body: { refresh_token: pair.refresh_token } });
  const token = pair.access_token;
  say("exchanged the refresh token");

  const wanted = { name: "Quickstart", scopes: ["gate", "items:read", "items:write"] };
  const made = await call("POST", "/api-keys", { body: wanted, token });
  const key = made.key; // shown this once
  say(`made a key for ${made.scopes.join(", ")}`);

  const grant = await call("POST", "/gate", { key });
  say(`the gate says ${grant.allowed ? "yes" : "no"} to plan ${grant.plan}`);

  const body = { name: "A green thing", data: { colour: "green" } };
  const item = await call("POST", "/items", { body, key });
  const list = await call("GET", "/items?limit=5", { key });
  say(`keeps ${list.items.map((item) => item.name).join(", ")}`);

  await call("DELETE", `/items/${item.id}`, { key });
  await call("DELETE", `/api-keys/${made.id}`, { token });
  await call("POST", "/auth/logout", { body: { refresh_token: pair.refresh_token } });
  say("signed out");
}

if (typeof process !== "undefined") {
  const { GATEHOUSE_URL, GATEHOUSE_EMAIL, GATEHOUSE_PASSWORD } = process.env;
  await talk(GATEHOUSE_URL, GATEHOUSE_EMAIL, GATEHOUSE_PASSWORD, console.log);
}

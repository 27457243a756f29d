// What a program says with the TypeScript client that openapi-generator makes.

import {
  AccountApi,
  APIKeysApi,
  AuthenticationApi,
  Configuration,
  GateApi,
  ItemsApi,
  ResponseError,
} from "./client";

declare const process: { env: Record<string, string>; exit(status: number): void };

// In Python's words, so that all clients say the same.
const word = (value: boolean) => (value ? "True" : "False");

async function talk(): Promise<void> {
  const basePath = process.env.GATEHOUSE_URL;
  const authentication = new AuthenticationApi(new Configuration({ basePath }));
  const first = await authentication.login({
    loginRequest: {
      email: process.env.GATEHOUSE_EMAIL,
      password: process.env.GATEHOUSE_PASSWORD,
    },
  });
  const pair = await authentication.refresh({
    refreshRequest: { refreshToken: first.refreshToken },
  });
  const signedIn = new Configuration({ basePath, accessToken: pair.accessToken });
  const me = await new AccountApi(signedIn).showMe();
  console.log(`me ${me.email} ${word(pair.refreshToken !== first.refreshToken)}`);
  const made = await new APIKeysApi(signedIn).createKey({
    createKeyRequest: { name: "generated", scopes: ["gate", "items:read", "items:write"] },
  });

  const withKey = new Configuration({ basePath, apiKey: made.key });
  const grant = await new GateApi(withKey).askGate({ cost: 2 });
  console.log(`gate ${word(grant.allowed)} ${grant.plan} ${word(grant.keyId === made.id)}`);
  const items = new ItemsApi(withKey);
  const item = await items.createItem({
    createItemRequest: { name: "A green thing", data: { green: true } },
  });
  const list = await items.listItems({ limit: 5 });
  console.log(`items [${list.items.map((one) => `'${one.name}'`).join(", ")}]`);
  await items.deleteItem({ id: item.id });
  try {
    await items.showItem({ id: item.id });
  } catch (error) {
    const { response } = error as ResponseError;
    const problem = await response.json();
    console.log(`gone ${response.status} ${word(problem.code === "not_found")}`);
  }
}

talk().catch((error) => {
  console.error(error);
  process.exit(1);
});

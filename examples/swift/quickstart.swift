// Signs in, makes an API key, asks the gate and keeps an item. See examples/README.md.

import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

struct Problem: Decodable, Error {
    let code: String
    let detail: String
}

struct TokenPair: Decodable {
    struct User: Decodable { let email: String }

    let accessToken: String
    let refreshToken: String
    let user: User
}

struct NewKey: Decodable {
    let id: String
    let key: String
    let scopes: [String]
}

struct Grant: Decodable {
    let allowed: Bool
    let plan: String?
}

struct Item: Decodable {
    let id: String
    let name: String
}

struct Page<Element: Decodable>: Decodable { let items: [Element] }

/// Calls one server with one credential at a time.
struct Client {
    enum Credential {
        case none
        case token(String)
        case key(String)
    }

    let url: String
    var credential = Credential.none

    /// The body of an answer; a refusal says why, in words that a program can branch on.
    @discardableResult
    func send(_ method: String, _ path: String, _ body: [String: Any]? = nil) async throws -> Data {
        guard let address = URL(string: url + "/api/v1" + path) else {
            throw URLError(.badURL)
        }
        var request = URLRequest(url: address)
        request.httpMethod = method
        switch credential {
        case .none: break
        case .token(let text):
            request.setValue("Bearer \(text)", forHTTPHeaderField: "Authorization")
        case .key(let text): request.setValue(text, forHTTPHeaderField: "X-API-Key")
        }
        if let body {
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
            request.httpBody = try JSONSerialization.data(withJSONObject: body)
        }
        for attempt in 1... {
            let (data, response) = try await URLSession.shared.data(for: request)
            guard let answer = response as? HTTPURLResponse, answer.statusCode >= 400 else {
                return data
            }
            let problem = try JSONDecoder().decode(Problem.self, from: data)
            let wait = answer.value(forHTTPHeaderField: "Retry-After").flatMap { Int($0) }
            guard problem.code == "rate_limited", attempt < 3, let wait else { throw problem }
            try await Task.sleep(for: .seconds(wait))
        }
        throw URLError(.unknown)
    }

    func call<Value: Decodable>(
        _ method: String, _ path: String, _ body: [String: Any]? = nil
    ) async throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Value.self, from: try await send(method, path, body))
    }
}

func setting(_ name: String) -> String {
    guard let value = ProcessInfo.processInfo.environment[name] else {
        fatalError("set \(name)")
    }
    return value
}

var client = Client(url: setting("GATEHOUSE_URL"))
let account = ["email": setting("GATEHOUSE_EMAIL"), "password": setting("GATEHOUSE_PASSWORD")]
var pair: TokenPair = try await client.call("POST", "/auth/login", account)
print("signed in as \(pair.user.email)")

// Single use: what comes back replaces it.
pair = try await client.call("POST", "/auth/refresh", ["refresh_token": pair.refreshToken])
print("exchanged the refresh token")

client.credential = .token(pair.accessToken)
let wanted: [String: Any] = [
    "name": "Quickstart", "scopes": ["gate", "items:read", "items:write"],
]
let made: NewKey = try await client.call("POST", "/api-keys", wanted)
print("made a key for \(made.scopes.joined(separator: ", "))")

client.credential = .key(made.key)  // shown this once
let grant: Grant = try await client.call("POST", "/gate")
print("the gate says \(grant.allowed ? "yes" : "no") to plan \(grant.plan ?? "none")")

let thing: [String: Any] = ["name": "A green thing", "data": ["colour": "green"]]
let item: Item = try await client.call("POST", "/items", thing)
let page: Page<Item> = try await client.call("GET", "/items?limit=5")
print("keeps \(page.items.map(\.name).joined(separator: ", "))")

try await client.send("DELETE", "/items/\(item.id)")
client.credential = .token(pair.accessToken)
try await client.send("DELETE", "/api-keys/\(made.id)")
try await client.send("POST", "/auth/logout", ["refresh_token": pair.refreshToken])
print("signed out")

import Domain
import HTTPTypes
import Store

extension ShellOrder {
    static let keys = [createKey, listKeys, revokeKey]

    static let createKey = ShellOrder("keys/create") {
        appliance, json, origin, now throws(Problem) in
        var form = try Form(json)
        guard let name = form.argument("user") else {
            try form.finish()
            throw .internal(cause: "a user was asked for and not missed")
        }
        let owner = try await appliance.account(named: name)
        let draft = try form.keyDraft(of: owner.role, at: now)
        let (key, text) = try await appliance.createKey(
            draft, of: owner.id, by: .shell, from: origin, at: now
        ) { _, _, _ in }
        return .json { $0.apiKey(key, text: text) }
    }

    static let listKeys = ShellOrder("keys/list") { appliance, json, _, _ throws(Problem) in
        var form = try Form(json)
        let name = form.argument("user")
        let page = form.page()
        let owner = try await appliance.account(named: try form.finish(name)).id
        let keys = try await appliance.store.read { db throws(Problem) in
            try db.apiKeys.list(of: owner, page)
        }
        return .page(keys, page, last: keys.last?.id) { $0.apiKey($1) }
    }

    /// By its id, or by the part of the key that is shown.
    static let revokeKey = ShellOrder("keys/revoke") {
        appliance, json, origin, now throws(Problem) in
        var form = try Form(json)
        let name = form.argument("key")
        let text = try form.finish(name)
        let found = try await appliance.store.read { db throws(Problem) -> APIKey? in
            if let id = APIKeyID(text) { return try db.apiKeys.find(id) }
            guard let publicID = APIKeyText.publicID(shownAs: text) else { return nil }
            return try db.apiKeys.find(publicID: publicID)?.key
        }
        guard let found else { throw .notFound("API key: \(text)") }
        let revoked = try await appliance.revokeKey(
            found, by: .shell, from: origin, at: now)
        return .json { $0.apiKey(revoked) }
    }
}

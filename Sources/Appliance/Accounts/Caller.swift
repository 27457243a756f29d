import Domain
import HTTPTypes

/// An account as the hot path needs it, with its `User` answer already encoded.
final class AccountSnapshot: Sendable {
    let account: Account
    let plan: String?
    /// The JSON of `User`.
    let encoded: [UInt8]
    /// What the owner is to the gate when they come with an access token.
    let identity: Identity

    init(_ account: Account, plan: String?) {
        self.account = account
        self.plan = plan
        var json = JSONWriter(capacity: 512)
        json.user(account, plan: plan)
        encoded = json.bytes
        identity = Identity(account, plan: plan, key: nil)
    }
}

/// A credential's part of the gate's answer: the same for every request until something changes,
/// so it is made once.
final class Identity: Sendable {
    /// What the credential may do: a key never has more than its owner (security K4).
    let scopes: Set<Scope>
    /// The headers that every answer has, and `X-Gatehouse-*`.
    let fields: HTTPFields
    /// The same as HTTP/1.1 writes them, with the status line of a grant before.
    let head: [UInt8]
    /// The answer's JSON up to the limits.
    let encoded: [UInt8]

    init(_ account: Account, plan: String?, key: APIKey?) {
        let available = Scope.available(to: account.role)
        let scopes = key.map { $0.scopes.intersection(available) } ?? available
        self.scopes = scopes
        let words = scopes.sorted().map(\.rawValue)
        var fields = SecurityFields.all
        fields[.contentType] = "application/json"
        IdentityFields.add(account, plan: plan, key: key?.id, scopes: words, to: &fields)
        self.fields = fields
        let lines = fields.map { "\($0.name.rawName): \($0.value)\r\n" }
        head = Array(("HTTP/1.1 200 OK\r\n" + lines.joined()).utf8)
        var json = JSONWriter(capacity: 512)
        json.object { json in
            json.member("allowed", true)
            json.member("user_id", account.id)
            json.member("key_id", key?.id)
            json.member("plan", plan)
            json.member("scopes", words)
        }
        encoded = json.bytes.dropLast()
    }
}

/// `X-Gatehouse-*`: who was let through, for the service behind a proxy. Set on every answer, empty
/// where there is nothing, so that a proxy overwrites what a client sent (security F1).
enum IdentityFields {
    static func add(
        _ account: Account?, plan: String?, key: APIKeyID?, scopes: [String],
        to headers: inout HTTPFields
    ) {
        headers[.gatehouseUser] = account?.id.description ?? ""
        headers[.gatehouseKey] = key?.description ?? ""
        headers[.gatehousePlan] = plan ?? ""
        headers[.gatehouseRole] = account?.role.rawValue ?? ""
        headers[.gatehouseScopes] = scopes.joined(separator: " ")
    }
}

/// Who makes a request, and what they may do.
package struct Caller: Sendable {
    enum Proof: Sendable {
        case session(SessionID)
        case key(APIKey, Customer.KeyRules?)
    }

    let snapshot: AccountSnapshot
    /// What they were known by.
    let proof: Proof
    let identity: Identity

    var account: Account { snapshot.account }
    var userID: UserID { snapshot.account.id }

    var key: APIKey? {
        guard case .key(let key, _) = proof else { return nil }
        return key
    }

    var keyRules: Customer.KeyRules? {
        guard case .key(_, let rules) = proof else { return nil }
        return rules
    }

    var sessionID: SessionID? {
        guard case .session(let id) = proof else { return nil }
        return id
    }

    func has(_ scope: Scope) -> Bool { identity.scopes.contains(scope) }

    var actor: AuditEvent.Actor { .user(userID) }
}

import Domain
import HTTPTypes

/// Who a request is from, as the gate tells it: in headers for the service behind a proxy, and in
/// the body of a grant. The headers are on every answer, empty where there is nothing, so that a
/// proxy overwrites what a client sent (security F1).
struct Identity: Sendable {
    private let userID: UserID?
    private let keyID: APIKeyID?
    private let plan: String?
    private let role: Account.Role?
    private let scopes: Scopes

    /// Nil: nobody is known.
    init(_ caller: Caller?) {
        userID = caller?.userID
        keyID = caller?.key?.id
        plan = caller?.snapshot.plan
        role = caller?.snapshot.account.role
        scopes = caller?.scopes ?? []
    }

    func add(to headers: inout HTTPFields) {
        headers[.gatehouseUser] = userID?.description ?? ""
        headers[.gatehouseKey] = keyID?.description ?? ""
        headers[.gatehousePlan] = plan ?? ""
        headers[.gatehouseRole] = role?.rawValue ?? ""
        headers[.gatehouseScopes] = scopes.words.joined(separator: " ")
    }

    /// The same headers in the same order, as HTTP/1.1 writes them.
    func write(into bytes: inout [UInt8]) {
        bytes.append(contentsOf: "X-Gatehouse-User: ".utf8)
        userID?.write(into: &bytes)
        bytes.append(contentsOf: "\r\nX-Gatehouse-Key: ".utf8)
        keyID?.write(into: &bytes)
        bytes.append(contentsOf: "\r\nX-Gatehouse-Plan: ".utf8)
        if let plan { bytes.append(contentsOf: plan.utf8) }
        bytes.append(contentsOf: "\r\nX-Gatehouse-Role: ".utf8)
        if let role { bytes.append(contentsOf: role.rawValue.utf8) }
        bytes.append(contentsOf: "\r\nX-Gatehouse-Scopes: ".utf8)
        for (index, scope) in scopes.all.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: " ")) }
            bytes.append(contentsOf: scope.rawValue.utf8)
        }
        bytes.append(contentsOf: "\r\n".utf8)
    }

    /// The body of a grant.
    func grant(_ states: [LimitState], into json: inout JSONWriter) {
        json.raw(#"{"allowed":true,"user_id":"#)
        json.id(userID)
        json.raw(#","key_id":"#)
        json.id(keyID)
        json.raw(#","plan":"#)
        if let plan { json.string(plan) } else { json.null() }
        json.raw(#","scopes":"#)
        json.array(scopes)
        json.raw(#","limits":"#)
        json.limitStates(states)
        json.raw("}")
    }
}

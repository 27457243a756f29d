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
    func write(into bytes: inout ByteWriter) {
        bytes.append("X-Gatehouse-User: ")
        if let userID { bytes.append(userID) }
        bytes.append("\r\nX-Gatehouse-Key: ")
        if let keyID { bytes.append(keyID) }
        bytes.append("\r\nX-Gatehouse-Plan: ")
        if let plan { bytes.append(plan) }
        bytes.append("\r\nX-Gatehouse-Role: ")
        if let role { bytes.append(role.rawValue) }
        bytes.append("\r\nX-Gatehouse-Scopes: ")
        bytes.append(words: scopes)
        bytes.append("\r\n")
    }

    /// The body of a grant.
    func grant(_ states: [LimitState], into json: inout ByteWriter) {
        json.append(#"{"allowed":true,"user_id":"#)
        json.append(quoted: userID)
        json.append(#","key_id":"#)
        json.append(quoted: keyID)
        json.append(#","plan":"#)
        if let plan { json.append(quoted: plan) } else { json.append("null") }
        json.append(#","scopes":"#)
        json.append(quoted: scopes)
        json.append(#","limits":"#)
        json.append(states)
        json.append(UInt8(ascii: "}"))
    }
}

package typealias AuditEventID = ID<AuditEvent>

/// Who did what to what, written in the transaction that did it.
package struct AuditEvent: Equatable, Sendable {
    /// Whose doing it was.
    package enum Actor: Equatable, Sendable {
        case user(UserID)
        /// A person with a shell on the machine.
        case shell
        /// Nobody who is signed in: a sign-in that failed, a link from a mail.
        case anonymous
        /// The daemon itself, such as when a subscription runs out.
        case system
    }

    package let action: String
    package let actor: Actor
    /// What it was done to, such as `user:0192…` or `plan:free`.
    package let target: String
    /// What is worth knowing beside that; never a secret or a personal datum.
    package let meta: JSON
    package let requestID: String?
    package let address: String?

    package init(
        action: String, actor: Actor, target: String, meta: JSON = .object([]),
        requestID: String? = nil, address: String? = nil
    ) {
        self.action = action
        self.actor = actor
        self.target = target
        self.meta = meta
        self.requestID = requestID
        self.address = address
    }
}

extension AuditEvent {
    /// Before and after of what a change touched, for `meta`: `{"role":{"from":…,"to":…}}`.
    package struct Changes: Sendable {
        package private(set) var members: [JSON.Member] = []

        package init() {}

        package mutating func note(_ name: String, _ old: JSON, _ new: JSON) {
            guard old != new else { return }
            members.append(
                JSON.Member(
                    name, .object([JSON.Member("from", old), JSON.Member("to", new)])))
        }

        /// Of a personal value: that it changed, and nothing else.
        package mutating func notePersonal(_ name: String, _ old: String?, _ new: String?) {
            if old != new { members.append(JSON.Member(name, .string("changed"))) }
        }
    }
}

extension AuditEvent.Actor {
    /// As the store keeps it and the API shows it.
    package var text: String {
        switch self {
        case .user(let id): "user:\(id)"
        case .shell: "shell"
        case .anonymous: "anonymous"
        case .system: "system"
        }
    }
}

import Domain
import HTTPTypes
import Store

/// Something that a shell on this machine asks of an installation. The same code does it whether a
/// daemon runs, which is then asked through the control socket, or not, and the command holds the
/// store itself.
struct ShellOrder: Sendable {
    typealias Work =
        @Sendable (
            Appliance, _ question: JSON, Origin, _ now: Timestamp
        ) async throws(Problem) -> Answer

    /// Below `/control/`.
    let name: String
    let bodyMax: Int
    let work: Work

    init(_ name: String, bodyMax: Int = Route.bodyMaxDefault, _ work: @escaping Work) {
        self.name = name
        self.bodyMax = bodyMax
        self.work = work
    }

    var path: String { "/control/\(name)" }

    /// Members of a question or an answer: 200 plans with 64 limits each have most.
    static let membersMax = 20_000

    static let all = users + keys + plans + [setSubscription, resetAdminPassword]
}

extension Appliance {
    /// Orders as routes of the control socket, which lets in the daemon's own user alone.
    var shellRoutes: [Route] {
        ShellOrder.all.map { order in
            Route(.post, order.path, .open, .unlisted, bodyMax: order.bodyMax, isThrottled: false) {
                call throws(Problem) in
                let question = try await call.json(membersMax: ShellOrder.membersMax)
                return try await order.work(self, question, call.origin, call.now)
            }
        }
    }

    /// Whoever is meant by an address or an id.
    func account(named text: String) async throws(Problem) -> Account {
        let found = try await store.read { db throws(Problem) -> Account? in
            if let id = UserID(text) { return try db.accounts.find(id) }
            guard let email = EmailAddress(text) else { return nil }
            return try db.accounts.find(email)
        }
        guard let found else { throw .notFound("user: \(text)") }
        return found
    }
}

extension Form {
    /// Text of our own command's making.
    mutating func argument(_ name: String, required: Bool = true) -> String? {
        let read: (inout Form, JSON) -> String? = { form, value in
            guard case .string(let text) = value else {
                form.refuse(name, "type", "Expected a string, found \(value.kind).")
                return nil
            }
            return text
        }
        return required ? self.required(name, read) : optional(name, read)
    }

    /// The page of a list that begins behind `before`.
    mutating func page() -> Page {
        Page(limit: Page.limitMax, before: argument("before", required: false))
    }
}

extension Answer {
    /// A page of a list, and what the next begins behind.
    static func page<Noun, Element>(
        _ elements: [Element], _ page: Page, last: ID<Noun>?,
        _ write: (inout JSONWriter, Element) -> Void
    ) -> Answer {
        let next = elements.count == page.limit ? last?.description : nil
        return .list(elements, nextCursor: next, write)
    }
}

import Domain
import HTTPTypes
import Store

/// What a route says of itself: no route is without. What follows from the route, such as who may
/// call it, how large its body may be and what it answers to nobody, is not said here again.
package struct Operation: Sendable {
    /// The chapters of the description.
    enum Tag: String, CaseIterable, Sendable {
        case authentication = "Authentication"
        case account = "Account"
        case keys = "API keys"
        case plans = "Plans"
        case usage = "Usage"
        case gate = "Gate"
        case service = "Reservations and leases"
        case items = "Items"
        case users = "Admin: users"
        case subscriptions = "Admin: plans and subscriptions"
        case operations = "Admin: operations"
        case system = "System"
    }

    struct Parameter: Sendable {
        enum Place: String, Sendable { case query, header, path }

        let place: Place
        let name: String
        let schema: Schema
        let note: String

        static func query(_ name: String, _ schema: Schema, _ note: String) -> Parameter {
            Parameter(place: .query, name: name, schema: schema, note: note)
        }
    }

    /// What a request brings.
    struct Body: Sendable {
        let type: String
        let schema: Schema
        let isNeeded: Bool

        static func json(_ properties: [Schema.Property]) -> Body {
            .json(.object(properties))
        }

        static func json(_ schema: Schema) -> Body {
            Body(type: "application/json", schema: schema, isNeeded: true)
        }

        /// One that may be left out altogether (`Call.optionalForm`).
        static func optional(_ properties: [Schema.Property]) -> Body {
            Body(type: "application/json", schema: .object(properties), isNeeded: false)
        }

        static func urlEncoded(_ properties: [Schema.Property]) -> Body {
            Body(
                type: "application/x-www-form-urlencoded",
                schema: .object(properties, isOpen: true), isNeeded: true)
        }
    }

    /// Who may call, where the route itself lets everybody in and its handler decides.
    enum Credential: Sendable {
        /// As the route's access says.
        case ofRoute
        case scope(Scope)
        /// With an access token, or something else that the request brings.
        case optionalToken
    }

    /// Unique; what generated clients call their function.
    var id: String
    let tag: Tag
    let summary: String
    let detail: String?
    let parameters: [Parameter]
    let body: Body?
    /// What it answers when all is well.
    let replies: [Reply]
    /// What it refuses, beside what follows from the route.
    let problems: Set<Problem.Code>
    /// It counts as a request of the customer's.
    let isMetered: Bool
    let credential: Credential
    /// `?on_deny=403` shows 402 and 429 as 403.
    let hasDisguise: Bool

    /// What has no way to answer well that could be described is no call of the API.
    var isOfAPI: Bool { !replies.isEmpty }

    init(
        _ id: String, _ tag: Tag, _ summary: String, detail: String? = nil,
        parameters: [Parameter] = [], body: Body? = nil, replies: [Reply],
        problems: Set<Problem.Code> = [], isMetered: Bool = false,
        credential: Credential = .ofRoute, hasDisguise: Bool = false
    ) {
        self.id = id
        self.tag = tag
        self.summary = summary
        self.detail = detail
        self.parameters = parameters
        self.body = body
        self.replies = replies
        self.problems = problems
        self.isMetered = isMetered
        self.credential = credential
        self.hasDisguise = hasDisguise
    }

    /// Of a listener that is not the API's.
    static let unlisted = Operation("unlisted", .system, "Not of the API", replies: [])

    /// Of a page for people, or a file that one is made of: served beside the API, not of it.
    static let page = Operation("page", .system, "A page", replies: [])
}

/// One way in which an operation answers when all is well.
struct Reply: Sendable {
    struct Header: Sendable {
        let name: HTTPField.Name
        let schema: Schema
        let note: String
        /// On every such answer.
        let isAlways: Bool
    }

    let status: HTTPResponse.Status
    let note: String
    /// By media type; none where there is no body.
    private(set) var contents: [(type: String, schema: Schema)] = []
    private(set) var headers: [Header] = []

    static func json(_ schema: Schema, _ note: String = "As asked.") -> Reply {
        .json(.ok, schema, note)
    }

    static func json(
        _ status: HTTPResponse.Status, _ schema: Schema, _ note: String
    ) -> Reply {
        Reply(status: status, note: note, contents: [("application/json", schema)])
    }

    static func shape<Value>(_ shape: Shape<Value>, note: String = "As asked.") -> Reply {
        .json(.ok, shape.schema, note)
    }

    static func shape<Value>(
        _ shape: Shape<Value>, _ status: HTTPResponse.Status, _ note: String
    ) -> Reply {
        .json(status, shape.schema, note)
    }

    /// A page of a list, under a name that is made of its elements'.
    static func list<Value>(_ shape: Shape<Value>, head: [Schema.Property] = []) -> Reply {
        .json(
            .object(
                head + [
                    .needed("items", .array(shape.schema)),
                    .needed("next_cursor", Schema.cursor.orNull),
                ]
            ).named("\(shape.name)List"), "A page of the list; next_cursor is null on the last.")
    }

    static let noContent = Reply(status: .noContent, note: "Done.")

    /// For If-None-Match.
    static let unchanged = Reply(status: .notModified, note: "You have it already.")

    /// Nothing is said of whether there was something to do.
    static let carriedOut = Reply(status: .ok, note: "Done, where there was something to do.")

    /// Nothing is said of whether there was something to do.
    static let accepted = Reply(status: .accepted, note: "Taken on.")

    static func text(_ type: String, _ note: String) -> Reply {
        Reply(status: .ok, note: note, contents: [(type, .string())])
    }

    /// Also as a file, for `?format=csv` or `Accept: text/csv`.
    var orCSV: Reply {
        var reply = self
        reply.contents.append(
            ("text/csv", .string(example: "id,name\r\n1,Ann\r\n").noted("RFC 4180, streamed.")))
        return reply.with(
            .contentDisposition, .string(example: "attachment; filename=\"list.csv\""),
            "Of a file.", isAlways: false)
    }

    func with(
        _ name: HTTPField.Name, _ schema: Schema, _ note: String, isAlways: Bool = true
    ) -> Reply {
        var reply = self
        reply.headers.append(Header(name: name, schema: schema, note: note, isAlways: isAlways))
        return reply
    }

    /// Where what was made is to be found.
    var located: Reply {
        with(.location, .string(example: "/api/v1/items/019361a4"), "Where it is.")
    }
}

extension [Operation.Parameter] {
    /// `Call.page`.
    static let page: Self = [
        .query(
            "limit", .integer(1...Int64(Page.limitMax), example: Int64(Page.limitDefault)),
            "How many at most; \(Page.limitDefault) where it is left out."),
        .query("cursor", .cursor, "Where the list goes on: next_cursor of the page before."),
    ]

    /// `Call.wantsCSV`.
    static let format: Self = [
        .query("format", .words(["json", "csv"]), "csv for a file with all of it.")
    ]

    /// A list of the admin API (`Listing`).
    static let listing = page + format
}

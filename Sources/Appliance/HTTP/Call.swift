import Domain
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import Store

/// One request as its handler sees it.
package struct Call: Sendable {
    let request: Request
    let context: Context
    let route: Route
    let clients: ClientAddresses
    /// Nil on open routes only.
    let caller: Caller?
    /// The body, once it was read for a look before the handler's.
    var received: [UInt8]?
    /// When the call has an `Idempotency-Key`.
    var ticket: IdempotencyTicket?

    var now: Timestamp { context.now }

    /// Who calls; every route that is not open has somebody.
    func signedIn() throws(Problem) -> Caller {
        guard let caller else { throw .internal(cause: "\(route.path) let nobody in") }
        return caller
    }

    /// The client's address, through trusted proxies. Worked out when asked for: the gate rarely
    /// needs it.
    var address: IPAddress? { clients.address(of: request, from: context.channel.remoteAddress) }

    var origin: Origin {
        let agent = request.headers[.userAgent].map {
            String($0.unicodeScalars.prefix(Origin.userAgentMax))
        }
        return Origin(
            requestID: context.requestID, address: address,
            userAgent: agent.flatMap { Text.hasUnsafeCharacter($0) ? nil : $0 })
    }

    // MARK: Path

    /// An id of the path; one that cannot exist is not found.
    func id<Noun>(_ what: String) throws(Problem) -> ID<Noun> {
        guard let id = ID<Noun>(parameter("id")) else { throw .notFound(what) }
        return id
    }

    func parameter(_ name: String) -> String { context.parameters.get(name) ?? "" }

    // MARK: Query

    /// The last value of a query parameter, percent-decoded.
    func query(_ name: String) -> String? {
        guard request.uri.query != nil else { return nil }
        return request.uri.queryParameters[name[...]].map(String.init)
    }

    /// A text that rows are looked for by.
    func queryText(_ name: String, max: Int = queryTextMax) throws(Problem) -> String? {
        guard let text = query(name) else { return nil }
        guard text.unicodeScalars.count <= max else {
            throw .invalid(name, "too_long", "At most \(max) characters.")
        }
        return text
    }

    /// More than anything that is looked for has.
    static let queryTextMax = 300

    func querySlug(_ name: String) throws(Problem) -> String? {
        guard let text = query(name) else { return nil }
        guard Plan.isSlug(text) else {
            throw .invalid(name, "invalid", "Expected the slug of a plan.")
        }
        return text
    }

    func queryChoice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, _ type: Choice.Type
    ) throws(Problem) -> Choice? where Choice.RawValue == String {
        guard let text = query(name) else { return nil }
        return try text.choice(name, type)
    }

    /// `?limit=` and `?cursor=`. A cursor is the last id of the page before, in a coat.
    func page(cursorIsID: Bool = true) throws(Problem) -> Page {
        var limit = Page.limitDefault
        if let text = query("limit") {
            guard let number = Int(text), (1...Page.limitMax).contains(number) else {
                throw .invalid("limit", "out_of_range", "From 1 to \(Page.limitMax).")
            }
            limit = number
        }
        guard cursorIsID, let cursor = query("cursor") else { return Page(limit: limit) }
        guard let bytes = Base64URL.decode(cursor.utf8),
            let id = ID<Call>(String(decoding: bytes, as: UTF8.self))
        else { throw .invalid("cursor", "invalid", "This cursor is not one of ours.") }
        return Page(limit: limit, before: id.description)
    }

    /// The cursor behind a page that is full; nil at the end of the list.
    static func cursor<Noun>(after last: ID<Noun>?, isFull: Bool) -> String? {
        guard isFull, let last else { return nil }
        return Base64URL.encode(last.description.utf8)
    }

    // MARK: Body

    /// The body as a form. 415 without `application/json`, 413 when too large, 400 when not JSON.
    func form() async throws(Problem) -> Form { try Form(try await json()) }

    /// The body as JSON, for the call that takes more than an object.
    func json(membersMax: Int = JSONParser.membersMax) async throws(Problem) -> JSON {
        guard Self.isJSON(request.headers[.contentType]) else {
            throw Problem(.unsupportedMediaType, "Send the body as application/json.")
        }
        let bytes = try await body()
        do throws(JSONParser.Failure) {
            return try JSONParser.parse(bytes, membersMax: membersMax)
        } catch {
            throw Problem(.invalidJSON, "At byte \(error.offset): \(error.reason).")
        }
    }

    /// A form of a call whose body may be left out altogether.
    func optionalForm() async throws(Problem) -> Form {
        if request.headers[.contentType] == nil {
            guard try await body().isEmpty else {
                throw Problem(.unsupportedMediaType, "Send the body as application/json.")
            }
            return try Form(.object([]))
        }
        return try await form()
    }

    /// A parameter of a form-encoded body, for the calls whose standard asks for one.
    func urlEncoded(_ name: String) async throws(Problem) -> String? {
        let type = request.headers[.contentType]?.lowercased() ?? ""
        guard type.prefix(while: { $0 != ";" && $0 != " " }) == "application/x-www-form-urlencoded"
        else {
            throw Problem(
                .unsupportedMediaType, "Send the body as application/x-www-form-urlencoded.")
        }
        let text = String(decoding: try await body(), as: UTF8.self)
        return URI("/?" + text.filter { $0 != "#" }).queryParameters[name[...]].map(String.init)
    }

    /// For a call that creates something: keeps its answer, in its transaction, for when the call
    /// comes again.
    func keep(_ answer: Answer, _ db: any Connection) throws(Problem) {
        try ticket?.keep(answer, db, at: now)
    }

    func body() async throws(Problem) -> [UInt8] {
        if let received { return received }
        let tooLarge = Problem(.payloadTooLarge, "At most \(route.bodyMax) bytes here.")
        if let length = request.headers[.contentLength].flatMap(Int.init), length > route.bodyMax {
            throw tooLarge
        }
        do {
            return Array(buffer: try await request.body.collect(upTo: route.bodyMax))
        } catch is NIOTooManyBytesError {
            throw tooLarge
        } catch {
            var problem = Problem(.invalidJSON, "The body did not arrive whole.")
            problem.cause = "\(error)"
            throw problem
        }
    }

    private static func isJSON(_ contentType: String?) -> Bool {
        guard let contentType else { return false }
        let parts = contentType.lowercased().split(separator: ";").map { part in
            String(part.filter { $0 != " " })
        }
        return parts.first == "application/json"
            && parts.dropFirst().allSatisfy { !$0.hasPrefix("charset=") || $0 == "charset=utf-8" }
    }
}

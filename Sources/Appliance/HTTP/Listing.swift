import Crypto
import Domain
import HTTPTypes
import Store

/// A list of the admin API: what its rows are read from, and what they look like. The same rows in
/// the same words as JSON, a page at a time, and as CSV, all of them.
struct Listing<Element: Sendable>: Sendable {
    /// In the name of the file.
    let name: String
    /// The query parameters that decide which rows there are and in which order: a cursor holds for
    /// the values that it was made under.
    let filters: [String]
    /// The members of a row that make the columns of the file.
    let columns: [String]
    let write: @Sendable (inout JSONWriter, Element) -> Void
    /// Where the list goes on behind a row: the `before` of the page that follows.
    let position: @Sendable (Element) -> String
    let read: @Sendable (any Connection, Page) throws(Problem) -> [Element]
    /// What the answer says beside its rows.
    var head: (@Sendable (inout JSONWriter) -> Void)?

    fileprivate func cells(_ element: Element) throws(Problem) -> [String] {
        var json = JSONWriter()
        write(&json, element)
        do throws(JSONParser.Failure) {
            let row = try JSONParser.parse(json.bytes)
            return columns.map { row[$0]?.cell ?? "" }
        } catch {
            throw .internal(cause: "a row of \(name) is no JSON: \(error.reason)")
        }
    }
}

extension Appliance {
    /// Rows of one look at the store, for a file: some milliseconds of a reader. Between two looks
    /// no snapshot is held, however slowly the client reads.
    private static let exportRowsEach = 1000

    func answer<Element>(
        _ listing: Listing<Element>, to call: Call
    ) async throws(Problem) -> Answer {
        let page = try call.page(boundTo: listing.filters)
        guard try call.wantsCSV() else {
            let rows = try await store.read { db throws(Problem) in try listing.read(db, page) }
            let isFull = rows.count == page.limit
            let next = isFull ? rows.last.map(listing.position) : nil
            let cursor = next.map { call.cursor(after: $0, boundTo: listing.filters) }
            return .json { json in
                json.object { json in
                    listing.head?(&json)
                    json.member("items") { $0.array(rows, listing.write) }
                    json.member("next_cursor", cursor)
                }
            }
        }
        // Without a limit of its own a file has everything from the cursor on.
        let isWhole = call.query("limit") == nil
        let first = Page(
            limit: isWhole ? Self.exportRowsEach : page.limit, before: page.before)
        return CSV.answer(
            name: "gatehouse-\(listing.name)-\(call.now.description.prefix(10))",
            columns: listing.columns, try await export(listing, first, isWhole: isWhole)
        ) { try await self.export(listing, $0, isWhole: isWhole) }
    }

    private func export<Element>(
        _ listing: Listing<Element>, _ page: Page, isWhole: Bool
    ) async throws(Problem) -> (rows: [[String]], next: Page?) {
        let elements = try await store.read { db throws(Problem) in try listing.read(db, page) }
        var rows: [[String]] = []
        for element in elements { rows.append(try listing.cells(element)) }
        guard isWhole, elements.count == page.limit, let last = elements.last else {
            return (rows, nil)
        }
        return (rows, Page(limit: page.limit, before: listing.position(last)))
    }
}

extension Call {
    /// `?format=csv`, or a client that asks for a file before anything else.
    func wantsCSV() throws(Problem) -> Bool {
        switch query("format") {
        case "csv": return true
        case "json": return false
        case nil: return request.headers[.accept]?.lowercased().hasPrefix("text/csv") == true
        default: throw .invalid("format", "invalid", "Expected one of: json, csv.")
        }
    }

    /// A user's id in the query.
    func queryUser(_ name: String = "user_id") throws(Problem) -> UserID? {
        guard let text = query(name) else { return nil }
        guard let user = UserID(text) else {
            throw .invalid(name, "invalid", "Expected a user's id.")
        }
        return user
    }

    // MARK: Cursors that hold for one question

    private static let markBytes = 8

    /// Of the path and the values of the filters: a cursor that is taken to another question would
    /// skip rows without a word.
    private func mark(of filters: [String]) -> [UInt8] {
        var question = SHA256()
        question.update(data: Array(request.uri.path.utf8))
        for name in filters.sorted() {
            question.update(data: Array("\0\(name)\(query(name).map { "=" + $0 } ?? "")".utf8))
        }
        return Array(question.finalize().prefix(Self.markBytes))
    }

    func cursor(after position: String, boundTo filters: [String]) -> String {
        Base64URL.encode(mark(of: filters) + Array(position.utf8))
    }

    func page(boundTo filters: [String]) throws(Problem) -> Page {
        let limit = try page(cursorIsID: false).limit
        guard let cursor = query("cursor") else { return Page(limit: limit) }
        guard let bytes = Base64URL.decode(cursor.utf8), bytes.count > Self.markBytes,
            Array(bytes.prefix(Self.markBytes)) == mark(of: filters)
        else {
            throw .invalid(
                "cursor", "invalid", "This cursor is of another list, filter or order.")
        }
        return Page(
            limit: limit,
            before: String(decoding: bytes.dropFirst(Self.markBytes), as: UTF8.self))
    }
}

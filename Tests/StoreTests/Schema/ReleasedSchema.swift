import Domain
import Glibc
import Support
import Testing

@testable import Store

/// A store as a release left it: its schema and a row of each table, as SQL text in
/// `Released/<version>.sql`.
///
/// A file is written once, for the version of a release, and never changed: it is what people have.
/// `GATEHOUSE_WRITE_FIXTURES=1 swift test --filter ReleasedSchemaTests` writes those that are
/// missing, from the migrations up to them and `GoodRow`.
struct ReleasedSchema: Sendable, CustomTestStringConvertible {
    let version: Int

    /// A release adds its version here. Before the first one these are two early versions, so that
    /// the way from them is tested.
    static let all = [1, 2].map { ReleasedSchema(version: $0) }

    var testDescription: String { "schema \(version)" }

    private static let folder =
        "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/Released"

    var file: TestFile { TestFile(path: "\(Self.folder)/\(version).sql") }

    /// What its file should say, from the migrations as they are now.
    func generated() throws -> String {
        let place = try StoreFile()
        try place.create(version: version)
        let store = try SQLiteFile.openWriter(place.path)
        let tables = Set(try Dump.tables(of: store))
        for row in GoodRow.all where tables.contains(row.table) {
            try store.execute(row.insertion(Self.ids(of: row)))
        }
        return try Dump.text(of: store)
    }

    /// Ids as a daemon reads them, in place of `GoodRow`'s single letters.
    private static func ids(of row: GoodRow) -> [String: String] {
        var ids: [String: String] = [:]
        for (column, literal) in row.values {
            guard ["id", "user_id", "session_id", "plan_id"].contains(column),
                let letter = literal.utf8.dropFirst().first, literal.utf8.count == 3
            else { continue }
            ids[column] = "'01890000-0000-7000-8000-0000000000\(String(letter, radix: 16))'"
        }
        return ids
    }

    /// Makes the store that its file tells of.
    func create(at place: StoreFile) throws {
        let store = try SQLiteFile.openWriter(place.path)
        let text = String(decoding: try file.bytes(), as: UTF8.self)
        try store.run("PRAGMA foreign_keys = OFF")
        for statement in text.split(separator: ";\n") { try store.run(String(statement)) }
    }

    static var writesMissing: Bool {
        getenv("GATEHOUSE_WRITE_FIXTURES").map { String(cString: $0) } == "1"
    }
}

/// A store as SQL text: the same text for the same schema and rows.
enum Dump {
    static func text(of store: SQLiteConnection) throws -> String {
        let version = try store.text("PRAGMA user_version")
        var statements = try texts(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid", of: store)
        for table in try tables(of: store) {
            let columns = try columns(of: table, in: store)
            statements += try rows(of: table, columns, in: store).map {
                "INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES (\($0))"
            }
        }
        statements.append("PRAGMA user_version = \(version)")
        return statements.map { $0 + ";\n" }.joined()
    }

    static func tables(of store: SQLiteConnection) throws -> [String] {
        try texts(
            "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid", of: store)
    }

    /// Without those that are generated from others.
    static func columns(of table: String, in store: SQLiteConnection) throws -> [String] {
        try texts(
            SQL(
                stringLiteral:
                    "SELECT name FROM pragma_table_xinfo('\(table)') WHERE hidden = 0 ORDER BY cid"
            ), of: store)
    }

    /// Each row as literals.
    static func rows(
        of table: String, _ columns: [String], in store: SQLiteConnection
    ) throws -> [String] {
        let values = columns.map { "quote(\($0))" }.joined(separator: " || ', ' || ")
        return try texts(SQL(stringLiteral: "SELECT \(values) FROM \(table) ORDER BY 1"), of: store)
    }

    static func texts(_ sql: SQL, of store: SQLiteConnection) throws -> [String] {
        try store.rows(sql) { row throws(Problem) in try row.text() }
    }
}

import Crypto
import Domain

/// Moves everything that a store keeps into an empty one of the other engine.
///
/// Each page of a table is one transaction of the target, in the order of the key, so that what is
/// there already tells where to go on: a copy that was cut short is simply begun again. A mark in
/// the target keeps daemons away from it until the copy is whole and compared, row by row by way of
/// a checksum of each table on both sides.
///
/// Nobody else may write to either store meanwhile; the caller holds both.
package struct StoreCopy: Sendable {
    /// How far a table is.
    package struct Progress: Sendable, Equatable {
        package let table: String
        package let done: Int64
        package let all: Int64
    }

    /// What was found equal on both sides.
    package struct Table: Sendable, Equatable {
        package let name: String
        package let rows: Int64
        /// SHA-256 over the rows in the order of the key.
        package let checksum: String
    }

    /// Rows of one transaction: some 100 KB.
    private static let rowsEach = 500

    /// In the `installation` table of a target that is not whole yet: which store it is a copy of.
    package static let mark = "copy_of"
    /// Rows of `installation` that are a process's, the copy's or a store's own.
    private static let own = [mark, "held_by", Changes.prunedName]

    private let source: any Database
    private let target: any Database

    package init(from source: any Database, to target: any Database) {
        self.source = source
        self.target = target
    }

    /// - Throws: `conflict` when the target has rows that are not of this copy; `internal` when it
    ///   is not equal in the end.
    package func run(
        progress: (Progress) -> Void = { _ in }
    ) async throws(Problem) -> [Table] {
        try await begin()
        // The single values come last: they say that the copy is whole.
        let tables = StoreTable.all.filter { $0.name != "installation" }
        for table in tables { try await copy(table, progress) }
        var compared: [Table] = []
        for table in tables {
            let (here, there) = (
                try await checksum(table, of: source), try await checksum(table, of: target)
            )
            guard here == there else {
                throw .internal(
                    cause: "\(table.name) has \(here.rows) rows in the one store, "
                        + "\(there.rows) in the other, or they differ")
            }
            compared.append(here)
        }
        try await finish()
        return compared
    }

    // MARK: Beginning and end

    /// Which store it is: the first row of its audit log, which no other has.
    private func identity() async throws(Problem) -> String {
        try await source.read { db throws(Problem) in
            try db.first("SELECT id FROM audit_logs ORDER BY sequence LIMIT 1") {
                row throws(Problem) in try row.text()
            } ?? "a store without a history"
        }
    }

    private func begin() async throws(Problem) {
        let identity = try await identity()
        let refusal = try await target.write { db throws(Problem) -> Problem? in
            if let begun = try db.installation.value(Self.mark) {
                guard begun == identity else {
                    return Problem(.conflict, "The target has a part of another store's copy.")
                }
                return nil
            }
            for table in StoreTable.all {
                let rows = try db.count(SQL(stringLiteral: "SELECT count(*) FROM \(table.name)"))
                let ours = table.name == "installation" ? try Self.countOwn(db) : 0
                guard rows == ours else {
                    return Problem(
                        .conflict, "The target is not empty: \(table.name) has \(rows) rows.")
                }
            }
            try db.installation.set(Self.mark, identity)
            return nil
        }
        if let refusal { throw refusal }
    }

    private static func countOwn(_ db: any Connection) throws(Problem) -> Int64 {
        var count: Int64 = 0
        for name in own {
            if try db.installation.value(name) != nil { count += 1 }
        }
        return count
    }

    private func finish() async throws(Problem) {
        let values = try await source.read { db throws(Problem) in
            try db.rows("SELECT name, value FROM installation ORDER BY name") {
                row throws(Problem) in (name: try row.text(), value: try row.text())
            }
        }
        try await target.write { db throws(Problem) in
            for (name, value) in values where !Self.own.contains(name) {
                try db.installation.set(name, value)
            }
            try db.installation.remove(Self.mark)
        }
    }

    // MARK: Rows

    private func copy(
        _ table: StoreTable, _ progress: (Progress) -> Void
    ) async throws(Problem) {
        let counting = SQL(stringLiteral: "SELECT count(*) FROM \(table.name)")
        let all = try await source.read { db throws(Problem) in try db.count(counting) }
        var done = try await target.read { db throws(Problem) in try db.count(counting) }
        var last = try await target.read { db throws(Problem) in
            try db.first(table.last) { row throws(Problem) in try table.key.read(&row) }
        }
        progress(Progress(table: table.name, done: done, all: all))
        while true {
            let page = try await rows(of: table, after: last, in: source)
            guard let end = page.last else { return }
            try await target.write { db throws(Problem) in
                try db.execute(table.insertion, each: page)
            }
            last = Array(end.prefix(table.key.count))
            done += Int64(page.count)
            progress(Progress(table: table.name, done: done, all: all))
        }
    }

    private func rows(
        of table: StoreTable, after last: [SQL.Value]?, in store: any Database
    ) async throws(Problem) -> [[SQL.Value]] {
        try await store.read { db throws(Problem) in
            try db.rows(table.page(after: last, limit: Self.rowsEach)) { row throws(Problem) in
                try table.columns.read(&row)
            }
        }
    }

    private func checksum(
        _ table: StoreTable, of store: any Database
    ) async throws(Problem) -> Table {
        var hash = SHA256()
        var (count, last) = (Int64(0), [SQL.Value]?.none)
        while true {
            let page = try await rows(of: table, after: last, in: store)
            guard let end = page.last else { break }
            for row in page { for value in row { hash.update(value) } }
            count += Int64(page.count)
            last = Array(end.prefix(table.key.count))
        }
        return Table(
            name: table.name, rows: count, checksum: Hex.text(of: Array(hash.finalize())))
    }
}

extension SHA256 {
    /// A kind, a length and the bytes: no two rows of values are the same bytes.
    fileprivate mutating func update(_ value: SQL.Value) {
        let (kind, bytes): (UInt8, [UInt8]) =
            switch value {
            case .null: (0, [])
            case .integer(let integer): (1, Array(String(integer).utf8))
            case .text(let text): (2, Array(text.utf8))
            case .bytes(let bytes): (3, bytes)
            }
        update(data: [kind] + Array("\(bytes.count):".utf8) + bytes)
    }
}

extension [StoreTable.Column] {
    fileprivate func read(_ row: inout Row) throws(Problem) -> [SQL.Value] {
        var values: [SQL.Value] = []
        for column in self {
            let value: SQL.Value? =
                switch column {
                case .text: try row.optionalText().map { .text($0) }
                case .integer: try row.optionalInteger().map { .integer($0) }
                case .bytes: try row.optionalBytes().map { .bytes($0) }
                }
            values.append(value ?? .null)
        }
        return values
    }

    fileprivate var list: String { map(\.name).joined(separator: ", ") }
}

extension StoreTable {
    fileprivate var insertion: SQL {
        let marks = columns.indices.map { "$\($0 + 1)" }.joined(separator: ", ")
        return SQL(
            stringLiteral: "INSERT INTO \(name) (\(columns.list)) VALUES (\(marks))")
    }

    /// The key of the last row.
    fileprivate var last: SQL {
        let order = key.map { "\($0.name) DESC" }.joined(separator: ", ")
        return SQL(stringLiteral: "SELECT \(key.list) FROM \(name) ORDER BY \(order) LIMIT 1")
    }

    fileprivate func page(after last: [SQL.Value]?, limit: Int) -> SQL {
        var sql = SQL(stringLiteral: "SELECT \(columns.list) FROM \(name)")
        if let last {
            sql += SQL(stringLiteral: " WHERE (\(key.list)) > (")
            for (index, value) in last.enumerated() {
                if index > 0 { sql += ", " }
                sql += "\(value)"
            }
            sql += ")"
        }
        return sql + SQL(stringLiteral: " ORDER BY \(key.list)") + " LIMIT \(limit)"
    }
}

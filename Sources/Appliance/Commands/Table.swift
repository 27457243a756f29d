import Domain
import Glibc

extension JSON {
    /// The text of a string; nil for anything else.
    var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// As people read it in a line or a cell.
    var shown: String {
        switch self {
        case .null: "-"
        case .string(let text): text
        case .bool(let flag): flag ? "yes" : "no"
        case .array(let elements):
            elements.isEmpty ? "-" : elements.map(\.shown).joined(separator: " ")
        case .integer, .decimal, .object: encoded
        }
    }

    /// A member as people read it.
    func shown(_ name: String) -> String { (self[name] ?? .null).shown }
}

/// Rows in aligned columns, their head in bold at a terminal. Pages after the first keep the widths
/// where they can.
struct Table {
    /// A column's head, and the member of each object that it shows.
    typealias Column = (head: String, member: String)

    private let columns: [Column]
    private var widths: [Int]
    private var isBegun = false

    init(_ columns: [Column]) {
        self.columns = columns
        widths = columns.map(\.head.count)
    }

    mutating func show(_ items: [JSON]) {
        let rows = items.map { item in columns.map { item.shown($0.member) } }
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) }
        }
        if !isBegun {
            isBegun = true
            let head = line(columns.map(\.head))
            print(isatty(1) == 1 ? "\u{1B}[1m\(head)\u{1B}[0m" : head)
        }
        for row in rows { print(line(row)) }
    }

    private func line(_ cells: [String]) -> String {
        let padded = zip(cells, widths).map { cell, width in
            cell + String(repeating: " ", count: width - cell.count)
        }
        return String(padded.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
    }

    /// One object, a line for each member.
    static func show(_ item: JSON, _ columns: [Column]) {
        let width = columns.map(\.head.count).max() ?? 0
        for column in columns {
            let space = String(repeating: " ", count: width - column.head.count)
            print("\(column.head)\(space)  \(item.shown(column.member))")
        }
    }
}

/// A list as a JSON array, written as its pages come.
struct JSONList {
    private var isEmpty = true

    mutating func show(_ items: [JSON]) {
        for item in items {
            print(isEmpty ? "[" : ",")
            print(item.encoded, terminator: "")
            isEmpty = false
        }
    }

    func end() { print(isEmpty ? "[]" : "\n]") }
}

extension Shell {
    /// Shows a whole list: as an array, or as a table.
    func show(
        _ order: ShellOrder, _ question: [JSON.Member], json: Bool, _ columns: [Table.Column]
    ) async throws {
        var list = JSONList()
        var table = Table(columns)
        try await each(of: order, question) { items in
            if json { list.show(items) } else { table.show(items) }
        }
        if json { list.end() }
    }
}

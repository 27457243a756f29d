import Domain
import NIOCore

/// Comma-separated values (RFC 4180) that no spreadsheet takes for a formula. The one place where
/// they are written.
enum CSV {
    /// With the header row said, as RFC 4180, 3 has it.
    static let type = "text/csv; charset=utf-8; header=present"

    /// A file of rows that are read a page at a time, while the one before is on its way: the first
    /// page is there already, and no more than one is ever in memory.
    ///
    /// - Parameters:
    ///   - name: of the file, without its ending.
    ///   - next: the page behind a position, and the position behind that page; nil at the end.
    static func answer<Position: Sendable>(
        name: String, columns: [String], _ first: (rows: [[String]], next: Position?),
        next: @escaping @Sendable (Position) async throws -> (rows: [[String]], next: Position?)
    ) -> Answer {
        let stream = Answer.Stream { write in
            try await write(buffer([columns] + first.rows))
            var position = first.next
            while let behind = position {
                let page = try await next(behind)
                if !page.rows.isEmpty { try await write(buffer(page.rows)) }
                position = page.next
            }
        }
        return Answer.stream(type, stream)
            .with(.contentDisposition, "attachment; filename=\"\(name).csv\"")
    }

    /// A file of few rows.
    static func answer(name: String, columns: [String], _ rows: [[String]]) -> Answer {
        answer(name: name, columns: columns, (rows, nil)) { (_: Int) in ([], nil) }
    }

    private static func buffer(_ rows: [[String]]) -> ByteBuffer {
        var buffer = ByteBuffer()
        for row in rows {
            for (index, value) in row.enumerated() {
                if index > 0 { buffer.writeInteger(comma) }
                buffer.writeString(cell(value))
            }
            buffer.writeStaticString("\r\n")
        }
        return buffer
    }

    static func cell(_ value: String) -> String {
        let text = isFormula(value) ? "'" + value : value
        let needsQuotes = text.utf8.contains { $0 < 0x20 || $0 == quote || $0 == comma }
        guard needsQuotes else { return text }
        let doubled = text.unicodeScalars.map { $0 == "\"" ? "\"\"" : String($0) }.joined()
        return "\"" + doubled + "\""
    }

    private static let quote = UInt8(ascii: "\"")
    private static let comma = UInt8(ascii: ",")

    /// What a spreadsheet would reckon out: also where the signs are full-width, as East Asian
    /// keyboards write them, and behind a control character, which it skips.
    private static func isFormula(_ value: String) -> Bool {
        guard let first = value.unicodeScalars.first else { return false }
        return "=+-@＝＋－＠".unicodeScalars.contains(first)
            || first.properties.generalCategory == .control
    }
}

extension JSON {
    /// In a cell: text without quotes, a list of words with spaces between them.
    var cell: String {
        switch self {
        case .null: ""
        case .string(let text): text
        case .array(let elements): elements.map(\.cell).joined(separator: " ")
        case .bool, .integer, .decimal, .object: encoded
        }
    }
}

extension Letter {
    /// Columns of a paragraph: RFC 5322, 2.1.1 asks for 78, and an answer puts `> ` before each.
    private static let columns = 72

    /// As plain text; lines end in `\n`.
    var text: String {
        (parts.map(Self.text) + ["-- \n" + Self.wrapped(footer)]).joined(separator: "\n\n") + "\n"
    }

    private static func text(_ part: Part) -> String {
        switch part {
        case .paragraph(let words): return wrapped(words)
        case .action(_, let url): return url
        case .facts(let facts):
            let width = facts.map(\.name.count).max() ?? 0
            return facts.map { fact in
                let space = String(repeating: " ", count: width - fact.name.count + 2)
                return "  \(fact.name):\(space)\(fact.value)"
            }.joined(separator: "\n")
        }
    }

    /// A word that is longer than a line, such as a link, has a line of its own.
    private static func wrapped(_ words: String) -> String {
        var lines: [String] = []
        var line = ""
        for word in words.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > columns {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return (lines + [line]).joined(separator: "\n")
    }
}

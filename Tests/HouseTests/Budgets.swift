import Testing

/// How much a reader is asked to hold in mind at once. The pleasant code bases of this field have a
/// median file under 90 lines; these are the ends of the range, not its middle.
private enum Budget {
    static let fileLines = 400
    static let functionLines = 70
    static let columns = 100
}

private let inCode: @Sendable (_ path: String) -> Bool = {
    $0.hasSuffix(".swift") || $0.hasSuffix(".py")
}

extension Rule {
    static let filesAreShort = Rule(
        name: "a file has at most \(Budget.fileLines) lines", measure: .size, covers: inCode
    ) { file in
        let lines = file.lines.count
        guard lines > Budget.fileLines else { return [] }
        return [Finding(line: lines, size: lines, said: "has \(lines) lines")]
    }

    static let functionsAreShort = Rule(
        name: "a function has at most \(Budget.functionLines) lines", measure: .size, covers: inCode
    ) { file in
        FunctionSpan.all(in: file.scan).filter { $0.lines > Budget.functionLines }.map {
            Finding(
                line: $0.line, subject: $0.name, size: $0.lines,
                said: "\($0.name) has \($0.lines) lines")
        }
    }

    static let linesAreShort = Rule(
        name: "a line has at most \(Budget.columns) columns", covers: inCode
    ) { file in
        file.lines.enumerated().compactMap { index, line in
            // Bytes first: counting characters is slow, and few lines come near.
            guard line.utf8.count > Budget.columns, line.count > Budget.columns else { return nil }
            return Finding(line: index + 1, said: "the line has \(line.count) columns")
        }
    }
}

@Suite("Budgets")
struct Budgets {
    @Test("Files are short")
    func files() throws { try expectHeld(.filesAreShort) }

    @Test("Functions are short")
    func functions() throws { try expectHeld(.functionsAreShort) }

    @Test("Lines are short")
    func lines() throws { try expectHeld(.linesAreShort) }

    @Test("The tree that the rules are held to is the whole project")
    func tree() throws {
        let paths = Set(try Tree.files.get().map(\.path))
        #expect(paths.isSuperset(of: ["Package.swift", "Makefile", "Tests/HouseTests/Tree.swift"]))
        for target in ["Domain", "Store", "Appliance"] {
            #expect(paths.contains { $0.hasPrefix("Sources/\(target)/") }, "no file of \(target)")
        }
        #expect(!paths.contains { $0.hasPrefix(".build") })
    }
}

import Testing

extension SourceFile {
    /// The lines, counted from 1, of one view of the file where the pattern matches.
    fileprivate func lines(
        _ view: [String], with pattern: Regex<Substring>, _ said: (Substring) -> String
    ) -> [Finding] {
        view.enumerated().flatMap { index, line in
            line.matches(of: pattern).map { Finding(line: index + 1, said: said($0.output)) }
        }
    }
}

private let inSources: @Sendable (_ path: String) -> Bool = {
    $0.hasPrefix("Sources/") && $0.hasSuffix(".swift")
}

private let inSwift: @Sendable (_ path: String) -> Bool = { $0.hasSuffix(".swift") }

/// What may not be written, and where.
extension Rule {
    static let sqlStaysInStore = Rule(
        name: "SQL is written only in Store",
        covers: { $0.hasPrefix("Sources/Domain/") || $0.hasPrefix("Sources/Appliance/") },
        find: { file in
            // Over the whole text, since a statement may go over lines.
            let text = file.scan.allText
            let pattern =
                #/
                \b (?: SELECT\s | INSERT\s+INTO\s | DELETE\s+FROM\b
                | UPDATE\s+[\w"]+ (?:\s+AS\s+\w+)? \s+SET\b )
                /#
            return text.matches(of: pattern).map { match in
                let line = text[..<match.range.lowerBound].count { $0.isNewline } + 1
                return Finding(line: line, said: "holds SQL text")
            }
        })

    static let nothingIsPublic = Rule(
        name: "nothing is public: names that cross targets are package", covers: inSources
    ) { file in
        file.lines(
            file.scan.code,
            with: #/\bpublic(?=[\s(])|\bopen\s+(?:class|func|var|subscript)\b/#
        ) { "declares something \($0)" }
    }

    static let noForcedTryOrCast = Rule(
        name: "no try! and no as!", covers: inSources
    ) { file in
        file.lines(file.scan.code, with: #/\b(?:try|as)!/#) { "has \($0)" }
    }

    static let noForcedUnwrap = Rule(
        name: "no forced unwrap and no implicitly unwrapped optional", covers: inSources
    ) { file in
        // `try!` and `as!` are the rule above; `a!=b` is a comparison.
        file.lines(file.scan.code, with: #/(?:\b\w+|[\])`])!(?!=)/#) { "has \($0)" }
            .filter { $0.said != "has try!" && $0.said != "has as!" }
    }

    static let noTraps = Rule(
        name: "no fatalError and no precondition: a request must never end the process",
        covers: inSources
    ) { file in
        file.lines(
            file.scan.code, with: #/\b(?:fatalError|precondition|preconditionFailure)\s*\(/#
        ) { "calls \($0)…)" }
    }

    static let noLooseTasks = Rule(
        name: "no unstructured Task: long work is a Service", covers: inSources
    ) { file in
        let pattern = #/\bTask\s*(?:<[^>]*>\s*)?[({]|\bTask\.(?:detached|immediate)\w*/#
        return file.lines(file.scan.code, with: pattern) { "starts \($0)" }
    }

    static let uncheckedSaysWhy = Rule(
        name: "@unchecked Sendable and nonisolated(unsafe) say \"because …\" beside them or in the "
            + "three lines above",
        covers: inSwift,
        find: { file in
            let pattern = #/@unchecked\s+Sendable|\bnonisolated\s*\(\s*unsafe\s*\)/#
            return file.lines(file.scan.code, with: pattern) { "\($0) without a reason" }.filter {
                !file.scan.comments[max(0, $0.line - 4)..<$0.line].contains {
                    $0.contains("because")
                }
            }
        })

    static let noPostponedWork = Rule(
        name: "no note of work left to do: an issue is the place for it",
        covers: { $0.hasSuffix(".swift") || $0.hasSuffix(".py") },
        find: { file in
            let isSwift = file.path.hasSuffix(".swift")
            let pattern = isSwift ? #/\b(?:TODO|FIXME)\b/# : #/#.*\b(?:TODO|FIXME)\b/#
            let view = isSwift ? file.scan.comments : file.lines
            return file.lines(view, with: pattern) { "says \($0)" }
        })

    static let namesSayWhat = Rule(
        name: "no Manager, Helper, Util or Common in the name of a type or a file",
        covers: { $0.hasPrefix("Sources/") || $0.hasPrefix("Tests/") },
        find: { file in
            let words = #/(?:Manager|Helper|Util(?:s|ity|ities)?|Common)s?(?![a-z])/#
            let pattern =
                #/\b(?:class|struct|enum|protocol|actor|typealias|associatedtype)\s+\w+/#
            let types = file.lines(file.scan.code, with: pattern) { "declares \($0)" }
            let fileName = file.path.split(separator: "/").last ?? ""
            let own = Finding(line: 1, said: "is called \(fileName)")
            return (types + [own]).filter { $0.said.contains(words) }
        })

    /// A path of one machine works on that machine alone, and tells of it.
    static let noPathOfOneMachine = Rule(
        name: "no path of one machine",
        covers: { _ in true },
        find: { file in
            let pattern = #/(?:^|[^A-Za-z0-9._\-])\/(?:work|farm|root)\//#
            return file.lines(file.lines, with: pattern) { "names a path of one machine: \($0)" }
        })
}

@Suite("Words")
struct Words {
    @Test("SQL is written only in Store")
    func sql() throws { try expectHeld(.sqlStaysInStore) }

    @Test("Nothing is public")
    func access() throws { try expectHeld(.nothingIsPublic) }

    @Test("No error is forced away, and no cast is forced")
    func forcedTryOrCast() throws { try expectHeld(.noForcedTryOrCast) }

    @Test("No optional is unwrapped by force")
    func forcedUnwrap() throws { try expectHeld(.noForcedUnwrap) }

    @Test("Nothing ends the process on purpose")
    func traps() throws { try expectHeld(.noTraps) }

    @Test("No task is started loose")
    func tasks() throws { try expectHeld(.noLooseTasks) }

    @Test("What the compiler is told to trust says why")
    func unchecked() throws { try expectHeld(.uncheckedSaysWhy) }

    @Test("No work is left to do in a comment")
    func postponed() throws { try expectHeld(.noPostponedWork) }

    @Test("Names say what a thing is")
    func names() throws { try expectHeld(.namesSayWhat) }

    @Test("No file knows the machine it was written on")
    func machinePaths() throws { try expectHeld(.noPathOfOneMachine) }
}

import Testing

private let domain = "Sources/Domain/A.swift"
private let store = "Sources/Store/A.swift"
private let appliance = "Sources/Appliance/A.swift"

/// Shows of each rule that it catches what it forbids and lets pass what only looks like it.
@Suite("Rules")
struct RuleTests {
    private func count(_ rule: Rule, _ text: String, at path: String) -> Int {
        rule.findings(in: SourceFile(path: path, text: text)).count
    }

    @Test(
        "Every way to write an import is read",
        arguments: [
            ("import Foundation", "Foundation"),
            ("package import Foundation", "Foundation"),
            ("@preconcurrency import Foundation", "@preconcurrency Foundation"),
            ("import struct Foundation.URL", "Foundation"),
            ("@_spi(A) internal import Foundation", "@_spi(A) Foundation"),
            ("#if os(Linux)\n  import FoundationNetworking\n#endif", "FoundationNetworking"),
        ])
    func imports(source: String, spelling: String) {
        let found = Rule.noFoundation.findings(in: SourceFile(path: appliance, text: source))
        #expect(found.map(\.subject) == [spelling])
        #expect(count(.noFoundation, "/* \(source) */\nlet a = \"\(spelling)\"", at: store) == 0)
    }

    @Test("Each layer is held to its own imports")
    func layers() {
        #expect(count(.domainImportsNothing, "import Synchronization", at: domain) == 1)
        #expect(count(.domainImportsNothing, "import Synchronization", at: store) == 0)
        #expect(count(.storeImportsLittle, "import Domain\nimport NIOCore", at: store) == 1)
        #expect(count(.sqliteStaysInItsDriver, "import CSQLite", at: store) == 1)
        let driver = "Sources/Store/SQLite/A.swift"
        #expect(count(.sqliteStaysInItsDriver, "import CSQLite", at: driver) == 0)
        #expect(count(.libpqStaysInItsDriver, "import CPostgres", at: driver) == 1)
        let other = "Sources/Store/Postgres/A.swift"
        #expect(count(.libpqStaysInItsDriver, "import CPostgres", at: other) == 0)
        #expect(count(.hummingbirdStaysInHTTP, "import HummingbirdTLS", at: appliance) == 1)
        let http = "Sources/Appliance/HTTP/A.swift"
        #expect(count(.hummingbirdStaysInHTTP, "import Hummingbird", at: http) == 0)
    }

    @Test(
        "SQL is known by its words, over lines, and only in texts",
        arguments: [
            (#"let a = "SELECT id FROM b""#, 1), (#"a("INSERT INTO b (c) VALUES ($1)")"#, 1),
            ("let a = \"\"\"\n  UPDATE b\n  SET c = 1\n  \"\"\"", 1),
            (#"a("DELETE FROM b")"#, 1), (#"a("Please update b; SET is a word")"#, 0),
            ("// SELECT a FROM b", 0), ("let SELECTED = 1", 0),
        ])
    func sql(source: String, expected: Int) {
        #expect(count(.sqlStaysInStore, source, at: appliance) == expected)
        #expect(count(.sqlStaysInStore, source, at: store) == 0)
    }

    @Test(
        "Public declarations are found",
        arguments: [
            ("public struct A {}", 1), ("public(set) var a = 1", 1), ("open class A {}", 1),
            ("package struct A {}", 0), ("let a = [\"public \": open(file)]", 0),
            ("let isPublic = publicKey", 0),
        ])
    func access(source: String, expected: Int) {
        #expect(count(.nothingIsPublic, source, at: store) == expected)
    }

    @Test(
        "Forced tries, casts and unwraps are found, each by its own rule",
        arguments: [
            ("let a = try! b()", 1, 0), ("let a = b as! C", 1, 0), ("let a = b!", 0, 1),
            ("a(b!, c[0]!.d, e()!)", 0, 3), ("var a: B!", 0, 1), ("a!.b = c!(d)", 0, 2),
            ("if a != b, !c, d!=e, f !== g {}", 0, 0), ("a(\"b! \\(c) d!\") // e!", 0, 0),
            ("#if !os(Linux)", 0, 0), ("let a = try? b() as? C", 0, 0),
            ("let a = \"b \\(c!)\"", 0, 1),
        ])
    func forced(source: String, tries: Int, unwraps: Int) {
        #expect(count(.noForcedTryOrCast, source, at: domain) == tries)
        #expect(count(.noForcedUnwrap, source, at: domain) == unwraps)
    }

    @Test(
        "Traps are found",
        arguments: [
            ("fatalError(\"a\")", 1), ("precondition(a > b)", 1), ("preconditionFailure()", 1),
            ("let a: Status = .preconditionFailed", 0), ("// fatalError()", 0),
        ])
    func traps(source: String, expected: Int) {
        #expect(count(.noTraps, source, at: domain) == expected)
    }

    @Test(
        "Loose tasks are found",
        arguments: [
            ("Task { await a() }", 1), ("Task.detached { }", 1), ("Task(priority: .low) { }", 1),
            ("let a = Task<Void, Never> { }", 1), ("group.addTask { await a() }", 0),
            ("try Task.checkCancellation()", 0), ("try await Task.sleep(for: a)", 0),
        ])
    func tasks(source: String, expected: Int) {
        #expect(count(.noLooseTasks, source, at: appliance) == expected)
    }

    @Test(
        "A reason counts beside the line and up to three lines above it",
        arguments: [
            ("final class A: @unchecked Sendable {}", 1),
            ("nonisolated(unsafe) var a = 1", 1),
            ("final class A: @unchecked Sendable {}  // because b", 0),
            ("// because b\n\n\nnonisolated(unsafe) var a = 1", 0),
            ("// because b\n\n\n\nnonisolated(unsafe) var a = 1", 1),
            ("let because = 1\nnonisolated(unsafe) var a = 1", 1),
        ])
    func unchecked(source: String, expected: Int) {
        #expect(count(.uncheckedSaysWhy, source, at: store) == expected)
    }

    @Test("Notes of work left to do are found in comments alone")
    func postponed() {
        #expect(count(.noPostponedWork, "a()  // TODO: b\n/* FIXME */", at: store) == 2)
        #expect(count(.noPostponedWork, "a(\"TODO\")", at: store) == 0)
        #expect(count(.noPostponedWork, "a = 1  # TODO b", at: "Tests/api/a.py") == 1)
    }

    @Test(
        "Names that say nothing are found",
        arguments: [
            ("struct PlanManager {}", domain, 1), ("enum StringUtils {}", domain, 1),
            ("protocol CommonThing {}", domain, 1), ("actor Helper {}", domain, 1),
            ("extension FileManager {}", domain, 0), ("struct Utilization {}", domain, 0),
            ("let fileManager = FileManager.default", domain, 0),
            ("", "Sources/Domain/PlanHelpers.swift", 1), ("", "Tests/api/plans.py", 0),
        ])
    func names(source: String, path: String, expected: Int) {
        #expect(count(.namesSayWhat, source, at: path) == expected)
    }

    @Test("Paths of one machine are found, in any file")
    func machinePaths() {
        // Put together, or this file would break the rule.
        for folder in ["work", "farm", "root"] {
            #expect(count(.noPathOfOneMachine, "cd /\(folder)/a", at: "Makefile") == 1)
            #expect(count(.noPathOfOneMachine, "a\n/\(folder)/b", at: "README.md") == 1)
            #expect(count(.noPathOfOneMachine, "a.b/\(folder)/c", at: "README.md") == 0)
            #expect(count(.noPathOfOneMachine, "/\(folder)shop/c", at: "README.md") == 0)
        }
    }

    @Test("Sizes are allowed up to the budget and not beyond")
    func sizes() {
        let line = "a\n"
        #expect(count(.filesAreShort, String(repeating: line, count: 400), at: domain) == 0)
        #expect(count(.filesAreShort, String(repeating: line, count: 401), at: "a/b.py") == 1)
        func function(_ lines: Int) -> String {
            "func a() {\n" + String(repeating: line, count: lines - 2) + "}\n"
        }
        #expect(count(.functionsAreShort, function(70), at: domain) == 0)
        #expect(count(.functionsAreShort, function(71), at: domain) == 1)
        #expect(count(.linesAreShort, String(repeating: "ü", count: 100), at: domain) == 0)
        #expect(count(.linesAreShort, String(repeating: "a", count: 101), at: "a/b.py") == 1)
    }
}

@Suite("Exceptions")
struct ExceptionTests {
    private let file = SourceFile(
        path: "Sources/Domain/A.swift", text: "import B\nimport B\nimport C\n")

    private func failures(
        _ measure: Rule.Measure = .count, _ exceptions: Exception...
    ) -> [String] {
        let rule = Rule(
            name: "no B", measure: measure, covers: { _ in true }, exceptions: exceptions,
            find: { file in
                Import.all(in: file).filter { $0.module == "B" }.map {
                    Finding(line: $0.line, subject: "B", size: $0.line, said: "imports B")
                }
            })
        return rule.failures(in: [file])
    }

    private func exception(_ allowance: Int, of subject: String = "B") -> Exception {
        Exception(
            path: file.path, subject: subject, allowance: allowance, because: "this is a test")
    }

    @Test("A failure names file, line and rule")
    func named() {
        #expect(
            failures() == [
                "Sources/Domain/A.swift:1: imports B · rule: no B",
                "Sources/Domain/A.swift:2: imports B · rule: no B",
            ])
    }

    @Test("An exception of the right size covers what it names, by sum or by the largest")
    func covered() {
        #expect(failures(.count, exception(3)).isEmpty)
        #expect(failures(.size, exception(2)).isEmpty)
    }

    @Test("More than the exception allows is a failure")
    func exceeded() {
        #expect(failures(.count, exception(2)).count == 2)
        #expect(failures(.size, exception(1)).count == 2)
    }

    @Test("An exception may only shrink: one larger than needed, or for nothing, is a failure")
    func stale() {
        #expect(
            failures(.count, exception(4)) == [
                "Sources/Domain/A.swift: the exception of B allows 4; it needs 3 · rule: no B"
            ])
        #expect(
            failures(.size, exception(2), exception(1, of: "C")) == [
                "Sources/Domain/A.swift: the exception of C allows 1; remove it · rule: no B"
            ])
    }
}

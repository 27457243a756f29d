import Testing

/// `import` as it stands in a file: with its attributes, since `@_spi` makes it another import.
struct Import: Equatable, Sendable {
    let line: Int
    let module: String
    /// Such as `@_spi(_Unicode) Swift`; without attributes the same as the module.
    let spelling: String

    static func all(in file: SourceFile) -> [Import] {
        let pattern =
            #/
            ^\s* (?<attributes> (?: @\w+ (?:\([^)]*\))? \s+ )*)
            (?: (?:package|internal|private|fileprivate|public) \s+ )?
            import \s+ (?: (?:struct|class|enum|protocol|typealias|func|var|let) \s+ )?
            (?<module> \w+)
            /#
        return file.scan.code.enumerated().compactMap { index, line in
            guard line.contains("import "), let match = line.firstMatch(of: pattern) else {
                return nil
            }
            return Import(
                line: index + 1, module: String(match.module),
                spelling: "\(match.attributes)\(match.module)")
        }
    }
}

extension Rule {
    /// A rule about imports; what it finds is the import, and an exception names it as spelt.
    private static func imports(
        _ name: String, in covers: @escaping @Sendable (_ path: String) -> Bool,
        exceptions: [Exception] = [], forbid: @escaping @Sendable (_ module: String) -> Bool
    ) -> Rule {
        Rule(name: name, covers: covers, exceptions: exceptions) { file in
            Import.all(in: file).filter { forbid($0.module) }.map {
                Finding(line: $0.line, subject: $0.spelling, said: "imports \($0.spelling)")
            }
        }
    }

    static let domainImportsNothing = imports(
        "Domain imports nothing",
        in: { $0.hasPrefix("Sources/Domain/") },
        exceptions: [
            Exception(
                path: "Sources/Domain/Text.swift", subject: "@_spi(_Unicode) Swift",
                because: "the standard library has the normal form C, but not as API")
        ],
        forbid: { _ in true })

    /// What drivers, hashes, locks and threads need; nothing of HTTP, NIO or Foundation, so that
    /// the tests of Domain and Store build in seconds.
    private static let storeModules: Set<String> = [
        "CLinux", "CPostgres", "CSQLite", "Crypto", "Dispatch", "Domain", "Glibc",
        "Synchronization",
    ]

    static let storeImportsLittle = imports(
        "Store imports only \(storeModules.sorted().joined(separator: ", "))",
        in: { $0.hasPrefix("Sources/Store/") },
        forbid: { !storeModules.contains($0) })

    static let sqliteStaysInItsDriver = imports(
        "CSQLite is imported only under Sources/Store/SQLite",
        in: { $0.hasPrefix("Sources/") && !$0.hasPrefix("Sources/Store/SQLite/") },
        forbid: { $0 == "CSQLite" })

    static let libpqStaysInItsDriver = imports(
        "CPostgres is imported only under Sources/Store/Postgres",
        in: { $0.hasPrefix("Sources/") && !$0.hasPrefix("Sources/Store/Postgres/") },
        forbid: { $0 == "CPostgres" })

    static let hummingbirdStaysInHTTP = imports(
        "Hummingbird is imported only under Sources/Appliance/HTTP",
        in: { $0.hasPrefix("Sources/") && !$0.hasPrefix("Sources/Appliance/HTTP/") },
        forbid: { $0.hasPrefix("Hummingbird") })

    static let noFoundation = imports(
        "Foundation is imported nowhere: on Linux it brings the data of ICU into the binary",
        in: { $0.hasPrefix("Sources/") },
        forbid: { $0.hasPrefix("Foundation") })
}

@Suite("Imports")
struct Imports {
    @Test("Domain imports nothing")
    func domain() throws { try expectHeld(.domainImportsNothing) }

    @Test("Store imports its library, its locks and nothing of HTTP")
    func store() throws { try expectHeld(.storeImportsLittle) }

    @Test("The C library of SQLite is imported by its driver alone")
    func sqlite() throws { try expectHeld(.sqliteStaysInItsDriver) }

    @Test("The C library of PostgreSQL is imported by its driver alone")
    func postgres() throws { try expectHeld(.libpqStaysInItsDriver) }

    @Test("The HTTP framework is imported by the HTTP layer alone")
    func hummingbird() throws { try expectHeld(.hummingbirdStaysInHTTP) }

    @Test("Foundation is imported nowhere")
    func foundation() throws { try expectHeld(.noFoundation) }
}

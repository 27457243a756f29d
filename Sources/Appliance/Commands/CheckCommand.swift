import ArgumentParser
import CLinux
import Domain
import Glibc
import Store

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Look an installation over; each finding comes with a remedy.",
        discussion: """
            Changes nothing, and works beside a running daemon. Exits 0 when there is nothing to \
            mend, 1 when there is, 65 when the store is damaged.
            """)

    @OptionGroup var installation: InstallationOptions

    @Flag(help: "Print the findings as JSON.")
    var json = false

    func run() async throws {
        try await orRefuse {
            let configuration = try installation.configuration()
            let findings = try Findings(configuration).all
            if json {
                var writer = JSONWriter()
                writer.object { json in
                    json.member("findings") { json in
                        json.array(findings) { json, finding in
                            json.object { json in
                                json.member("what", finding.what)
                                json.member("remedy", finding.remedy)
                            }
                        }
                    }
                }
                print(String(decoding: writer.bytes, as: UTF8.self))
            } else if findings.isEmpty {
                print("Nothing to mend.")
            } else {
                for finding in findings { print("\(finding.what)\n  → \(finding.remedy)") }
            }
            if findings.contains(where: \.isDamage) { throw ExitCode(65) }
            if !findings.isEmpty { throw ExitCode(1) }
        }
    }
}

/// What is wrong with an installation. Reads only; works beside a running daemon.
private struct Findings {
    struct Finding {
        let what: String
        let remedy: String
        var isDamage = false
    }

    private(set) var all: [Finding] = []

    private static let freeBytesMin: Int64 = 256 * 1024 * 1024

    init(_ configuration: Configuration) throws {
        let directory = configuration.dataDirectory
        for finding in TLSFindings(configuration, at: WallClock.system.now()).all {
            add(finding.what, finding.remedy)
        }
        guard SafeFile.exists(configuration.storeFile) else {
            add("There is no store at \(configuration.storeFile).", "Run: gatehouse serve")
            return
        }
        checkModes(configuration)
        let free = gatehouse_free_bytes(directory)
        if free >= 0, free < Self.freeBytesMin {
            add("Less than 256 MiB are free where the store is.", "Free space on that disk.")
        }
        if Int64(WallClock.system.now().milliseconds) < 1_767_225_600_000 {
            add("The machine's clock is before 2026.", "Set it; tokens and quotas depend on it.")
        }
        let inspection = try SQLiteInspection(file: configuration.storeFile)
        if inspection.schemaVersion < SQLiteSchema.current {
            add("The store's schema is older than this program.", "Run: gatehouse migrate")
        }
        for damage in try inspection.damage() {
            all.append(
                Finding(
                    what: "The store is damaged: \(damage)",
                    remedy: "Stop the daemon and restore a backup.", isDamage: true))
        }
    }

    private mutating func add(_ what: String, _ remedy: String) {
        all.append(Finding(what: what, remedy: remedy))
    }

    private mutating func checkModes(_ configuration: Configuration) {
        let store = configuration.storeFile
        let secrets = [
            store, store + "-wal", configuration.dataDirectory + "/signing-keys.json",
            configuration.dataDirectory + "/sealing-keys.json",
            configuration.dataDirectory + "/setup-token",
        ]
        for path in secrets {
            var about = stat()
            guard stat(path, &about) == 0, about.st_mode & 0o077 != 0 else { continue }
            add("\(path) can be read by others.", "Run: chmod 600 \(path)")
        }
    }
}

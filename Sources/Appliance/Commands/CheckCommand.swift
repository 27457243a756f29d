import ArgumentParser
import Domain
import Store

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Look an installation over; each finding comes with a remedy.",
        discussion: """
            Changes nothing, and works beside a running daemon. Exits 0 when there is nothing to \
            mend (a note is none), 1 when there is, 65 when the store is damaged.
            """)

    @OptionGroup var installation: InstallationOptions

    @Flag(help: "Print the findings as JSON.")
    var json = false

    func run() async throws {
        try await orRefuse {
            let configuration = try installation.configuration()
            let now = WallClock.system.now()
            let findings =
                try Examination(configuration, at: now).findings
                + (await RedisFindings.all(configuration))
                + (try await NodeFindings.all(configuration, at: now))
            if json {
                print(Self.encoded(findings))
            } else {
                for finding in findings {
                    let mark = finding.severity == .note ? "note: " : ""
                    print("\(mark)\(finding.what)\n  → \(finding.remedy)")
                }
                if findings.allSatisfy({ $0.severity == .note }) { print("Nothing to mend.") }
            }
            if findings.contains(where: { $0.severity == .damage }) { throw ExitCode(65) }
            if findings.contains(where: { $0.severity == .fault }) { throw ExitCode(1) }
        }
    }

    private static func encoded(_ findings: [Examination.Finding]) -> String {
        var writer = JSONWriter()
        writer.object { json in
            json.member("findings") { json in
                json.array(findings) { json, finding in
                    json.object { json in
                        json.member("severity", finding.severity.rawValue)
                        json.member("what", finding.what)
                        json.member("remedy", finding.remedy)
                    }
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

import ArgumentParser
import Domain
import Glibc
import Store

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Make a backup, whether the daemon runs or not.",
        discussion: """
            One file with the store, the counts, the signing keys and the configuration file. It \
            has its name only once it is on the disk and was read back whole.
            """)

    @OptionGroup var installation: InstallationOptions

    @Option(
        help: ArgumentHelp(
            "A folder, or the file to write (default: backup.directory).", valueName: "path"),
        completion: .file())
    var to: String?

    @Option(
        help: ArgumentHelp(
            "Encrypt with the key in this file: 32 random bytes or more.", valueName: "file"),
        completion: .file())
    var encryptToKey: String?

    @Flag(help: "Print the result as JSON.")
    var json = false

    func run() async throws {
        try await orRefuse {
            let configuration = try installation.configuration()
            let order = BackupOrder(target: to, keyFile: encryptToKey)
            let line = ProgressLine()
            line.show("making a backup …")
            defer { line.clear() }
            // The daemon owns the store, so it makes the backup.
            let control = ControlClient(
                path: ControlListener.path(in: configuration.dataDirectory))
            let made: JSON
            if let answer = control.post("/control/backups", order.json) {
                made = try Self.made(in: answer)
            } else {
                made = try Self.make(order, configuration)
            }
            line.clear()
            print(json ? made.encoded : Self.sentence(of: made))
        }
    }

    private static func make(_ order: BackupOrder, _ configuration: Configuration) throws -> JSON {
        umask(0o077)
        let store = try StoppedStore(file: configuration.storeFile)
        defer { store.close() }
        let making = BackupMaking(configuration, isStopped: true)
        defer { making.clear() }
        try making.prepare()
        try store.copy(to: making.copyPath)
        return try making.finish(order, configuration, at: WallClock.system.now())
    }

    private static func made(in answer: ControlClient.Answer) throws -> JSON {
        let json = (try? JSONParser.parse(answer.body)) ?? .null
        if answer.status == 201 { return json }
        var line = "The daemon answered \(answer.status)."
        if case .string(let detail)? = json["detail"] { line = detail }
        var code = CommandRefusal.Code.failed
        if case .integer(let number)? = json["exit_code"] {
            code = Int32(exactly: number).flatMap { .init(rawValue: $0) } ?? .failed
        }
        throw CommandRefusal(code, line)
    }

    private static func sentence(of made: JSON) -> String {
        var path = ""
        if case .string(let text)? = made["path"] { path = text }
        let sealed = made["encrypted"] == .bool(true) ? ", encrypted" : ""
        return "Backed up to \(path) (\(made["rows"]?.encoded ?? "0") rows, "
            + "\(made["bytes"]?.encoded ?? "0") bytes\(sealed))."
    }
}

/// What a person at a terminal sees while they wait; nothing in a pipe.
final class ProgressLine {
    private let isShown = isatty(2) == 1
    private var last = ""

    func show(_ text: String) {
        guard isShown, text != last else { return }
        last = text
        put("\r\u{1B}[K\(text)")
    }

    /// For `BackupFile.Progress`.
    func show(_ what: String, _ done: Int64, of all: Int64) {
        show("\(what) … \(all > 0 ? done * 100 / all : 100) %")
    }

    func clear() {
        guard isShown, !last.isEmpty else { return }
        last = ""
        put("\r\u{1B}[K")
    }

    private func put(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(2, bytes, bytes.count)
    }
}

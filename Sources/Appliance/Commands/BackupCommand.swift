import ArgumentParser
import Domain
import Glibc
import Store
import Synchronization

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
            try configuration.requireSQLite("backup")
            let order = BackupOrder(target: to, keyFile: encryptToKey)
            let bar = ProgressBar()
            defer { bar.clear() }
            // The daemon owns the store, so it makes the backup.
            let control = ControlClient(
                path: ControlListener.path(in: configuration.dataDirectory))
            let made: JSON
            if let answer = await Self.post(order, control, bar) {
                made = try Self.made(in: answer)
            } else {
                made = try Self.make(order, configuration, bar)
            }
            bar.clear()
            print(json ? made.encoded : Self.sentence(of: made))
        }
    }

    /// What the daemon answers in the end; nil when there is none. It is asked how far it is while
    /// it works.
    private static func post(
        _ order: BackupOrder, _ control: ControlClient, _ bar: ProgressBar
    ) async -> ControlClient.Answer? {
        let isDone = Signal()
        return await withTaskGroup(of: ControlClient.Answer?.self) { tasks in
            tasks.addTask {
                defer { isDone.raise() }
                return control.post("/control/backups", order.json)
            }
            let pause = Duration.milliseconds(200)
            while bar.isShown, !isDone.isRaised {
                do { try await Task.sleep(for: pause) } catch { break }
                if let answer = control.get("/control/backups") { show(answer, bar) }
            }
            return await tasks.next() ?? nil
        }
    }

    private final class Signal: Sendable {
        private let value = Atomic(false)

        func raise() { value.store(true, ordering: .releasing) }

        var isRaised: Bool { value.load(ordering: .acquiring) }
    }

    private static func show(_ answer: ControlClient.Answer, _ bar: ProgressBar) {
        guard let json = try? JSONParser.parse(answer.body), json["running"] == .bool(true),
            case .string(let stage)? = json["stage"], case .integer(let done)? = json["done"],
            case .integer(let all)? = json["all"]
        else { return }
        bar.show(stage, done, of: all)
    }

    private static func make(
        _ order: BackupOrder, _ configuration: Configuration, _ bar: ProgressBar
    ) throws -> JSON {
        umask(0o077)
        let store = try StoppedStore(file: configuration.storeFile)
        defer { store.close() }
        let now = WallClock.system.now()
        let path = try order.path(configuration, at: now)
        try order.requireRoom(configuration, for: path)
        let making = BackupMaking(configuration, isStopped: true)
        defer { making.clear() }
        try making.prepare()
        try store.copy(to: making.copyPath) { bar.show(.copying, $0, $1) }
        let made = try making.finish(order, to: path, configuration, at: now) {
            bar.show($0, $1, $2)
        }
        try store.note(made.event(by: .shell), at: now)
        return made.json
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

import ArgumentParser
import Domain
import Glibc
import Logging
import Store

/// Where an installation is: what every command can be told.
struct InstallationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The configuration file.",
            discussion: """
                The default is ./config/gatehouse.yaml if it is there, then \
                /etc/gatehouse/gatehouse.yaml, else the built-in defaults.
                """, valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "Where the store, signing keys and mailbox are.",
            discussion: """
                The default is ./data, or /var/lib/gatehouse with /etc/gatehouse/gatehouse.yaml.
                """, valueName: "folder"),
        completion: .directory)
    var dataDir: String?

    func configuration() throws -> Configuration {
        var configuration: Configuration
        do {
            configuration = try ConfigurationLoader.load(
                file: config, environment: Machine.environment)
        } catch {
            throw CommandRefusal(.configuration, "\(error)")
        }
        if let dataDir { configuration.dataDirectory = dataDir }
        try DataOwner.become(ownerOf: configuration.dataDirectory)
        return configuration
    }
}

/// A command that could not do its work: one line, and the exit code that scripts look at.
struct CommandRefusal: Error {
    /// sysexits.h, as far as the contract uses it.
    enum Code: Int32 {
        case failed = 1
        case damaged = 65
        case inUse = 69
        case cannotCreate = 73
        case configuration = 78
    }

    let code: Code
    let line: String

    init(_ code: Code, _ line: String) {
        self.code = code
        self.line = line
    }

    init(_ refusal: StoreRefusal) {
        line = refusal.description
        code =
            switch refusal {
            case .inUse, .unreachable: .inUse
            case .damaged, .newerSchema: .damaged
            case .cannotCreate: .cannotCreate
            case .unsuitable: .failed
            }
    }

    init(_ failure: BackupFailure) {
        line = failure.description
        code =
            switch failure {
            case .damaged: .damaged
            case .cannotCreate: .cannotCreate
            case .key, .failed: .failed
            }
    }

    init(_ problem: Problem) {
        let reasons = problem.errors.map { "\($0.field): \($0.message)" }
        code = .failed
        line = ([problem.cause ?? problem.detail] + reasons).joined(separator: " ")
    }
}

extension CommandRefusal {
    /// Nil for an error that is no refusal, such as wrong usage.
    init?(_ error: any Error) {
        switch error {
        case let refusal as CommandRefusal: self = refusal
        case let refusal as StoreRefusal: self.init(refusal)
        case let failure as BackupFailure: self.init(failure)
        case let problem as Problem: self.init(problem)
        case let failure as TLSPair.Failure: self.init(.configuration, failure.reason)
        case let failure as UnusableAuthorities: self.init(.configuration, failure.reason)
        case let failure as UnusableSecret: self.init(.configuration, failure.reason)
        case let failure as SafeFile.Failure: self.init(.cannotCreate, failure.reason)
        case let failure as InheritedSockets.Failure: self.init(.configuration, failure.reason)
        default: return nil
        }
    }
}

/// Runs a command's body and ends the process with the right code and one line on standard error.
func orRefuse<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
        return try await body()
    } catch {
        guard let refusal = CommandRefusal(error) else { throw error }
        throw report(refusal)
    }
}

private func report(_ refusal: CommandRefusal) -> ExitCode {
    printError("gatehouse: \(refusal.line)")
    return ExitCode(refusal.code.rawValue)
}

func printError(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = write(2, bytes, bytes.count)
}

extension Configuration {
    /// The SQLite file that `store.url` names; a relative path that begins with `data/` is in the
    /// data directory. Empty, and so no file, for a store on PostgreSQL.
    var storeFile: String {
        isOnPostgres ? "" : inDataDirectory(String(store.url.dropFirst("sqlite:".count)))
    }

    var isOnPostgres: Bool { store.url.hasPrefix("postgres") }

    /// For what PostgreSQL's own tools do there.
    func requireSQLite(_ command: String) throws(CommandRefusal) {
        guard isOnPostgres else { return }
        throw CommandRefusal(
            .failed,
            "The store is on PostgreSQL, where \(command) has nothing to do: back it up with "
                + "pg_dump, and the data directory with it.")
    }

    var backupDirectory: String { inDataDirectory(backup.directory) }

    private func inDataDirectory(_ path: String) -> String {
        path.hasPrefix("data/") ? dataDirectory + path.dropFirst(4) : path
    }

    /// For this process alone, on a server too, since what it counts and caches is its own; or
    /// beside the other nodes of an installation.
    ///
    /// - Parameter serves: false for a command, which no node has to wait for.
    func openStore(migrates: Bool = true, serves: Bool = false) throws -> any Database {
        try SafeFile.makeDirectory(dataDirectory)
        guard !isOnPostgres else {
            let node = isShared && serves ? try NodeName.kept(in: dataDirectory) : nil
            return try PostgresStore(
                url: store.url, passwordFile: store.passwordFile, readerCount: store.readers,
                writerQueue: store.writerQueue, migrates: migrates,
                hold: isShared ? .shared(node) : .alone)
        }
        return try SQLiteStore(
            file: storeFile, readerCount: store.readers, writerQueue: store.writerQueue,
            migrates: migrates,
            beforeMigrating: { migrating throws(StoreRefusal) in
                guard backup.beforeMigration else { return }
                try backUp(before: migrating, at: WallClock.system.now())
            })
    }

    var logLevel: Logger.Level { Logger.Level(rawValue: log.level) ?? .info }

    /// - Parameter faults: who is told of each error.
    func logger(faults: FaultReporter? = nil) -> Logger {
        LogThreshold.shared.set(logLevel)
        let isJournaled = JournalStream.isBehind(1, environment: Machine.environment)
        return Logger(label: "gatehouse") { _ in
            JSONLogHandler(isJournaled: isJournaled, faults: faults)
        }
    }
}

import Domain
import Store

/// A backup restored for trial.
enum Drill {
    /// Restores it into a folder as `restore` does it, and opens the store as `serve` does; that
    /// brings its schema up to date too. The folder is not there yet; the caller removes it.
    ///
    /// - Parameter isPaced: whether a store is served from the same disk meanwhile.
    /// - Throws: `BackupFailure`, `StoreRefusal`: what is wrong with the backup, or the key.
    static func run(
        _ path: String, key: BackupKey?, in folder: String, isPaced: Bool = false,
        progress: BackupFile.Progress = { _, _ in }
    ) throws -> BackupManifest {
        try SafeFile.makeDirectory(folder)
        let file = folder + "/gatehouse.db"
        let restored = try Restore(
            of: path, key: key, store: file, dataDirectory: folder, aside: "replaced",
            isPaced: isPaced, progress: progress)
        let store = try SQLiteStore(file: file)
        store.close()
        return restored.manifest
    }
}

/// What became of a drill, as the store keeps it.
struct DrillResult: Equatable, Sendable {
    let at: Timestamp
    /// The backup's name.
    let name: String
    /// Nil when it was restored; else why not.
    let failure: String?
    let took: Duration
    /// How old the backup was.
    let age: Duration

    var json: JSON {
        .object([
            JSON.Member("at", .string(at.description)), JSON.Member("name", .string(name)),
            JSON.Member("ok", .bool(failure == nil)), JSON.Member("failure", .text(failure)),
            JSON.Member("milliseconds", .integer(took.wholeMilliseconds)),
            JSON.Member("age_seconds", .integer(age.wholeMilliseconds / 1000)),
        ])
    }
}

extension DrillResult {
    init?(_ json: JSON) {
        guard case .string(let moment)? = json["at"], let at = Timestamp(moment),
            case .string(let name)? = json["name"],
            case .integer(let milliseconds)? = json["milliseconds"],
            case .integer(let seconds)? = json["age_seconds"]
        else { return nil }
        var failure: String?
        if case .string(let text)? = json["failure"] { failure = text }
        self.init(
            at: at, name: name, failure: failure, took: .milliseconds(milliseconds),
            age: .seconds(seconds))
    }
}

/// The last drills, the newest first, in one value of the `installation` table.
enum DrillLog {
    static let name = "drills"
    /// A month of nights.
    private static let most = 30

    static func read(_ text: String?) -> [DrillResult] {
        guard let text, case .array(let entries)? = try? JSONParser.parse(Array(text.utf8)) else {
            return []
        }
        return entries.compactMap { DrillResult($0) }
    }

    static func add(_ result: DrillResult, _ db: any Connection) throws(Problem) {
        let all = [result] + read(try db.installation.value(name))
        try db.installation.set(name, JSON.array(all.prefix(most).map(\.json)).encoded)
    }

    /// What the last drill of each backup said.
    static func latest(_ results: [DrillResult]) -> [String: DrillResult] {
        Dictionary(results.map { ($0.name, $0) }, uniquingKeysWith: { newer, _ in newer })
    }
}

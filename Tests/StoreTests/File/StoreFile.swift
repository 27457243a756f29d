import Support

@testable import Store

/// Where a store is or will be, in a folder of its own, for tests that open it themselves.
struct StoreFile {
    let folder: TemporaryFolder
    var path: String { "\(folder.path)/gatehouse.db" }
    var file: TestFile { TestFile(path: path) }
    var log: TestFile { TestFile(path: path + "-wal") }

    init() throws { folder = try TemporaryFolder() }

    /// Makes the store and closes it.
    func create() throws { try SQLiteStore(file: path).close() }

    /// Makes a store as it was after the first `version` migrations.
    func create(version: Int) throws {
        let connection = try SQLiteFile.openWriter(path)
        for migration in Migration.all.prefix(version) {
            for statement in migration.statements { try connection.run(statement) }
        }
        try connection.run("PRAGMA user_version = \(version)")
    }

    /// Runs statements on the bare file, as another program would.
    func run(_ statements: String...) throws {
        let connection = try SQLiteConnection(path: path, access: .writer)
        for statement in statements { try connection.run(statement) }
    }

    /// Why the store is not opened; nil when it is (and closed again).
    func refusal(migrates: Bool = true) -> StoreRefusal? {
        do throws(StoreRefusal) {
            try SQLiteStore(file: path, migrates: migrates).close()
            return nil
        } catch {
            return error
        }
    }
}

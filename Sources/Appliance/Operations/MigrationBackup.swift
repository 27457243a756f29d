import Domain
import Store

extension Configuration {
    /// The way back from a migration: an older program does not open what a newer one has changed.
    /// The counter file is that of a process that has ended.
    ///
    /// - Throws: `cannotCreate` when there is no room; nothing is changed then.
    func backUp(
        before migrating: SQLiteMigrating, at now: Timestamp
    ) throws(StoreRefusal) {
        do {
            var order = BackupOrder()
            order.beforeSchema = migrating.to
            let path = try order.path(self, at: now)
            try order.requireRoom(
                self, for: path,
                remedy: "The migration was not begun. Make room, or go on without one: "
                    + "GATEHOUSE_BACKUP_BEFORE_MIGRATION=false.")
            let making = BackupMaking(self, isStopped: true)
            defer { making.clear() }
            try making.prepare()
            let bar = ProgressBar()
            defer { bar.clear() }
            try migrating.copy(to: making.copyPath) { bar.show(.copying, $0, $1) }
            let made = try making.finish(order, to: path, self, at: now) { bar.show($0, $1, $2) }
            try migrating.note(made.event(by: .system), at: now)
            try removeSurplus(before: migrating.to)
        } catch {
            throw Self.refusal(of: error)
        }
    }

    /// A migration that fails is tried at each start, and each makes a backup of the same store.
    private static let beforeMigrationMax = 3

    private func removeSurplus(before schema: Int) throws(BackupFailure) {
        let folder = BackupFolder(Machine.absolute(backupDirectory))
        let same = folder.names().compactMap { BackupName($0) }.filter {
            $0.beforeSchema == schema
        }
        for name in same.sorted(by: { $0.madeAt > $1.madeAt }).dropFirst(Self.beforeMigrationMax) {
            try folder.delete(name)
        }
    }

    private static func refusal(of error: any Error) -> StoreRefusal {
        guard let refusal = CommandRefusal(error) else { return .unsuitable("\(error)") }
        return refusal.code == .cannotCreate
            ? .cannotCreate(refusal.line) : .unsuitable(refusal.line)
    }
}

import Domain

/// A backup that takes the place of an installation.
package struct Restore {
    package let manifest: BackupManifest
    /// Where what was there is now; nil when there was nothing.
    package let aside: String?

    /// Verifies the backup beside the store, swaps, opens the store and looks at it.
    ///
    /// - Parameters:
    ///   - dataDirectory: is there, as is the store's folder.
    ///   - aside: name of the folder for what was there.
    ///   - isPaced: whether a store is served from the same disk meanwhile.
    ///   - now: when, for the audit log of the restored store; nil for a rehearsal.
    ///   - step: a seam for tests: called before each step of the swap, may throw in its place.
    /// - Throws: `StoreRefusal.inUse` while a daemon holds the store; `BackupFailure`.
    package init(
        of backup: String, key: BackupKey?, store: String, dataDirectory: String, aside: String,
        isPaced: Bool = false, at now: Timestamp? = nil,
        progress: BackupFile.Progress = { _, _ in },
        step: () throws(BackupFailure) -> Void = {}
    ) throws {
        try SQLiteFile.checkLibrary()
        let lock = try InstallationLock(for: store)
        defer { lock.release() }
        // An earlier one that was decided comes first: its new state is what is set aside now.
        _ = try RestoreSwap.finish(store: store)
        let staging = RestoreSwap.staging(for: store)
        manifest = try BackupCheck.unpack(
            backup, key: key, into: staging, isPaced: isPaced, progress: progress)
        if let now {
            // Before the swap: killed at any moment, a store that is restored says so.
            try SQLiteCopy.note(
                Self.event(backup, manifest), at: now,
                in: "\(staging)/\(BackupManifest.PartName.store.rawValue)")
        }
        let swap = RestoreSwap(
            store: store, dataDirectory: dataDirectory, parts: manifest.parts.map(\.name),
            aside: aside)
        try swap.perform(step: step)
        self.aside = swap.asidePath
        let restored = try SQLiteFile.openWriter(store)
        guard try SQLiteSchema.version(of: restored) == manifest.schema else {
            throw BackupFailure.failed("\(store) was restored, but does not open as it should.")
        }
    }

    private static func event(_ backup: String, _ manifest: BackupManifest) -> AuditEvent {
        AuditEvent(
            action: "backup.restored", actor: .shell, target: "backup:\(Folder.name(of: backup))",
            meta: .object([
                JSON.Member("made_at", .string(manifest.createdAt.description)),
                JSON.Member("schema", .integer(Int64(manifest.schema))),
            ]))
    }
}

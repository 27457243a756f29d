/// What a backup that is being made is at, in this order.
package enum BackupStage: String, CaseIterable, Sendable {
    case copying, checking, hashing, writing, verifying
}

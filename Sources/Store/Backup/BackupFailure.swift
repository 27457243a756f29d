/// Why a backup was not made, not read or not restored; each text is a line for an operator.
package enum BackupFailure: Error, Equatable, CustomStringConvertible {
    /// The file is not what was written, or never was a backup.
    case damaged(String)
    /// It is encrypted, and the right key was not given.
    case key(String)
    case cannotCreate(String)
    /// It cannot be read, or the system failed.
    case failed(String)

    package var description: String {
        switch self {
        case .damaged(let text), .key(let text), .cannotCreate(let text), .failed(let text): text
        }
    }

    /// It says nothing of the backup: there was no place to put it.
    package var isForWantOfRoom: Bool { if case .cannotCreate = self { true } else { false } }

    /// The same of a store that was not opened or not whole.
    package init(_ refusal: StoreRefusal) {
        self =
            switch refusal {
            case .damaged(let text), .newerSchema(let text): .damaged(text)
            case .cannotCreate(let text): .cannotCreate(text)
            case .inUse(let text), .unsuitable(let text), .unreachable(let text): .failed(text)
            }
    }
}

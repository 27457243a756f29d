import Glibc
import Synchronization

/// One process owns an installation: an exclusive lock on a file beside the store, held for as long
/// as it is open, freed by the kernel however the process ends.
///
/// It is not a lock on the database itself: opening and closing that file drops SQLite's own locks
/// (sqlite.md 6).
final class InstallationLock: Sendable {
    private let descriptor: Mutex<Int32?>

    init(for store: String) throws(StoreRefusal) {
        let path = store + ".lock"
        let opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard opened >= 0 else {
            throw .cannotCreate("Cannot create \(path): \(String(cString: strerror(errno))).")
        }
        guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
            var text = [UInt8](repeating: 0, count: 32)
            let count = max(0, pread(opened, &text, text.count, 0))
            let owner = String(decoding: text.prefix(count).prefix { $0 != 10 }, as: UTF8.self)
            Glibc.close(opened)
            throw .inUse("The store \(store) is in use by process \(owner).")
        }
        let owner = Array("\(getpid())\n".utf8)
        ftruncate(opened, 0)
        pwrite(opened, owner, owner.count, 0)
        descriptor = Mutex(opened)
    }

    func release() {
        descriptor.withLock { held in
            if let held {
                // A process being spawned elsewhere has this descriptor too until it runs its own
                // program: closing ours alone would leave the lock with it for that moment.
                flock(held, LOCK_UN)
                Glibc.close(held)
            }
            held = nil
        }
    }

    deinit { release() }
}

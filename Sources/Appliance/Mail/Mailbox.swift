import Domain
import Store

/// Mails as `.eml` files in a folder: what a newcomer and the tests read, until a mail server is
/// configured. Written by a thread of its own, since each file is synced.
final class Mailbox: Sendable {
    private let directory: String
    private let writer: WorkerPool

    private static let queueMax = 1000

    init(directory: String) throws(StoreRefusal) {
        self.directory = directory
        writer = try WorkerPool(name: "mail", threads: 1, queue: Self.queueMax)
    }

    /// Writes what is queued; blocks until it lies there.
    func close() { writer.close() }

    /// Returns when the mail lies in the folder. One that is delivered again has the same name.
    func deliver(_ message: MailMessage) async throws(MailFailure) {
        let outcome = await writer.run { [directory] () -> MailFailure? in
            do throws(SafeFile.Failure) {
                try SafeFile.makeDirectory(directory)
                try SafeFile.write(message.bytes, to: "\(directory)/\(message.fileName)")
                return nil
            } catch {
                return .later(error.reason)
            }
        }
        switch outcome {
        case .done(nil): return
        case .done(let failure?): throw failure
        case .full: throw .later("\(Self.queueMax) mails are waiting to be written")
        }
    }
}

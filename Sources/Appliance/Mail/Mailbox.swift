import Domain
import Logging
import Store

/// Mails as `.eml` files in a folder: what a newcomer and the tests read, until a mail server is
/// configured. Written by a thread of its own, since each file is synced.
final class Mailbox: Sendable {
    private let directory: String
    private let sender: String
    private let writer: WorkerPool

    private static let queueMax = 1000

    init(directory: String, from sender: String) throws(StoreRefusal) {
        self.directory = directory
        self.sender = sender
        writer = try WorkerPool(name: "mail", threads: 1, queue: Self.queueMax)
    }

    /// Returns when what was handed over before lies in the folder.
    func flush() async { _ = await writer.run { () -> Bool? in true } }

    /// Writes what is queued; blocks until it lies there.
    func close() { writer.close() }

    /// Hands a letter over and returns at once: an answer that waited for the disk would tell, by
    /// its time, that there was somebody to write to (security E2). `onFailure` hears why a letter
    /// does not lie in the folder.
    func post(
        _ letter: Letter, to address: EmailAddress, at now: Timestamp,
        onFailure: @escaping @Sendable (String) -> Void
    ) {
        let directory = directory
        let message = Self.message(letter, from: sender, to: address, at: now)
        var random = SystemRandomNumberGenerator()
        let name = "\(now)-\(Base62.random(8, using: &random)).eml"
        let isQueued = writer.submit {
            do throws(SafeFile.Failure) {
                try SafeFile.makeDirectory(directory)
                try SafeFile.write(Array(message.utf8), to: "\(directory)/\(name)")
            } catch {
                onFailure(error.reason)
            }
        }
        if !isQueued { onFailure("\(Self.queueMax) mails are waiting to be written") }
    }

    /// RFC 5322 with a plain UTF-8 body. The address is ASCII of known characters, the subject
    /// ours: no header can be injected (security U2).
    private static func message(
        _ letter: Letter, from sender: String, to address: EmailAddress, at now: Timestamp
    ) -> String {
        var random = SystemRandomNumberGenerator()
        let id = Base62.random(24, using: &random)
        let head = [
            "From: \(sender)", "To: \(address)", "Subject: \(letter.subject)",
            "Date: \(CalendarText.date(now)) +0000", "Message-ID: <\(id)@gatehouse>",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit",
            "Auto-Submitted: auto-generated",
        ]
        let body = letter.text.split(separator: "\n", omittingEmptySubsequences: false)
        return (head + [""] + body.map(String.init) + [""]).joined(separator: "\r\n")
    }
}

extension Appliance {
    /// Mail is beside the point of a request: when it fails, the request has still succeeded.
    func mail(_ letter: Letter, to address: EmailAddress, at now: Timestamp) {
        mailbox.post(letter, to: address, at: now) { [logger] failure in
            logger.error("mail could not be delivered", metadata: ["cause": "\(failure)"])
        }
    }
}

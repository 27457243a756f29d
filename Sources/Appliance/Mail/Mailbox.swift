import Domain
import Logging
import Store

/// Mails as `.eml` files in a folder: what a newcomer and the tests read, until a mail server is
/// configured. Written by a thread of its own, since each file is synced.
final class Mailbox: Sendable {
    private let directory: String
    private let sender: String
    private let writer: WorkerPool?

    private static let queueMax = 1000

    init(directory: String, from sender: String) {
        self.directory = directory
        self.sender = sender
        do {
            writer = try WorkerPool(name: "mail", threads: 1, queue: Self.queueMax)
        } catch {
            writer = nil
        }
    }

    func close() { writer?.close() }

    /// Nil when it lies in the folder; else why not.
    func deliver(_ letter: Letter, to address: EmailAddress, at now: Timestamp) async -> String? {
        let directory = directory
        let message = Self.message(letter, from: sender, to: address, at: now)
        var random = SystemRandomNumberGenerator()
        let name = "\(now)-\(Base62.random(8, using: &random)).eml"
        guard let writer else { return "there is no thread to write mails" }
        let outcome = await writer.run { () -> String? in
            do throws(SafeFile.Failure) {
                try SafeFile.makeDirectory(directory)
                try SafeFile.write(Array(message.utf8), to: "\(directory)/\(name)")
                return nil
            } catch {
                return error.reason
            }
        }
        switch outcome {
        case .done(let failure): return failure
        case .full: return "\(Self.queueMax) mails are waiting to be written"
        }
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
            "Date: \(MailDate.text(now))", "Message-ID: <\(id)@gatehouse>", "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit",
            "Auto-Submitted: auto-generated",
        ]
        let body = letter.text.split(separator: "\n", omittingEmptySubsequences: false)
        return (head + [""] + body.map(String.init) + [""]).joined(separator: "\r\n")
    }
}

/// RFC 5322, 3.3: `Mon, 23 Nov 2026 16:52:00 +0000`.
enum MailDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    static func text(_ moment: Timestamp) -> String {
        let number = Window.day.index(of: moment)
        let civil = Civil(day: number)
        // 1970-01-01 was a Thursday.
        let day = days[Int((number % 7 + 7) % 7)]
        let time = moment.description.dropFirst(11).prefix(8)
        return "\(day), \(civil.day) \(months[Int(civil.month) - 1]) \(civil.year) \(time) +0000"
    }
}

extension Appliance {
    /// Mail is beside the point of a request: when it fails, the request has still succeeded.
    func mail(_ letter: Letter, to address: EmailAddress, at now: Timestamp) async {
        guard let failure = await mailbox.deliver(letter, to: address, at: now) else { return }
        logger.error("mail could not be delivered", metadata: ["cause": "\(failure)"])
    }
}

import Domain
import Logging
import Store

/// Mails leave through jobs. A letter is ordered in the transaction of what it tells of, so there
/// is neither without the other, and no answer waits for a mail server or tells by its time that
/// there was somebody to write to (security E2). It is sent at least once: a mail that a killed
/// process had sent and not noted goes out again, as the same mail with the same Message-ID.
extension Appliance {
    /// Links that verify an address or set a password live this long (security T10), from when they
    /// are sent. Longer than a letter waits between two tries, so that its link is not cleaned up
    /// before.
    static let linkTTL: Duration = .seconds(3600)

    /// For the transaction of what the letter tells of.
    func post(
        _ occasion: Occasion, to address: EmailAddress, _ db: any Connection, at now: Timestamp
    ) throws(Problem) {
        try post(MailOrder(to: address, about: try occasion.json(seal)), db, at: now)
    }

    func post(_ order: MailOrder, _ db: any Connection, at now: Timestamp) throws(Problem) {
        try db.jobs.enqueue(.sendMail, order, at: now)
    }

    // MARK: Sending

    /// What a `send_mail` job does.
    func sendMail(_ run: JobRun<MailOrder>) async throws(Problem) -> JobOutcome {
        guard let recipient = run.payload.recipient else { return .done }
        guard let occasion = Occasion(json: run.payload.about, seal) else {
            mails.count("refused")
            return .refused("Another version wrote it, or its link was sealed with another key.")
        }
        guard try await isWorthSending(occasion, run) else {
            mails.count("dropped")
            logger.info("mail dropped: its link was used or replaced", metadata: run.metadata)
            return .done
        }
        let message = try MailMessage(
            Letter(
                occasion, publicURL: configuration.publicURL, service: sender.service,
                at: run.createdAt),
            from: sender, to: recipient, id: "\(run.id)", host: configuration.mailHost,
            at: run.createdAt)
        do throws(MailFailure) {
            try await deliver(message)
            mails.count("sent")
            return .done
        } catch {
            switch error {
            case .later(let reason):
                mails.count("delayed")
                throw Problem(.unavailable, reason)
            case .never(let reason):
                mails.count("refused")
                return .refused(reason)
            }
        }
    }

    private func deliver(_ message: MailMessage) async throws(MailFailure) {
        guard let tracer else { return try await courier.deliver(message) }
        let place = courier.place(configuration)
        try await tracer.span(place.name, place.kind, place.attributes) {
            () throws(MailFailure) in try await self.courier.deliver(message)
        }
    }

    /// While a mail server was away nobody had the link, so its time begins now. One that was used,
    /// replaced or revoked meanwhile is nobody's wish any more.
    private func isWorthSending(
        _ occasion: Occasion, _ run: JobRun<MailOrder>
    ) async throws(Problem) -> Bool {
        guard let token = occasion.token, run.now - run.createdAt > Self.promptly else {
            return true
        }
        let hash = OpaqueToken.hash(of: token)
        let end = run.now + Self.linkTTL
        return try await store.write { db throws(Problem) in
            try db.oneTimeTokens.renew(hash, until: end)
        }
    }

    /// A letter that goes out within this time needs no look at its link.
    private static let promptly: Duration = .seconds(60)
}

extension JobRun {
    fileprivate var metadata: Logger.Metadata { ["job": "\(id)"] }
}

import Domain
import Store
import Synchronization

/// The signing keys of an installation: one signs, retired ones still verify until the last token
/// they signed has run out.
///
/// A process that has its store for itself keeps them in a file. Nodes that share a store keep them
/// there, and each hears of a change after a moment (`reload`). So a new key signs only after
/// `lead`, when every node knows it: no token is strange to a node because it is new.
package final class KeyRing: Sendable {
    private enum Place {
        /// With the store whose audit log tells of a rotation.
        case file(SigningKeyFile, any Database)
        case store(SigningKeyRow)
    }

    /// Within which every node has heard of a new key, though their clocks differ: some ten times
    /// what it takes.
    static let lead: Duration = .seconds(5)

    private let place: Place
    private let algorithm: SigningAlgorithm
    /// How long a retired key is kept: the life of an access token and the clocks' skew.
    private let overlap: Duration
    /// Of the one algorithm: one family is accepted at a time (security T1).
    private let keys = Mutex<[SigningKey]>([])
    /// What is read is taken over before the next change.
    private let turnstile = Turnstile()

    /// Opens the file, or makes it with a first key. A changed algorithm makes a new key and drops
    /// the others.
    ///
    /// - Parameter store: for the audit log; the keys are not in it.
    package init(
        path: String, store: any Database, algorithm: SigningAlgorithm, tokenTTL: Duration,
        now: Timestamp
    ) throws(Problem) {
        let file = SigningKeyFile(path: path)
        place = .file(file, store)
        self.algorithm = algorithm
        overlap = tokenTTL + AccessToken.skew
        var found = try file.read() ?? []
        if !hasActive(found) {
            found = rotated([], to: try SigningKey(algorithm, at: now), at: now)
            try file.write(found)
        }
        take(found)
    }

    /// Keeps them in a store that other nodes use too. It has none before the first `reload`.
    init(row: SigningKeyRow, algorithm: SigningAlgorithm, tokenTTL: Duration) {
        place = .store(row)
        self.algorithm = algorithm
        overlap = tokenTTL + AccessToken.skew
    }

    /// The key that signs.
    package func active(at now: Timestamp) throws(Problem) -> SigningKey {
        // Of two changes in a row the earliest key of all: the second is not known everywhere yet.
        let key = keys.withLock { keys in
            keys.last { key in key.retiredAt.map { now < $0 } ?? false }
                ?? keys.first { $0.retiredAt == nil }
        }
        guard let key else { throw .internal(cause: "there is no active signing key") }
        return key
    }

    /// Nil for an unknown key, and for one that was retired longer ago than its last token lives.
    package func find(_ id: String, at now: Timestamp) -> SigningKey? {
        keys.withLock { $0.first { $0.id == id && isTrusted($0, at: now) } }
    }

    package func jwks(at now: Timestamp) -> JSON {
        let trusted = keys.withLock { $0.filter { isTrusted($0, at: now) } }
        return .object([JSON.Member("keys", .array(trusted.compactMap(\.publicJWK)))])
    }

    // MARK: Changes

    /// Takes over what the store has now, which another node may have changed; makes the first key
    /// where there is none. A file is this process's own: there is nothing to take over.
    package func reload(at now: Timestamp) async throws(Problem) {
        guard case .store(let row) = place else { return }
        try await turnstile.pass { () async throws(Problem) in
            if let found = try await row.read(), hasActive(found) {
                take(found)
                return
            }
            let made = try SigningKey(algorithm, at: now)
            let kept = try await row.change { kept, _ throws(Problem) in
                // Another node may have been faster. Keys of another algorithm are those of nodes
                // that still run with it.
                self.hasActive(kept)
                    ? kept
                    : self.rotated(kept, to: made, at: now) + kept.filter { !self.isOurs($0) }
            }
            take(kept)
        }
    }

    /// A new key signs from now on, or once every node knows it. It is kept before it is used: a
    /// crash in between forgets no key that has signed. The audit log tells of it.
    package func rotate(
        by actor: AuditEvent.Actor, from origin: Origin? = nil, at now: Timestamp
    ) async throws(Problem) {
        _ = try await rotate(by: actor, from: origin, at: now) { _ in true }
    }

    /// Rotates when the active key is older than `age`.
    package func rotateIfDue(age: Duration, at now: Timestamp) async throws(Problem) -> Bool {
        try await rotate(by: .system, from: nil, at: now) { now - $0.createdAt >= age }
    }

    /// - Parameter isDue: asked of the newest key, and in a store once more where no other node
    ///   rotates meanwhile.
    private func rotate(
        by actor: AuditEvent.Actor, from origin: Origin?, at now: Timestamp,
        if isDue: @escaping @Sendable (SigningKey) -> Bool
    ) async throws(Problem) -> Bool {
        try await turnstile.pass { () async throws(Problem) in
            let before = keys.withLock { $0 }
            guard before.first.map(isDue) ?? true else { return false }
            let made = try SigningKey(algorithm, at: now)
            let after: [SigningKey]
            switch place {
            case .file(let file, let store):
                after = rotated(before, to: made, at: now)
                let event = Self.event(made, after: before.first, by: actor, from: origin)
                // Row and file cannot be one transaction. The row is durable first, so that no key
                // signs which the log does not name. A kill in between, or a file that cannot be
                // written, leaves the row of a key that never signed: the next rotation's row shows
                // it, as it has the same former key.
                try await store.write { db throws(Problem) in
                    try db.audit.append(event, at: now)
                }
                try file.write(after)
            case .store(let row):
                after = try await row.change { kept, db throws(Problem) in
                    let newest = kept.first { self.isOurs($0) }
                    guard newest.map(isDue) ?? true else { return kept }
                    try db.audit.append(
                        Self.event(made, after: newest, by: actor, from: origin), at: now)
                    return self.rotated(kept, to: made, at: now)
                }
            }
            take(after)
            return after.first?.id == made.id
        }
    }

    /// Which key takes the place of which; nothing that is secret of either.
    private static func event(
        _ made: SigningKey, after former: SigningKey?, by actor: AuditEvent.Actor,
        from origin: Origin?
    ) -> AuditEvent {
        var changes = AuditEvent.Changes()
        changes.note("kid", .text(former?.id), .string(made.id))
        let algorithm = JSON.Member("algorithm", .string(made.algorithm.rawValue))
        return AuditEvent(
            action: "signing_key.rotated", actor: actor, target: "signing_key:\(made.id)",
            meta: .object(changes.members + [algorithm]), requestID: origin?.requestID,
            address: origin?.address?.description)
    }

    /// The new key first, then those of its algorithm that are still trusted. Others are dropped.
    private func rotated(
        _ kept: [SigningKey], to made: SigningKey, at now: Timestamp
    ) -> [SigningKey] {
        var former = kept.filter { isOurs($0) && isTrusted($0, at: now) }
        for index in former.indices where former[index].retiredAt == nil {
            former[index].retiredAt = now + lead
        }
        return [made] + former
    }

    private var lead: Duration {
        switch place {
        case .file: .zero
        case .store: Self.lead
        }
    }

    private func take(_ found: [SigningKey]) {
        keys.withLock { $0 = found.filter(isOurs) }
    }

    private func isOurs(_ key: SigningKey) -> Bool { key.algorithm == algorithm }

    private func hasActive(_ keys: [SigningKey]) -> Bool {
        keys.contains { isOurs($0) && $0.retiredAt == nil }
    }

    private func isTrusted(_ key: SigningKey, at now: Timestamp) -> Bool {
        key.retiredAt.map { now - $0 < overlap } ?? true
    }
}

import Domain
import Store

/// The signing keys of nodes that share a store: one row there, sealed under a key that is not in
/// it, so that a copy of the store alone forges nothing (security X2).
struct SigningKeyRow: Sendable {
    let store: any Database
    let seal: SealingKeys
    /// What a node signed with before it shared its store: where the row is not there yet its keys
    /// are taken over, and the tokens they have signed with them.
    let former: SigningKeyFile

    /// In the `installation` table. The store tells the other nodes when it changes (`changes`).
    static let name = "signing_keys"
    private static let context = "the signing keys"

    /// Nil when there are none.
    func read() async throws(Problem) -> [SigningKey]? {
        let text = try await store.read { db throws(Problem) in
            try db.installation.value(Self.name)
        }
        guard let text else { return nil }
        return try open(text)
    }

    /// Replaces them, in a transaction that no other node changes them in.
    ///
    /// - Parameter body: what there is to what there is to be, and what else the transaction keeps.
    func change(
        _ body:
            @escaping @Sendable ([SigningKey], any Connection) throws(Problem) -> [SigningKey]
    ) async throws(Problem) -> [SigningKey] {
        try await store.write { db throws(Problem) in
            let text = try db.installation.value(Self.name)
            let kept: [SigningKey]
            if let text { kept = try open(text) } else { kept = try former.read() ?? [] }
            let next = try body(kept, db)
            if text == nil || next.map(\.stored) != kept.map(\.stored) {
                try db.installation.set(Self.name, try close(next))
            }
            return next
        }
    }

    private func open(_ text: String) throws(Problem) -> [SigningKey] {
        guard let sealed = Base64URL.decode(text.utf8) else {
            throw .internal(cause: "installation.\(Self.name) is not what was sealed")
        }
        let bytes = try seal.open(sealed, context: Self.context)
        return try SigningKeyFile.parse(bytes, "installation.\(Self.name)")
    }

    private func close(_ keys: [SigningKey]) throws(Problem) -> String {
        Base64URL.encode(try seal.seal(SigningKeyFile.text(of: keys), context: Self.context))
    }
}

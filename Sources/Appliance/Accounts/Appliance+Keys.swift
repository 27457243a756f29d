import Domain
import Store

extension Configuration {
    var sealingKeysFile: String { auth.sealingKeysFile ?? dataDirectory + "/sealing-keys.json" }

    /// Made at the first start of a process that has its store for itself. What is somebody else's
    /// too, or was put where it is, is never made here: it would open nothing.
    func sealingKeys(at now: Timestamp) throws(Problem) -> SealingKeys {
        let path = sealingKeysFile
        guard isShared || auth.sealingKeysFile != nil else {
            return try SealingKeys(path: path, now: now)
        }
        guard SafeFile.exists(path) else {
            throw .internal(
                cause: "There is no sealing key at \(path). Put the one of the other nodes there, "
                    + "or make the first: gatehouse keys make-sealing-key \(path)")
        }
        return try SealingKeys(path: path)
    }

    /// - Parameters:
    ///   - store: has the audit log.
    ///   - seal: under which nodes that share their store keep them there.
    func keyRing(
        _ store: any Database, _ seal: SealingKeys, at now: Timestamp
    ) throws(Problem) -> KeyRing {
        let path = dataDirectory + "/signing-keys.json"
        guard isShared else {
            return try KeyRing(
                path: path, store: store, algorithm: auth.algorithm,
                tokenTTL: auth.accessTokenTTL, now: now)
        }
        let row = SigningKeyRow(store: store, seal: seal, former: SigningKeyFile(path: path))
        return KeyRing(row: row, algorithm: auth.algorithm, tokenTTL: auth.accessTokenTTL)
    }
}

extension Appliance {
    /// In the `installation` table of a store that nodes share: known words under its sealing key.
    private static let sealCheck = (name: "sealing_check", context: "the check of a sealing key")

    /// A node with a key of its own could read nothing that the others seal, nor they what it does.
    func requireSharedSealingKey() async throws(Problem) {
        guard configuration.isShared else { return }
        let check = Self.sealCheck
        let mine = Base64URL.encode(
            try sealingKeys.seal(Array(check.name.utf8), context: check.context))
        let isOurs = try await store.write { db throws(Problem) in
            if let text = try db.installation.value(check.name) {
                return Base64URL.decode(text.utf8).map { sealed in
                    self.sealingKeys.opens(sealed, context: check.context)
                } ?? false
            }
            // The first node: of a store that one process had before, perhaps.
            guard try self.opensSecondFactors(db) else { return false }
            try db.installation.set(check.name, mine)
            return true
        }
        guard isOurs else {
            throw .internal(
                cause: "\(sealingKeys.path) is not the sealing key of this store. "
                    + "Put the one of its other nodes there.")
        }
    }
}

import Domain
import Logging
import Store

/// The first admin, and admins made from a shell. There are no default credentials (security D2).
extension Appliance {
    private static let setupTTL: Duration = .seconds(24 * 3600)

    var setupTokenPath: String { configuration.dataDirectory + "/setup-token" }

    /// While there is no admin, each start makes a new one-time token in place of the one before;
    /// with one, none is left. Nodes that start at once each have a token that works.
    func offerSetup() async throws(Problem) {
        let now = clock.now()
        let token = OpaqueToken()
        let isShared = cluster != nil
        let former = isShared ? setupToken.map { OpaqueToken.hash(of: Secret($0)) } : nil
        let isNeeded = try await store.write { db throws(Problem) -> Bool in
            guard try db.accounts.activeAdmins(besides: nil) == 0 else {
                try db.oneTimeTokens.revoke(.setup, of: nil)
                return false
            }
            if let former { _ = try db.oneTimeTokens.redeem(former, purpose: .setup, at: now) }
            try db.oneTimeTokens.insert(
                hash: token.hash, purpose: .setup, user: nil, email: nil, at: now,
                expiresAt: now + Self.setupTTL, replaces: !isShared)
            return true
        }
        do throws(SafeFile.Failure) {
            guard isNeeded else { return try SafeFile.remove(setupTokenPath) }
            try SafeFile.write(Array((token.secret.text + "\n").utf8), to: setupTokenPath)
        } catch {
            throw .internal(cause: error.reason)
        }
    }

    /// The link that `serve` prints; nil once there is an admin. The token is behind the `#`, which
    /// browsers keep to themselves.
    package func setupLink(publicURL: String) -> String? {
        setupToken.map { "\(publicURL)/setup#token=\($0)" }
    }

    private var setupToken: String? {
        guard let bytes = try? SafeFile.read(setupTokenPath, bytesMax: 1024) else { return nil }
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    func setUp(
        token: Secret, email: EmailAddress, password: Secret, from origin: Origin,
        at now: Timestamp,
        keep: @escaping @Sendable (TokenPair, any Connection) throws(Problem) -> Void
    ) async throws(Problem) -> TokenPair {
        try throttleGuesses(from: origin, at: now)
        let isOpen = try await store.read { db throws(Problem) in
            try db.accounts.activeAdmins(besides: nil) == 0
        }
        guard isOpen else { throw .notFound("setup: there is an admin") }
        try policy.check(password, about: [email.description], field: "password")
        let hash = try await hasher.hash(password)
        let account = Self.newAccount(
            email: email, name: nil, role: .admin, isVerified: true, at: now)
        let tokenHash = OpaqueToken.hash(of: token)
        let pair = try await store.write { db throws(Problem) in
            guard try db.accounts.activeAdmins(besides: nil) == 0 else {
                throw Problem.notFound("setup: there is an admin")
            }
            guard try db.oneTimeTokens.redeem(tokenHash, purpose: .setup, at: now) != nil else {
                throw Problem(.invalidToken, "The setup token is wrong or has run out.")
            }
            // Those of other nodes.
            try db.oneTimeTokens.revoke(.setup, of: nil)
            guard try self.insert(account, passwordHash: hash, db, at: now) else {
                throw Problem(.emailTaken, "There is an account with this e-mail address.")
            }
            try db.audit.append(
                origin.event("admin.set_up", by: .user(account.id), on: "user:\(account.id)"),
                at: now)
            let pair = try self.insertSession(of: account, db, from: origin, at: now)
            try keep(pair, db)
            return pair
        }
        removeSetupToken()
        return pair
    }

    private func removeSetupToken() {
        do throws(SafeFile.Failure) {
            try SafeFile.remove(setupTokenPath)
        } catch {
            // It opens nothing any more; the file is only untidy.
            logger.warning("the setup token's file stays", metadata: ["cause": "\(error.reason)"])
        }
    }

    /// `gatehouse admin create`. Without a password, returns the link that sets one.
    package func createAdmin(
        email: EmailAddress, password: Secret?
    ) async throws(Problem) -> String? {
        let now = clock.now()
        if let password {
            try policy.check(password, about: [email.description], field: "password")
        }
        var hash: String?
        if let password { hash = try await hasher.hash(password) }
        let passwordHash = hash
        let account = Self.newAccount(
            email: email, name: nil, role: .admin, isVerified: true, at: now)
        let token = OpaqueToken()
        try await store.write { db throws(Problem) in
            guard try self.insert(account, passwordHash: passwordHash, db, at: now) else {
                throw Problem(.emailTaken, "There is an account with this e-mail address.")
            }
            if passwordHash == nil { try self.insertReset(token, of: account, db, at: now) }
            try db.oneTimeTokens.revoke(.setup, of: nil)
            try db.audit.append(
                AuditEvent(
                    action: "admin.created", actor: .shell, target: "user:\(account.id)"),
                at: now)
        }
        removeSetupToken()
        guard password == nil else { return nil }
        return "\(configuration.publicURL)/reset-password#token=\(token.secret.text)"
    }

    // MARK: Starter plans

    /// Only in a store without plans: what an admin changed or archived stays so.
    func createStarterPlans() async throws(Problem) {
        let now = clock.now()
        try await store.write { db throws(Problem) in
            guard try db.plans.list(includingArchived: true, Page(limit: 1)).isEmpty else { return }
            for plan in try Self.starterPlans(at: now) { _ = try db.plans.insert(plan) }
            try db.audit.append(
                AuditEvent(action: "plan.starters_created", actor: .system, target: "plan:free"),
                at: now)
        }
    }

    private static func starterPlans(at now: Timestamp) throws(Problem) -> [Plan] {
        func plan(
            _ slug: String, _ name: String, _ description: String, isDefault: Bool,
            _ limits: [(String, Int64)]
        ) throws(Problem) -> Plan {
            var random = SystemRandomNumberGenerator()
            let json = JSON.object(limits.map { JSON.Member($0.0, .integer($0.1)) })
            return Plan(
                id: ID(at: now, using: &random), slug: slug, name: name, description: description,
                limits: try Limits(json: json), isSelfService: true, isDefault: isDefault,
                createdAt: now, updatedAt: now)
        }
        return [
            try plan(
                "free", "Free", "To try things out.", isDefault: true,
                [
                    ("requests_per_month", 10_000), ("requests_per_second", 20),
                    ("concurrent_jobs", 3), ("max_items", 100),
                ]),
            try plan(
                "pro", "Pro", "For a service in production.", isDefault: false,
                [
                    ("requests_per_month", 1_000_000), ("requests_per_second", 200),
                    ("concurrent_jobs", 20), ("max_items", 10_000),
                ]),
        ]
    }
}

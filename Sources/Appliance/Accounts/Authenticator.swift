import Crypto
import Domain
import Store
import Synchronization

/// Finds out who a request is from. Warm, it takes no await and no look at the store: a token's
/// signature is checked once and remembered, and whether its session, owner and key still stand is
/// asked of live state that every change updates before it is answered.
final class Authenticator: Sendable {
    /// Verified tokens: about 700 bytes each, so 16 MiB at most.
    private static let tokensMax = 20_000
    /// `last_used_at` is this coarse (security K6: no write a request).
    private static let useGranularity: Duration = .seconds(60)

    private struct LiveSession: Sendable {
        var session: Session
        /// A token of a later generation than this is of a refresh that memory does not know of.
        let generationSeen: Int64
        var notedUse: Timestamp
    }

    private struct LiveKey: Sendable {
        let loaded: LoadedKey
        var notedUse: Timestamp
        /// The secret that was right, as a verified token is remembered: it is hashed once.
        var verified: APIKeySecret?
        /// Where the account was found last.
        var account: AccountSnapshot?
    }

    /// What happened in memory and the store has yet to learn.
    struct Notes: Sendable {
        var deliveries: [SessionID: (generation: Int64, at: Timestamp)] = [:]
        var sessionUses: [SessionID: Timestamp] = [:]
        var keyUses: [APIKeyID: Timestamp] = [:]

        var isEmpty: Bool { deliveries.isEmpty && sessionUses.isEmpty && keyUses.isEmpty }
    }

    private let store: any Database
    private let tokens: AccessTokens
    private let adminsNeedTOTP: Bool
    private let freshness: Freshness?
    private let verified = LiveCache<VerifiedToken.Text, VerifiedToken>(capacity: tokensMax)
    private let sessions: LiveCache<SessionID, LiveSession>
    private let accounts: LiveCache<UserID, AccountSnapshot>
    private let keys: LiveCache<String, LiveKey>
    private let notes = Mutex(Notes())

    /// - Parameters:
    ///   - customersMax: sessions, accounts and keys in memory, of each that many.
    ///   - adminsNeedTOTP: admins without one-time codes are held back.
    ///   - freshness: nil where no other process changes what the store has.
    init(
        store: any Database, tokens: AccessTokens, customersMax: Int, adminsNeedTOTP: Bool = false,
        freshness: Freshness? = nil
    ) {
        self.freshness = freshness
        self.store = store
        self.tokens = tokens
        self.adminsNeedTOTP = adminsNeedTOTP
        sessions = LiveCache(capacity: customersMax)
        accounts = LiveCache(capacity: customersMax) { $0.letGo() }
        keys = LiveCache(capacity: customersMax)
    }

    /// What is in memory here, by name.
    var caches: [(name: String, looks: (hits: UInt64, misses: UInt64))] {
        [
            ("accounts", accounts.looks), ("keys", keys.looks), ("sessions", sessions.looks),
            ("tokens", verified.looks),
        ]
    }

    static let refused = Problem(.unauthorized, "Present a valid access token or API key.")
    private static let outOfTouch: Problem = {
        var problem = Problem(
            .unavailable, "This node cannot tell whether the credential still holds.")
        problem.retryAfter = .seconds(1)
        return problem
    }()

    /// Throws `unauthorized` for every credential that is not good now, `forbidden` for a key from
    /// an address that it does not allow.
    func caller(
        _ credential: Credential, at now: Timestamp, address: () -> IPAddress?
    ) async throws(Problem) -> Caller {
        while true {
            switch warmCaller(credential, at: now, address: address) {
            case .known(let caller): return caller
            case .refused(let problem): throw problem
            case .cold(let piece): try await load(piece)
            }
        }
    }

    /// What memory alone can say about a credential.
    enum Warm {
        case known(Caller)
        case refused(Problem)
        /// A piece has to be loaded first.
        case cold(Piece)
    }

    enum Piece {
        /// And the generation of a token of it that was shown.
        case session(SessionID, Int64)
        case account(UserID)
        case key(publicID: String)
    }

    /// Without an await or a look at the store.
    func warmCaller(
        _ credential: Credential, at now: Timestamp, address: () -> IPAddress?
    ) -> Warm {
        if case .none = credential { return .refused(Self.refused) }
        guard freshness?.holds ?? true else { return .refused(Self.outOfTouch) }
        return switch credential {
        case .none: .refused(Self.refused)
        case .apiKey(let text): keyCaller(text, at: now, address: address)
        case .accessToken(let authorization): tokenCaller(authorization, at: now)
        }
    }

    private func caller(
        _ snapshot: AccountSnapshot, _ proof: Caller.Proof, signedInAt: Timestamp? = nil
    ) -> Caller {
        Caller(
            snapshot: snapshot, proof: proof, isHeldBack: isHeldBack(snapshot.account),
            signedInAt: signedInAt)
    }

    func isHeldBack(_ account: Account) -> Bool {
        adminsNeedTOTP && account.role == .admin && !account.hasTOTP
    }

    /// Throws `unauthorized` when there is no such thing.
    func load(_ piece: Piece) async throws(Problem) {
        let isThere =
            switch piece {
            case .session(let id, let generation):
                try await loadSession(id, shown: generation)
            case .account(let id): try await loadAccount(id)
            case .key(let publicID): try await loadKey(publicID)
            }
        if !isThere { throw Self.refused }
    }

    // MARK: Access tokens

    private func tokenCaller(_ authorization: String, at now: Timestamp) -> Warm {
        let text = VerifiedToken.Text(authorization)
        guard let known = verifiedToken(text, at: now), now < known.token.expiresAt else {
            return .refused(Self.refused)
        }
        let token = known.token
        let piece = Piece.session(token.sessionID, token.generation)
        let found: Found? = sessions.with(token.sessionID) { live in
            guard token.generation <= live.generationSeen else { return .outdated }
            guard live.session.userID == token.userID, live.session.isLive(at: now) else {
                return .ended
            }
            note(&live, token, at: now)
            return .live(signedInAt: live.session.createdAt)
        }
        let signedInAt: Timestamp
        switch found {
        case nil: return .cold(piece)
        case .ended?: return .refused(Self.refused)
        case .outdated?:
            sessions.invalidate(token.sessionID)
            return .cold(piece)
        case .live(let moment)?: signedInAt = moment
        }
        guard
            let snapshot = account(
                token.userID, known.account,
                { snapshot in verified.with(text) { $0.account = snapshot } })
        else { return .cold(.account(token.userID)) }
        guard snapshot.account.isActive, snapshot.account.tokenVersion == token.tokenVersion
        else { return .refused(Self.refused) }
        return .known(
            caller(snapshot, .session(token.sessionID), signedInAt: signedInAt))
    }

    /// A session in memory, as a token of it finds it.
    private enum Found: Sendable {
        case live(signedInAt: Timestamp)
        case ended
        /// Another node has refreshed it since.
        case outdated
    }

    /// A signature is checked once for each token. A key that is dropped from the ring takes effect
    /// here when the token expires, which is what the ring waits for before it drops a key.
    private func verifiedToken(_ text: VerifiedToken.Text, at now: Timestamp) -> VerifiedToken? {
        if let known = verified.with(text, { $0 }) { return known }
        guard let token = tokens.verify(text.token, at: now) else { return nil }
        let fresh = VerifiedToken(token: token)
        verified.put(text, fresh)
        return fresh
    }

    /// - Parameter generation: one that the store does not know of, in an older copy of it, is
    ///   not looked for again.
    private func loadSession(_ id: SessionID, shown generation: Int64) async throws(Problem) -> Bool
    {
        try await sessions.load(id) { () throws(Problem) in
            try await self.store.read { db throws(Problem) in
                try db.sessions.find(id)
            }.map { session in
                LiveSession(
                    session: session, generationSeen: max(session.generation, generation),
                    notedUse: session.lastUsedAt)
            }
        }
    }

    /// The first token of the newest generation to be seen ends the time in which the generation
    /// before may be used again.
    private func note(_ live: inout LiveSession, _ token: AccessToken, at now: Timestamp) {
        let isDelivery =
            token.generation == live.session.generation && live.session.deliveredAt == nil
        let isUse = now - live.notedUse >= Self.useGranularity
        guard isDelivery || isUse else { return }
        if isDelivery { live.session.deliveredAt = now }
        if isUse { live.notedUse = now }
        notes.withLock { notes in
            if isDelivery { notes.deliveries[token.sessionID] = (token.generation, now) }
            if isUse { notes.sessionUses[token.sessionID] = now }
        }
    }

    /// When a generation was delivered, as far as memory knows ahead of the store.
    func delivery(of session: SessionID, generation: Int64) -> Timestamp? {
        let live = sessions.with(session) { live in
            live.session.generation == generation ? live.session.deliveredAt : nil
        }
        if let live, let live { return live }
        return notes.withLock { notes in
            notes.deliveries[session].flatMap { $0.generation == generation ? $0.at : nil }
        }
    }

    // MARK: API keys

    private func keyCaller(
        _ text: String, at now: Timestamp, address: () -> IPAddress?
    ) -> Warm {
        // The checksum first: an invented key costs no look-up (security K2).
        guard let presented = APIKeyText(text) else { return .refused(Self.refused) }
        let found = keys.with(presented.publicID) { live in
            Prefetch.object(live.loaded, lines: 4)
            Prefetch.object(live.account, lines: 3)
            return live
        }
        guard let live = found else { return .cold(.key(publicID: presented.publicID)) }
        let loaded = live.loaded
        guard holds(presented, live), loaded.endsAt.map({ now < $0 }) ?? true
        else { return .refused(Self.refused) }
        let user = loaded.presented.key.userID
        guard
            let snapshot = account(
                user, live.account,
                { snapshot in keys.with(presented.publicID) { $0.account = snapshot } })
        else { return .cold(.account(user)) }
        guard snapshot.account.isActive else { return .refused(Self.refused) }
        let networks = loaded.presented.key.allowedNetworks
        if !networks.isEmpty {
            guard let address = address(), networks.contains(where: { $0.contains(address) })
            else {
                return .refused(
                    Problem(.forbidden, "This key is not allowed from this address."))
            }
        }
        if now - live.notedUse >= Self.useGranularity { noteUse(of: loaded, at: now) }
        return .known(caller(snapshot, .key(loaded)))
    }

    private func holds(_ presented: APIKeyText, _ live: LiveKey) -> Bool {
        if let known = live.verified { return presented.secretBytes == known }
        let hash = Array(SHA256.hash(data: Array(presented.secret.utf8)))
        guard ConstantTime.areEqual(hash, live.loaded.presented.secretHash) else { return false }
        keys.with(live.loaded.presented.publicID) { $0.verified = presented.secretBytes }
        return true
    }

    private func noteUse(of loaded: LoadedKey, at now: Timestamp) {
        keys.with(loaded.presented.publicID) { $0.notedUse = now }
        notes.withLock { $0.keyUses[loaded.key.id] = now }
    }

    private func loadKey(_ publicID: String) async throws(Problem) -> Bool {
        try await keys.load(publicID) { () throws(Problem) in
            try await self.store.read { db throws(Problem) in
                try db.apiKeys.find(publicID: publicID)
            }.map { presented in
                LiveKey(
                    loaded: LoadedKey(presented), notedUse: presented.key.lastUsedAt ?? .epoch)
            }
        }
    }

    // MARK: Accounts

    /// Nil when it is not in memory.
    ///
    /// - Parameters:
    ///   - last: where it was found last.
    ///   - keep: called when it was found elsewhere.
    private func account(
        _ id: UserID, _ last: AccountSnapshot?, _ keep: (AccountSnapshot) -> Void
    ) -> AccountSnapshot? {
        if let last, last.isCurrent {
            last.prefetch()
            last.noteUse()
            accounts.noteHit()
            return last
        }
        guard let found = accounts.with(id, { $0 }) else { return nil }
        keep(found)
        return found
    }

    /// Nil when there is no such account.
    func account(_ id: UserID) async throws(Problem) -> AccountSnapshot? {
        while true {
            if let known = accounts.with(id, { $0 }) { return known }
            if !(try await loadAccount(id)) { return nil }
        }
    }

    private func loadAccount(_ id: UserID) async throws(Problem) -> Bool {
        try await accounts.load(id) { () throws(Problem) in
            try await self.store.read { db throws(Problem) in
                guard let account = try db.accounts.find(id) else { return nil }
                let plan = try db.subscriptions.active(of: id)?.planSlug
                return AccountSnapshot(account, plan: plan)
            }
        }
    }

    // MARK: Changes, after their commit and before their answer

    func forget(account id: UserID) { accounts.remove(id)?.end() }

    func forget(sessions ids: [SessionID]) {
        for id in ids { sessions.invalidate(id) }
    }

    func forget(key: APIKey) {
        forget(publicID: key.publicID)
        if let previous = key.previousPublicID { forget(publicID: previous) }
    }

    func forget(publicID: String) { keys.invalidate(publicID) }

    /// What another process may have changed, whatever it was.
    func forgetAll() {
        sessions.removeAll()
        accounts.removeAll { $0.end() }
        keys.removeAll()
    }

    // MARK: Notes for the store

    /// Uses that one fold writes: some 20 ms of the writer. The rest waits for the next; a use is
    /// told to the minute.
    private static let usesEach = 2000

    func takeNotes() -> Notes {
        notes.withLock { notes in
            var taken = Notes()
            swap(&taken.deliveries, &notes.deliveries)
            taken.sessionUses = Self.take(from: &notes.sessionUses)
            taken.keyUses = Self.take(from: &notes.keyUses)
            return taken
        }
    }

    private static func take<Key>(from uses: inout [Key: Timestamp]) -> [Key: Timestamp] {
        var taken: [Key: Timestamp] = [:]
        guard uses.count > usesEach else {
            swap(&taken, &uses)
            return taken
        }
        for (key, at) in uses.prefix(usesEach) { taken[key] = at }
        for key in taken.keys { uses[key] = nil }
        return taken
    }

    /// The store did not take them; what was noted since wins.
    func putBack(_ taken: Notes) {
        notes.withLock { notes in
            notes.deliveries.merge(taken.deliveries) { newer, _ in newer }
            notes.sessionUses.merge(taken.sessionUses) { newer, _ in newer }
            notes.keyUses.merge(taken.keyUses) { newer, _ in newer }
        }
    }
}

import Domain
import Store
import Synchronization

/// An account as the hot path needs it. Many are in memory at a time, so it holds nothing that can
/// be made again.
///
/// Keys and tokens in memory keep the one they have led to, so that most requests need not look for
/// it. So it says itself when it is not to be believed any more.
final class AccountSnapshot: Sendable {
    private let hasEnded = Atomic(false)
    private let wasUsed = Atomic(false)
    private let liveCustomer = AtomicLazyReference<LiveCustomer>()
    private let customerAddress = Atomic<UInt>(0)
    private let metersAddress = Atomic<UInt>(0)
    let account: Account
    let plan: String?

    init(_ account: Account, plan: String?) {
        self.account = account
        self.plan = plan
    }

    /// False once the account may have changed, and when it has left memory, where a change would
    /// not find it.
    var isCurrent: Bool { !hasEnded.load(ordering: .acquiring) }

    func end() { hasEnded.store(true, ordering: .releasing) }

    /// By somebody who had not looked for it.
    func noteUse() {
        // Read first: it is most often known, and to write takes the memory from the other core.
        if !wasUsed.load(ordering: .relaxed) { wasUsed.store(true, ordering: .relaxed) }
    }

    /// Ends unless it was used since it was last asked.
    func letGo() -> Bool {
        if wasUsed.exchange(false, ordering: .relaxed) { return false }
        end()
        return true
    }

    /// Where the customer was found; they may have left memory since.
    var customer: LiveCustomer? { liveCustomer.load() }

    /// The first one stays: who leaves memory has not been asked for lately, and this snapshot goes
    /// before long.
    ///
    /// - Parameter meters: where their counts are, for `prefetch`.
    func setCustomer(_ customer: LiveCustomer, meters: UInt) {
        let kept = liveCustomer.storeIfNil(customer)
        customerAddress.store(Prefetch.address(of: kept), ordering: .relaxed)
        metersAddress.store(meters, ordering: .relaxed)
    }

    /// What a decision will read once this is at hand.
    func prefetch() {
        Prefetch.memory(at: customerAddress.load(ordering: .relaxed), lines: 3)
        Prefetch.memory(at: metersAddress.load(ordering: .relaxed), lines: 4)
    }

    /// The JSON of `User`.
    var encoded: [UInt8] {
        var json = JSONWriter(capacity: 512)
        json.user(account, plan: plan)
        return json.bytes
    }
}

/// A key as the hot path needs it: in one object, so that to hold it for a request counts one
/// reference and not those of all its parts.
final class LoadedKey: Sendable {
    /// The end of the key, or of a rotated secret's overlap; nil: none is set. Beside the rest, so
    /// that to ask for it copies nothing of the key.
    let endsAt: Timestamp?
    /// When the key has limits of its own.
    let rules: Customer.KeyRules?
    let presented: APIKeys.Presented

    var key: APIKey { presented.key }

    init(_ presented: APIKeys.Presented) {
        self.presented = presented
        endsAt = [presented.key.endsAt, presented.until].compactMap(\.self).min()
        let limits = presented.key.limits
        rules =
            limits.all.isEmpty
            ? nil : Customer.KeyRules(id: presented.key.id, rules: Ruleset(limits))
    }
}

/// Who makes a request, and what they may do.
package struct Caller: Sendable {
    enum Proof: Sendable {
        case session(SessionID)
        case key(LoadedKey)
    }

    let snapshot: AccountSnapshot
    /// What they were known by.
    let proof: Proof
    /// An admin without one-time codes where `auth.require_totp_for_admins` is on: until they are,
    /// neither a session nor a key of theirs does more than look after their own account.
    let isHeldBack: Bool
    /// When the session began, which is when they last showed who they are; nil for a key.
    var signedInAt: Timestamp?

    var account: Account { snapshot.account }
    var userID: UserID { snapshot.account.id }

    var key: APIKey? {
        guard case .key(let loaded) = proof else { return nil }
        return loaded.key
    }

    var keyRules: Customer.KeyRules? {
        guard case .key(let loaded) = proof else { return nil }
        return loaded.rules
    }

    var sessionID: SessionID? {
        guard case .session(let id) = proof else { return nil }
        return id
    }

    /// What the credential may do: a key never has more than its owner (security K4).
    var scopes: Scopes {
        let available = Scopes.available(to: snapshot.account.role)
        guard case .key(let loaded) = proof else { return available }
        return loaded.presented.key.scopes.intersection(available)
    }

    func has(_ scope: Scope) -> Bool { scopes.contains(scope) }

    var actor: AuditEvent.Actor { .user(userID) }

    static let enrolFirst = Problem(
        .forbidden,
        """
        Administrators need one-time codes here. Turn them on first: POST /api/v1/me/totp, then \
        /api/v1/me/totp/confirm.
        """)
}

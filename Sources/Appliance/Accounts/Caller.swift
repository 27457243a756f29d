import Domain
import Store

/// An account as the hot path needs it. Many are in memory at a time, so it holds nothing that can
/// be made again.
final class AccountSnapshot: Sendable {
    let account: Account
    let plan: String?

    init(_ account: Account, plan: String?) {
        self.account = account
        self.plan = plan
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
    let presented: APIKeys.Presented
    /// The end of the key, or of a rotated secret's overlap; nil: none is set. Beside the rest, so
    /// that to ask for it copies nothing of the key.
    let endsAt: Timestamp?
    /// When the key has limits of its own.
    let rules: Customer.KeyRules?

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

import Crypto
import Domain
import Store
import Synchronization

/// Rates that protect the appliance itself: guesses at passwords, floods of mail, greedy clients.
/// By account and by client address; in memory, checkpointed so that a restart resets nothing.
final class Throttle: Sendable {
    /// Something that is counted, and how fast it may happen.
    struct Purpose: Sendable {
        fileprivate let rule: RateRule
        fileprivate let isKept: Bool

        private init(_ name: String, _ bound: Int64, per: Duration, burst: Int64, kept: Bool) {
            rule = RateRule(
                name: name, bound: bound, burst: burst, period: per.wholeMilliseconds)
            isKept = kept
        }

        static let loginByAddress = Purpose(
            "login-from", 60, per: .seconds(60), burst: 60, kept: true)
        static let registerByAddress = Purpose(
            "register-from", 60, per: .seconds(3600), burst: 30, kept: true)
        /// Mails that a stranger can make us send to one address.
        static let mailByAccount = Purpose(
            "mail", 5, per: .seconds(3600), burst: 5, kept: true)
        static let mailByAddress = Purpose(
            "mail-from", 60, per: .seconds(3600), burst: 30, kept: true)
        /// Guesses at tokens of 256 bits: hopeless, so only the noise is bounded.
        static let tokenByAddress = Purpose(
            "token-from", 600, per: .seconds(60), burst: 600, kept: false)
        /// Tokens of one generation that a client can ask for again and again.
        static let refreshBySession = Purpose(
            "refresh", 60, per: .seconds(60), burst: 120, kept: false)

        static func apiByUser(_ perMinute: Int) -> Purpose {
            Purpose(
                "api", Int64(perMinute), per: .seconds(60), burst: Int64(perMinute), kept: false)
        }

        static func apiByAddress(_ perMinute: Int) -> Purpose {
            Purpose(
                "api-from", Int64(perMinute), per: .seconds(60), burst: Int64(perMinute),
                kept: false)
        }
    }

    /// What is guessed at: a password, by a stranger at sign-in or by who holds a session; or the
    /// code that is asked for beside it.
    enum Guess: String, CaseIterable, Sendable {
        case login, password, otp

        fileprivate var prefix: String { rawValue + ":" }
    }

    /// Buckets kept: an attacker must fill all of them from throttled addresses to wash one out.
    private static let bucketsMax = 200_000
    /// The subject of our rows in `rate_states`.
    static let subject = "throttle"

    private let isEnabled: Bool
    private let buckets = LiveCache<String, RateLimiter>(capacity: bucketsMax)
    private let guesses = LiveCache<String, GuessLimiter>(capacity: bucketsMax)
    private let unsaved = Mutex<Set<String>>([])

    init(isEnabled: Bool) { self.isEnabled = isEnabled }

    /// Takes one, or throws `rate_limited` with the time until one is free.
    func take(_ purpose: Purpose, _ subject: String, at now: Timestamp) throws(Problem) {
        guard isEnabled else { return }
        let rule = purpose.rule
        let name = Self.name(purpose, subject)
        let wait: Duration? =
            buckets.with(name) { Self.take(&$0, rule, at: now) }
            ?? {
                var fresh = RateLimiter()
                let wait = Self.take(&fresh, rule, at: now)
                buckets.put(name, fresh)
                return wait
            }()
        if purpose.isKept { unsaved.withLock { _ = $0.insert(name) } }
        guard wait != .zero else { return }
        var problem = Problem(.rateLimited, "Too many attempts; wait a little.")
        problem.retryAfter = wait ?? .seconds(rule.period / 1000)
        throw problem
    }

    private static func take(
        _ bucket: inout RateLimiter, _ rule: RateRule, at now: Timestamp
    ) -> Duration? {
        bucket.follow(now)
        let wait = bucket.wait(for: 1, under: rule, at: now)
        if wait == .zero { bucket.take(1, under: rule, at: now) }
        return wait
    }

    /// Counts one guess at a password, or throws `rate_limited` with the time until the next may
    /// begin.
    func take(_ guess: Guess, _ subject: String, at now: Timestamp) throws(Problem) {
        guard isEnabled else { return }
        let name = guess.prefix + Self.digest(of: subject)
        let wait: Duration? =
            guesses.with(name) { Self.take(&$0, at: now) }
            ?? {
                var fresh = GuessLimiter()
                fresh.take(at: now)
                guesses.put(name, fresh)
                return .zero
            }()
        guard wait != .zero else {
            unsaved.withLock { _ = $0.insert(name) }
            return
        }
        var problem = Problem(.rateLimited, "Too many attempts; wait a little.")
        if wait == nil { problem.detail = "Too many wrong guesses; set a new password by mail." }
        problem.retryAfter = wait ?? .seconds(900)
        throw problem
    }

    private static func take(_ limiter: inout GuessLimiter, at now: Timestamp) -> Duration? {
        let wait = limiter.wait(at: now)
        if wait == .zero { limiter.take(at: now) }
        return wait
    }

    /// The guess was right: the wrong ones before it are forgiven.
    func forgive(_ guess: Guess, _ subject: String) {
        guard isEnabled else { return }
        let name = guess.prefix + Self.digest(of: subject)
        guesses.put(name, GuessLimiter())
        unsaved.withLock { _ = $0.insert(name) }
    }

    /// What was counted is personal (an address of some kind), so only its hash is kept.
    private static func name(_ purpose: Purpose, _ subject: String) -> String {
        guard purpose.isKept else { return purpose.rule.name + ":" + subject }
        return purpose.rule.name + ":" + digest(of: subject)
    }

    private static func digest(of subject: String) -> String {
        Hex.text(of: SHA256.hash(data: Array(subject.utf8)).prefix(16))
    }

    // MARK: Checkpoints

    func takeUnsaved() -> [RateStates.Entry] {
        let names = unsaved.withLock { names in
            let taken = names
            names = []
            return taken
        }
        return names.compactMap { name in
            let rate =
                Self.isGuess(name)
                ? guesses.with(name) { Self.rate(of: $0) } : buckets.with(name) { $0 }
            return rate.map { RateStates.Entry(subject: Self.subject, name: name, rate: $0) }
        }
    }

    /// As `rate_states` keeps it: the count stands where the backlog does.
    private static func rate(of limiter: GuessLimiter) -> RateLimiter {
        RateLimiter(backlog: Int128(limiter.count), updatedAt: limiter.lastAt)
    }

    private static func isGuess(_ name: String) -> Bool {
        Guess.allCases.contains { name.hasPrefix($0.prefix) }
    }

    func putBack(_ entries: [RateStates.Entry]) {
        unsaved.withLock { names in
            for entry in entries { names.insert(entry.name) }
        }
    }

    func restore(_ entries: [RateStates.Entry]) {
        for entry in entries {
            if Self.isGuess(entry.name) {
                let count = Int64(clamping: entry.rate.backlog)
                guesses.put(entry.name, GuessLimiter(count: count, lastAt: entry.rate.updatedAt))
            } else {
                buckets.put(entry.name, entry.rate)
            }
        }
    }
}

import Crypto
import Domain
import Store
import Synchronization

/// Rates that protect the appliance itself: guesses at passwords, floods of mail, greedy clients.
/// By account and by client address; in memory, checkpointed so that a restart resets nothing.
///
/// Rates that memory has no room for are forgotten: they drain in an hour anyway. A run of guesses
/// is not: what the store has yet to learn of it stays, and the rest comes back from there.
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

        /// As clients are told of it: so many at once, and then less than that in a window.
        fileprivate var rule: RateRule {
            RateRule(
                name: rawValue, bound: GuessLimiter.freeCount,
                period: GuessLimiter.waitMax.wholeMilliseconds)
        }
    }

    /// Buckets in memory: an attacker must fill all of them from throttled addresses to wash a rate
    /// out.
    static let bucketsMax = 200_000
    /// Names that the store has yet to learn: with more it has taken nothing for long. No guess is
    /// counted then, as none may be forgotten and memory must not fill up.
    private static let unsavedMax = 50_000
    /// Tries to count with the other daemons before a caller is told to come again. Each try that
    /// is in vain is another daemon's that was not, and each has one under way for a name.
    private static let triesMax = 32
    /// The subject of our rates in `rate_states`.
    static let subject = "throttle"

    /// How long the next one has to wait: zero now, and then it is counted; nil for ever.
    private typealias Rule = @Sendable (inout RateLimiter, Timestamp) -> Duration?

    private struct Cell: Sendable {
        var rate = RateLimiter()
        /// Whether the store has it as it is. Of what is never saved this says nothing.
        var isSaved = true

        /// Whether that is news to the store.
        mutating func set(_ new: RateLimiter) -> Bool {
            guard new != rate else { return false }
            (rate, isSaved) = (new, false)
            return true
        }
    }

    private let isEnabled: Bool
    private let store: any Database
    private let shared: SharedRates?
    private let turnstiles = Turnstile.Row()
    private let buckets: LiveCache<String, Cell>
    /// Guesses, as `rate_states` keeps them: the count stands where the backlog does.
    private let guesses: LiveCache<String, Cell>
    private let unsaved = Mutex<Set<String>>([])

    /// - Parameters:
    ///   - shared: what several daemons count together; nil where one counts alone.
    ///   - capacity: of memory, for rates and for runs of guesses each.
    init(
        isEnabled: Bool, in store: any Database, shared: SharedRates? = nil,
        capacity: Int = Throttle.bucketsMax
    ) {
        self.isEnabled = isEnabled
        self.store = store
        self.shared = shared
        buckets = LiveCache(capacity: capacity)
        guesses = LiveCache(capacity: capacity) { $0.isSaved }
    }

    /// Takes one, or throws `rate_limited` with the time until one is free. For what each daemon
    /// counts by itself.
    func takeHere(_ purpose: Purpose, _ subject: String, at now: Timestamp) throws(Problem) {
        guard isEnabled else { return }
        let name = Self.name(purpose, subject)
        let taken = buckets.with(name, orInsert: Cell()) {
            Self.apply(Self.rule(of: purpose), to: &$0, at: now)
        }
        if taken.isNews, purpose.isKept { note(name) }
        try Self.pass(taken.wait, purpose, at: now)
    }

    /// The same, of all daemons together.
    func take(_ purpose: Purpose, _ subject: String, at now: Timestamp) async throws(Problem) {
        guard isEnabled else { return }
        let name = Self.name(purpose, subject)
        let wait = try await wait(name, at: now, Self.rule(of: purpose))
        try Self.pass(wait, purpose, at: now)
    }

    private static func pass(
        _ wait: Duration?, _ purpose: Purpose, at now: Timestamp
    ) throws(Problem) {
        guard wait != .zero else { return }
        throw refusal(by: purpose.rule, for: wait ?? .milliseconds(purpose.rule.period), at: now)
    }

    /// Tells the rule that everybody is under, and the wait; of what was counted, by whom and at
    /// whose account, nothing else (security E1, Q4).
    private static func refusal(
        by rule: RateRule, for wait: Duration, at now: Timestamp
    ) -> Problem {
        var problem = Problem(.rateLimited, "Too many attempts; wait a little.")
        problem.retryAfter = wait
        problem.limits = [
            LimitState(
                name: rule.name, allowed: rule.bound, used: rule.bound, remaining: 0,
                resetsAt: now + wait, windowSeconds: rule.period / 1000)
        ]
        problem.limitsAt = now
        return problem
    }

    private static func rule(of purpose: Purpose) -> Rule {
        { [rule = purpose.rule] bucket, now in
            bucket.follow(now)
            let wait = bucket.wait(for: 1, under: rule, at: now)
            if wait == .zero { bucket.take(1, under: rule, at: now) }
            return wait
        }
    }

    /// Counts one guess at a password, or throws `rate_limited` with the time until the next may
    /// begin.
    func take(_ guess: Guess, _ subject: String, at now: Timestamp) async throws(Problem) {
        guard isEnabled else { return }
        guard unsaved.withLock({ $0.count }) < Self.unsavedMax else {
            throw .overloaded("Sign-in", retryAfter: .seconds(1))
        }
        let name = guess.prefix + Self.digest(of: subject)
        let wait = try await wait(name, at: now, Self.guessRule)
        guard wait != .zero else { return }
        var problem = Self.refusal(by: guess.rule, for: wait ?? GuessLimiter.waitMax, at: now)
        if wait == nil { problem.detail = "Too many wrong guesses; set a new password by mail." }
        throw problem
    }

    private static let guessRule: Rule = { kept, now in
        var limiter = GuessLimiter(
            count: Int64(clamping: kept.backlog), lastAt: kept.updatedAt)
        let wait = limiter.wait(at: now)
        guard wait == .zero else { return wait }
        limiter.take(at: now)
        kept = RateLimiter(backlog: Int128(limiter.count), updatedAt: limiter.lastAt)
        return wait
    }

    /// The guess was right: the wrong ones before it are forgiven.
    func forgive(_ guess: Guess, _ subject: String, at now: Timestamp) async {
        guard isEnabled else { return }
        let name = guess.prefix + Self.digest(of: subject)
        // Not before the guess, which may have been counted by another clock: of two states the
        // store keeps the newer one.
        let none = guesses.with(name, orInsert: Cell()) { cell in
            let none = RateLimiter(updatedAt: max(now, cell.rate.updatedAt))
            _ = cell.set(none)
            return none
        }
        note(name)
        // What is being read from the store at this moment is from before.
        guesses.markLoadStale(name)
        do throws(RedisFailure) {
            try await shared?.set(name, to: none)
        } catch {
            // What Redis had is then still held against them there: a wait too many, never one too
            // few.
        }
    }

    // MARK: Counting

    private func cells(of name: String) -> LiveCache<String, Cell> {
        Self.isGuess(name) ? guesses : buckets
    }

    private static func apply(
        _ rule: Rule, to cell: inout Cell, at now: Timestamp
    ) -> (wait: Duration?, isNews: Bool) {
        var rate = cell.rate
        let wait = rule(&rate, now)
        return (wait, cell.set(rate))
    }

    private func note(_ name: String) { unsaved.withLock { _ = $0.insert(name) } }

    private func put(_ name: String, _ rate: RateLimiter) {
        let isNews = cells(of: name).with(name, orInsert: Cell()) { $0.set(rate) }
        if isNews { note(name) }
    }

    /// By this daemon's own count.
    private func waitHere(
        _ name: String, at now: Timestamp, _ rule: Rule
    ) async throws(Problem) -> Duration? {
        for _ in 0..<Self.triesMax {
            _ = try await cells(of: name).load(name) { () throws(Problem) -> Cell? in
                Cell(rate: try await Self.isGuess(name) ? self.kept(name) : RateLimiter())
            }
            let taken = cells(of: name).with(name) { Self.apply(rule, to: &$0, at: now) }
            // Memory may have let it go in between.
            guard let taken else { continue }
            if taken.isNews { note(name) }
            return taken.wait
        }
        throw .overloaded("Sign-in", retryAfter: .seconds(1))
    }

    /// What the store has.
    private func kept(_ name: String) async throws(Problem) -> RateLimiter {
        try await store.read { db throws(Problem) in
            try db.rateStates.find(Self.rowSubject(of: name), name) ?? RateLimiter()
        }
    }

    /// Without Redis this daemon's own count holds, which goes on from what it last knew of the
    /// others': never no count at all (security X4).
    private func wait(
        _ name: String, at now: Timestamp, _ rule: @escaping Rule
    ) async throws(Problem) -> Duration? {
        guard let shared else { return try await waitHere(name, at: now, rule) }
        return try await turnstiles[name].pass { () throws(Problem) in
            var seen: SharedRates.Seen
            do throws(RedisFailure) {
                seen = try await shared.look(at: name)
            } catch {
                return try await self.waitHere(name, at: now, rule)
            }
            let first = seen.rate == nil ? try await self.known(name) : RateLimiter()
            do throws(RedisFailure) {
                for _ in 0..<Self.triesMax {
                    let former = seen.rate ?? first
                    var rate = former
                    let wait = rule(&rate, seen.now)
                    if rate != former,
                        let other = try await shared.replace(name, seen, with: rate)
                    {
                        seen = other
                        continue
                    }
                    self.put(name, rate)
                    return wait
                }
            } catch {
                return try await self.waitHere(name, at: now, rule)
            }
            throw .overloaded("Sign-in", retryAfter: .seconds(1))
        }
    }

    /// Where Redis has nothing: what is known here or in the store, whichever is newer.
    private func known(_ name: String) async throws(Problem) -> RateLimiter {
        let own = cells(of: name).with(name) { $0.rate } ?? RateLimiter()
        let kept = try await kept(name)
        return own.updatedAt < kept.updatedAt ? kept : own
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
            cells(of: name).with(name) { $0.rate }.map {
                RateStates.Entry(subject: Self.rowSubject(of: name), name: name, rate: $0)
            }
        }
    }

    private static func rowSubject(of name: String) -> String {
        isGuess(name) ? RateStates.runs : subject
    }

    private static func isGuess(_ name: String) -> Bool {
        Guess.allCases.contains { name.hasPrefix($0.prefix) }
    }

    func putBack(_ entries: [RateStates.Entry]) {
        unsaved.withLock { names in
            for entry in entries { names.insert(entry.name) }
        }
    }

    /// After the commit: memory may let go what has not changed meanwhile.
    func didSave(_ entries: [RateStates.Entry]) {
        for entry in entries {
            _ = cells(of: entry.name).with(entry.name) { cell in
                if cell.rate == entry.rate { cell.isSaved = true }
            }
        }
    }

    /// Rates of before a restart. Runs come one by one, when somebody guesses.
    func restore(_ entries: [RateStates.Entry]) {
        for entry in entries { buckets.put(entry.name, Cell(rate: entry.rate)) }
    }
}

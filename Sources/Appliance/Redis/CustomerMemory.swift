import Domain

/// The state of customers that several daemons share, in Redis: one hash for each, of a version `v`
/// and `s`, what `Customer.shared()` says.
///
/// Each change is one script, so nothing comes between what it saw and what it writes. `admit` has
/// the limits themselves decided there, in one trip whatever other nodes do; for all else a node
/// decides on the state it has, and `replace` takes the outcome only if that is still the state.
/// Nobody waits for a lock. Who has lost a few times asks for a turn, for which the others wait: it
/// ends with the change, and without one in a moment.
///
/// An epoch is named by the run id of one life of the server, and what else sets it apart behind a
/// dot. State is kept under it, so what a server kept from an earlier life is never read. A version
/// is never used twice in an epoch, even when a customer is dropped and made again.
struct CustomerMemory: Sendable {
    struct State: Sendable, Equatable {
        let version: Int64
        let bytes: [UInt8]
    }

    enum Replacing: Sendable, Equatable {
        case stored(version: Int64)
        /// Somebody else was first; nothing was written.
        case changed(State)
        /// It is somebody else's turn, for a moment.
        case held
        case absent
        /// The moment is too far from the server's, which is this.
        case late(serverNow: Timestamp)
    }

    enum Admission: Sendable, Equatable {
        /// The version is now one higher. `Customer.admit` on the state before, under the same
        /// rules, says what was granted and leads to the same state.
        case granted(before: State)
        /// Nothing was written, not even what time alone has changed.
        case refused(before: State)
        /// It is somebody's turn who replaces the state, for a moment.
        case held
        case absent
        case late(serverNow: Timestamp)
    }

    private let redis: RedisClient
    /// Nil: moments are not compared with the server's clock.
    private let lateness: Int64?
    /// How long a turn lasts that its holder does not end.
    private let turn: Int64  // milliseconds

    /// Longer than any window of a rate; a customer who is away longer is loaded again.
    private static let lifetime: Int64 = 24 * 3_600_000  // milliseconds
    /// A try that fails is one in which another node's went through.
    private static let triesMax = 4096

    /// - Parameter turn: milliseconds; many round trips, and no long wait where a holder has died.
    init(
        redis: RedisClient, lateness: Int64? = RateLimiter.latenessMax, turn: Int64 = 50
    ) {
        self.redis = redis
        self.lateness = lateness
        self.turn = turn
    }

    // MARK: Any change

    func load(
        _ user: UserID, in epoch: String
    ) async throws(RedisFailure) -> State? {
        let command = RedisCommand("HMGET", Self.key(user, epoch), "v", "s")
        let reply = try await redis.send(command, onlyOn: Self.server(of: epoch))
        guard case .array(let fields) = reply else { throw Self.unexpected }
        return fields == [.null, .null] ? nil : try Self.state(fields[...])
    }

    /// The epoch of a server as it is now. Whoever asks first puts the mark there. Nil when it went
    /// again in between.
    func epoch(on server: String) async throws(RedisFailure) -> String? {
        var random = SystemRandomNumberGenerator()
        let key = Self.marker(server)
        let proposal = String(random.next() as UInt64, radix: 16)
        _ = try await redis.send(RedisCommand("SET", key, proposal, "NX"), onlyOn: server)
        let mark = try await redis.send(RedisCommand("GET", key), onlyOn: server).text
        return mark.map { "\(server).\($0)" }
    }

    /// Puts a customer there who is not; else returns what is there. Throws `otherServer` when the
    /// memory has another mark than the epoch, for then it has been emptied.
    func create(
        _ user: UserID, _ bytes: [UInt8], in epoch: String
    ) async throws(RedisFailure) -> State {
        let server = Self.server(of: epoch)
        let mark = Array(epoch.utf8.dropFirst(server.utf8.count + 1))
        let reply = try await redis.run(
            .create, keys: [Self.key(user, epoch), Self.marker(server)],
            [bytes, Self.digits(Self.lifetime), mark], onlyOn: server)
        guard case .array(let found) = reply else { throw Self.unexpected }
        guard !found.isEmpty else { throw .otherServer }
        let words = found[...]
        guard words.count == 1 else { return try Self.state(words) }
        return State(version: try Self.version(words[0]), bytes: bytes)
    }

    /// - Parameters:
    ///   - version: of the state that the bytes were made from.
    ///   - turn: a name, of hexadecimal digits. When somebody else was first, the next turn is this
    ///     one's: nobody changes the state until it has, or for a moment.
    func replace(
        _ user: UserID, _ version: Int64, with bytes: [UInt8], at now: Timestamp, in epoch: String,
        turn: String? = nil
    ) async throws(RedisFailure) -> Replacing {
        let arguments = [
            Self.digits(now.milliseconds), Self.digits(lateness ?? -1),
            Self.digits(Self.lifetime), Self.digits(version), bytes, Array((turn ?? "").utf8),
            Self.digits(self.turn),
        ]
        let words = try await run(.replace, user, arguments, epoch)
        switch words.first?.text {
        case "stored": return .stored(version: version + 1)
        case "changed": return .changed(try Self.state(words.dropFirst()))
        case "held": return .held
        case "absent": return .absent
        case "late": return .late(serverNow: try Self.moment(words.dropFirst()))
        default: throw Self.unexpected
        }
    }

    /// The account is gone.
    func drop(_ user: UserID, in epoch: String) async throws(RedisFailure) {
        let command = RedisCommand("UNLINK", Self.key(user, epoch))
        _ = try await redis.send(command, onlyOn: Self.server(of: epoch))
    }

    // MARK: Demands

    /// Takes the demand from every limit that applies or from none, whatever other nodes do at the
    /// same time: exact to the unit.
    ///
    /// - Parameters:
    ///   - rules: of the customer's standing, which has not run out.
    ///   - key: the key that the demand came with, when it has limits of its own.
    func admit(
        _ user: UserID, _ demand: Demand, rules: Ruleset, key: Customer.KeyRules? = nil,
        at now: Timestamp, in epoch: String
    ) async throws(RedisFailure) -> Admission {
        let question = AdmissionQuestion(
            demand: demand, rules: rules, key: key, now: now, lateness: lateness,
            lifetime: Self.lifetime)
        guard question.fitsDoubles else {
            return try await decide(user, demand, rules: rules, key: key, at: now, in: epoch)
        }
        let words = try await run(.admit, user, [question.bytes], epoch)
        switch words.first?.text {
        case "granted": return .granted(before: try Self.state(words.dropFirst()))
        case "refused": return .refused(before: try Self.state(words.dropFirst()))
        case "held": return .held
        case "absent": return .absent
        case "late": return .late(serverNow: try Self.moment(words.dropFirst()))
        case "wide":
            return try await decide(user, demand, rules: rules, key: key, at: now, in: epoch)
        default: throw Self.unexpected
        }
    }

    /// The same with numbers that Lua does not hold: decided here, on the state there is.
    private func decide(
        _ user: UserID, _ demand: Demand, rules: Ruleset, key: Customer.KeyRules?,
        at now: Timestamp, in epoch: String
    ) async throws(RedisFailure) -> Admission {
        var review = Review()
        // No state has this version, so the first try tells what there is.
        var before = State(version: 0, bytes: [])
        var after: [UInt8] = []
        for _ in 0..<Self.triesMax {
            switch try await replace(user, before.version, with: after, at: now, in: epoch) {
            case .stored: return .granted(before: before)
            case .held: return .held
            case .absent: return .absent
            case .late(let serverNow): return .late(serverNow: serverNow)
            case .changed(let state):
                let standing = Standing(planSlug: "", rules: rules, expiresAt: nil)
                var customer = Customer(standing: standing)
                guard customer.adopt(state.bytes) else { throw Self.unreadable }
                guard case .granted = customer.admit(demand, key: key, at: now, &review) else {
                    return .refused(before: state)
                }
                before = state
                after = customer.shared()
            }
        }
        throw .refused("\(user) changed under \(Self.triesMax) tries")
    }

    // MARK: Words

    private func run(
        _ script: RedisScript, _ user: UserID, _ arguments: [[UInt8]], _ epoch: String
    ) async throws(RedisFailure) -> ArraySlice<RedisReply> {
        let reply = try await redis.run(
            script, keys: [Self.key(user, epoch)], arguments, onlyOn: Self.server(of: epoch))
        guard case .array(let words) = reply else { throw Self.unexpected }
        return words[...]
    }

    /// The braces keep what is about one customer together on a cluster.
    private static func key(_ user: UserID, _ epoch: String) -> String {
        "gatehouse:\(epoch):{\(user)}"
    }

    private static func marker(_ server: String) -> String { "gatehouse:\(server):marker" }

    private static func server(of epoch: String) -> String { String(epoch.prefix { $0 != "." }) }

    private static func digits(_ number: Int64) -> [UInt8] { Array(String(number).utf8) }

    private static func state(
        _ words: ArraySlice<RedisReply>
    ) throws(RedisFailure) -> State {
        guard words.count == 2, let first = words.first, case .bytes(let bytes)? = words.last else {
            throw unexpected
        }
        return State(version: try version(first), bytes: bytes)
    }

    private static func version(_ word: RedisReply) throws(RedisFailure) -> Int64 {
        guard let version = word.text.flatMap({ Int64($0) }) else { throw unexpected }
        return version
    }

    private static func moment(
        _ words: ArraySlice<RedisReply>
    ) throws(RedisFailure) -> Timestamp {
        guard case .integer(let milliseconds)? = words.first else { throw unexpected }
        return Timestamp(milliseconds: milliseconds)
    }

    private static let unexpected = RedisFailure.refused("an answer that no script gives")
    private static let unreadable = RedisFailure.refused("a customer's state that is not readable")
}

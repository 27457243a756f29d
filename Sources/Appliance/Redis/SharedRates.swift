import Domain

/// Rates that several daemons count as one, in Redis.
///
/// The rule is applied here, to a copy: what it makes of it takes the copy's place only if that is
/// still what is kept there (compare and set), so each count is of all that were before it. The
/// time is the server's: a daemon whose clock is off would give tokens back to all.
struct SharedRates: Sendable {
    let redis: RedisClient

    /// What is kept under a name, and where and when it was seen.
    struct Seen: Sendable {
        /// Nil: nothing is, such as after the server was started again.
        let rate: RateLimiter?
        let now: Timestamp
        fileprivate let server: String
        fileprivate let text: String
    }

    /// Nobody waits that long, and what is kept longer is in the store.
    private static let lifetime: Duration = .seconds(86_400)

    /// Answers whether it was replaced, the time, and what was kept. An empty ARGV[2] only looks.
    private static let script = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local kept = redis.call('GET', KEYS[1]) or ''
        if ARGV[2] == '' or kept ~= ARGV[1] then return {0, now, kept} end
        redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
        return {1, now, kept}
        """)

    func look(at name: String) async throws(RedisFailure) -> Seen {
        guard let server = redis.server else { throw .away("no connection") }
        guard let seen = try await run(name, server, from: "", to: "") else {
            throw Self.unreadable
        }
        return seen
    }

    /// Returns what is there instead when another daemon was first; nil when it is done.
    func replace(
        _ name: String, _ seen: Seen, with rate: RateLimiter
    ) async throws(RedisFailure) -> Seen? {
        try await run(name, seen.server, from: seen.text, to: Self.text(of: rate))
    }

    /// Whatever was there.
    func set(_ name: String, to rate: RateLimiter) async throws(RedisFailure) {
        guard let server = redis.server else { throw .away("no connection") }
        let words = [Self.key(name, server), Self.text(of: rate), "PX", Self.lifetimeText]
        _ = try await redis.send(
            RedisCommand("SET", words.map { Array($0.utf8) }), onlyOn: server)
    }

    private func run(
        _ name: String, _ server: String, from: String, to: String
    ) async throws(RedisFailure) -> Seen? {
        let reply = try await redis.run(
            Self.script, keys: [Self.key(name, server)],
            [from, to, Self.lifetimeText].map { Array($0.utf8) }, onlyOn: server)
        guard case .array(let parts) = reply, parts.count == 3,
            case .integer(let isStored) = parts[0], case .integer(let now) = parts[1],
            let text = parts[2].text
        else { throw Self.unreadable }
        if isStored == 1 { return nil }
        let rate = text.isEmpty ? nil : Self.rate(of: text)
        if rate == nil, !text.isEmpty { throw Self.unreadable }
        return Seen(rate: rate, now: Timestamp(milliseconds: now), server: server, text: text)
    }

    private static let unreadable = RedisFailure.refused("a rate that cannot be read")

    private static var lifetimeText: String { "\(lifetime.wholeMilliseconds)" }

    private static func key(_ name: String, _ server: String) -> String {
        "gatehouse:\(server):throttle:\(name)"
    }

    private static func text(of rate: RateLimiter) -> String {
        "\(rate.backlog) \(rate.updatedAt.milliseconds)"
    }

    private static func rate(of text: String) -> RateLimiter? {
        let parts = text.split(separator: " ")
        guard parts.count == 2, let backlog = Int128(parts[0]), let at = Int64(parts[1]) else {
            return nil
        }
        return RateLimiter(backlog: backlog, updatedAt: Timestamp(milliseconds: at))
    }
}

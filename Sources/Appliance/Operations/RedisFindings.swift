import NIOPosix

/// What is wrong with the Redis that several daemons share, for `gatehouse check`.
enum RedisFindings {
    /// Empty without `redis.url`. Connects as the daemon does, and changes nothing.
    static func all(_ configuration: Configuration) async -> [Examination.Finding] {
        do {
            guard let options = try configuration.redisOptions() else { return [] }
            let link = try await RedisLink.open(
                options, on: MultiThreadedEventLoopGroup.singleton.next(), meter: RedisMeter())
            defer { link.finish() }
            let greeting = try await link.greet(options)
            guard greeting.evicts else { return [] }
            return [
                finding(
                    "Redis drops keys when its memory is full (\(greeting.maxmemoryPolicy)).",
                    "Set maxmemory-policy noeviction there: what is dropped is a customer's state.")
            ]
        } catch {
            let reason = CommandRefusal(error)?.line ?? "\(error)"
            return [
                finding(
                    "Redis cannot be used: \(reason)",
                    "Look at redis.url, and whether the server runs and lets this user in.")
            ]
        }
    }

    private static func finding(_ what: String, _ remedy: String) -> Examination.Finding {
        Examination.Finding(severity: .fault, what: what, remedy: remedy)
    }
}

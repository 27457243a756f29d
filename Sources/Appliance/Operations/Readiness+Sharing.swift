extension Readiness {
    /// Why a node that shares its customers would refuse them, in words.
    static func sharing(
        _ redis: RedisClient?, _ epoch: SharedEpoch?, _ freshness: Freshness?
    ) -> @Sendable () -> [String] {
        {
            var reasons: [String] = []
            if let redis, redis.server == nil {
                reasons.append("Redis is away")
            } else if let epoch, epoch.current.stage != .open {
                reasons.append("customers are not loaded into Redis yet")
            }
            if let freshness, !freshness.holds {
                reasons.append("what other nodes change is not heard of")
            }
            return reasons
        }
    }
}

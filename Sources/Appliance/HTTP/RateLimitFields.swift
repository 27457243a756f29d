import Domain
import HTTPTypes

/// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): lists of
/// structured fields (RFC 9651), one member for each limit that applies.
///
///     RateLimit-Policy: "requests_per_second";q=20;w=1, "requests_per_month";q=10000;w=2592000
///     RateLimit: "requests_per_second";r=19;t=1, "requests_per_month";r=9999;t=604800
enum RateLimitFields {
    static func add(_ states: [LimitState], at now: Timestamp, to headers: inout HTTPFields) {
        guard !states.isEmpty else { return }
        var policy: [UInt8] = []
        var current: [UInt8] = []
        policy.reserveCapacity(64 * states.count)
        current.reserveCapacity(64 * states.count)
        for state in states {
            begin(&policy, state.name)
            policy.append(contentsOf: ";q=".utf8)
            policy.append(decimal: bounded(state.allowed))
            policy.append(contentsOf: ";w=".utf8)
            policy.append(decimal: state.windowSeconds)
            begin(&current, state.name)
            current.append(contentsOf: ";r=".utf8)
            current.append(decimal: bounded(state.remaining))
            current.append(contentsOf: ";t=".utf8)
            current.append(decimal: (state.resetsAt - now).secondsUp)
        }
        headers.append(
            HTTPField(name: .rateLimitPolicy, value: String(decoding: policy, as: UTF8.self)))
        headers.append(
            HTTPField(name: .rateLimit, value: String(decoding: current, as: UTF8.self)))
    }

    private static func begin(_ text: inout [UInt8], _ name: String) {
        if !text.isEmpty { text.append(contentsOf: ", ".utf8) }
        text.append(UInt8(ascii: "\""))
        text.append(contentsOf: name.utf8)
        text.append(UInt8(ascii: "\""))
    }

    /// An integer of a structured field has 15 digits at most (RFC 9651, 3.3.1).
    private static func bounded(_ value: Int64) -> Int64 { min(value, 999_999_999_999_999) }
}

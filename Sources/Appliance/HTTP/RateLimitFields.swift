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
        writePolicy(states, into: &policy)
        writeCurrent(states, at: now, into: &current)
        headers.append(
            HTTPField(name: .rateLimitPolicy, value: String(decoding: policy, as: UTF8.self)))
        headers.append(
            HTTPField(name: .rateLimit, value: String(decoding: current, as: UTF8.self)))
    }

    /// Both header lines, as HTTP/1.1 writes them.
    static func write(_ states: [LimitState], at now: Timestamp, into bytes: inout [UInt8]) {
        guard !states.isEmpty else { return }
        bytes.append(contentsOf: "RateLimit-Policy: ".utf8)
        writePolicy(states, into: &bytes)
        bytes.append(contentsOf: "\r\nRateLimit: ".utf8)
        writeCurrent(states, at: now, into: &bytes)
        bytes.append(contentsOf: "\r\n".utf8)
    }

    private static func writePolicy(_ states: [LimitState], into bytes: inout [UInt8]) {
        for (index, state) in states.enumerated() {
            begin(index, state.name, into: &bytes)
            bytes.append(contentsOf: ";q=".utf8)
            bytes.append(decimal: bounded(state.allowed))
            // What has no window, such as live leases, has no such parameter.
            guard state.windowSeconds > 0 else { continue }
            bytes.append(contentsOf: ";w=".utf8)
            bytes.append(decimal: state.windowSeconds)
        }
    }

    private static func writeCurrent(
        _ states: [LimitState], at now: Timestamp, into bytes: inout [UInt8]
    ) {
        for (index, state) in states.enumerated() {
            begin(index, state.name, into: &bytes)
            bytes.append(contentsOf: ";r=".utf8)
            bytes.append(decimal: bounded(state.remaining))
            bytes.append(contentsOf: ";t=".utf8)
            let wait = max(0, state.resetsAt.milliseconds - now.milliseconds)
            bytes.append(decimal: (wait + 999) / 1000)
        }
    }

    private static func begin(_ index: Int, _ name: String, into bytes: inout [UInt8]) {
        if index > 0 { bytes.append(contentsOf: ", ".utf8) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: "\""))
    }

    /// An integer of a structured field has 15 digits at most (RFC 9651, 3.3.1).
    private static func bounded(_ value: Int64) -> Int64 { min(value, 999_999_999_999_999) }
}

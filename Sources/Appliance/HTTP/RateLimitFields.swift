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
        headers[.rateLimitPolicy] = text { writePolicy(states, into: &$0) }
        headers[.rateLimit] = text { writeCurrent(states, at: now, into: &$0) }
    }

    private static func text(_ body: (inout ByteWriter) -> Void) -> String {
        String(decoding: [UInt8].written(capacity: 256, body), as: UTF8.self)
    }

    /// Both header lines, as HTTP/1.1 writes them.
    static func write(_ states: [LimitState], at now: Timestamp, into bytes: inout ByteWriter) {
        guard !states.isEmpty else { return }
        bytes.append("RateLimit-Policy: ")
        writePolicy(states, into: &bytes)
        bytes.append("\r\nRateLimit: ")
        writeCurrent(states, at: now, into: &bytes)
        bytes.append("\r\n")
    }

    private static func writePolicy(_ states: [LimitState], into bytes: inout ByteWriter) {
        let states = states.span
        for index in states.indices {
            begin(index, states[index].name, into: &bytes)
            bytes.append(";q=")
            bytes.append(decimal: bounded(states[index].allowed))
            // What has no window, such as live leases, has no such parameter.
            guard states[index].windowSeconds > 0 else { continue }
            bytes.append(";w=")
            bytes.append(decimal: states[index].windowSeconds)
        }
    }

    private static func writeCurrent(
        _ states: [LimitState], at now: Timestamp, into bytes: inout ByteWriter
    ) {
        let states = states.span
        for index in states.indices {
            begin(index, states[index].name, into: &bytes)
            bytes.append(";r=")
            bytes.append(decimal: bounded(states[index].remaining))
            bytes.append(";t=")
            let wait = max(0, states[index].resetsAt.milliseconds - now.milliseconds)
            bytes.append(decimal: (wait + 999) / 1000)
        }
    }

    private static func begin(_ index: Int, _ name: String, into bytes: inout ByteWriter) {
        if index > 0 { bytes.append(", ") }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(name)
        bytes.append(UInt8(ascii: "\""))
    }

    /// An integer of a structured field has 15 digits at most (RFC 9651, 3.3.1).
    private static func bounded(_ value: Int64) -> Int64 { min(value, 999_999_999_999_999) }
}

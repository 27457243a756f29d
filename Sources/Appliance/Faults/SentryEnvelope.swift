import Domain
import Store

/// What Sentry is sent (develop.sentry.dev/sdk/data-model/envelopes): a line of JSON for the whole,
/// then for each item a line with its type and length, and its bytes.
struct SentryEnvelope {
    let environment: String
    let serverName: String

    /// Why an event was not sent, as client reports call it.
    enum Discard: String, Hashable, CaseIterable, Sendable {
        case queueOverflow = "queue_overflow"
        case rateLimited = "ratelimit_backoff"
        case network = "network_error"
        case refused = "send_error"
    }

    typealias Discards = [Discard: UInt64]

    /// - Parameter fault: nil for a report of discards alone.
    func encode(_ fault: Fault?, discards: Discards, at now: Timestamp) -> [UInt8] {
        var head = JSONWriter(capacity: 256)
        head.object { json in
            if let fault { json.member("event_id", "\(fault.id)") }
            json.member("sent_at", now)
            json.member("sdk") { $0.object { Self.writeSDK(into: &$0) } }
        }
        var bytes = head.bytes
        bytes.append(UInt8(ascii: "\n"))
        if let fault { Self.append("event", event(fault), to: &bytes) }
        if !discards.isEmpty {
            Self.append("client_report", Self.report(discards, at: now), to: &bytes)
        }
        return bytes
    }

    private static func append(_ type: String, _ payload: [UInt8], to bytes: inout [UInt8]) {
        var head = JSONWriter(capacity: 64)
        head.object { json in
            json.member("type", type)
            json.member("length", Int64(payload.count))
        }
        bytes += head.bytes + [UInt8(ascii: "\n")] + payload + [UInt8(ascii: "\n")]
    }

    private static func writeSDK(into json: inout JSONWriter) {
        json.member("name", "gatehouse")
        json.member("version", Gatehouse.version)
    }

    private func event(_ fault: Fault) -> [UInt8] {
        var json = JSONWriter(capacity: 1024)
        json.object { json in
            json.member("event_id", "\(fault.id)")
            json.member("timestamp", fault.at)
            json.member("platform", "other")
            json.member("level", fault.isFatal ? "fatal" : "error")
            json.member("logger", "gatehouse")
            json.member("release", "gatehouse@\(Gatehouse.version)")
            json.member("environment", environment)
            json.member("server_name", serverName)
            if let transaction = fault.transaction { json.member("transaction", transaction) }
            json.member("exception") { json in
                json.object { json in
                    json.member("values") { json in
                        json.array(CollectionOfOne(fault)) { json, fault in
                            json.object { json in
                                json.member("type", fault.what)
                                json.member("value", fault.cause)
                            }
                        }
                    }
                }
            }
            json.member("fingerprint", [fault.what] + Fault.groups.compactMap { fault.details[$0] })
            json.member("tags") { json in
                json.object { json in
                    for (name, value) in fault.details.sorted(by: { $0.key < $1.key }) {
                        json.member(name, value)
                    }
                }
            }
            json.member("contexts") { $0.object { Self.writeContexts(of: fault, into: &$0) } }
            json.member("sdk") { $0.object { Self.writeSDK(into: &$0) } }
        }
        return json.bytes
    }

    private static func writeContexts(of fault: Fault, into json: inout JSONWriter) {
        json.member("sqlite") { json in
            json.object { json in
                json.member("type", "runtime")
                json.member("name", "SQLite")
                json.member("version", SQLiteStore.library.version)
            }
        }
        guard let trace = fault.trace else { return }
        json.member("trace") { json in
            json.object { json in
                json.member("trace_id", "\(trace.traceID)")
                json.member("span_id", TraceContext.hex(trace.spanID))
            }
        }
    }

    private static func report(_ discards: Discards, at now: Timestamp) -> [UInt8] {
        var json = JSONWriter(capacity: 256)
        json.object { json in
            json.member("timestamp", now)
            json.member("discarded_events") { json in
                let ordered = discards.sorted { $0.key.rawValue < $1.key.rawValue }
                json.array(ordered) { json, discard in
                    json.object { json in
                        json.member("reason", discard.key.rawValue)
                        json.member("category", "error")
                        json.member("quantity", Int64(clamping: discard.value))
                    }
                }
            }
        }
        return json.bytes
    }
}

extension Fault {
    /// What was being done: `GET /api/v1/me`.
    fileprivate var transaction: String? {
        if let route = details["route"] { return "\(details["method"] ?? "") \(route)" }
        return details["kind"].map { "job \($0)" }
    }
}

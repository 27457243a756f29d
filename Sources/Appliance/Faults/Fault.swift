import Domain
import Logging
import Tracing

/// Something that should not have happened: what the log calls an error, or worse.
struct Fault: Sendable {
    /// A constant text: what groups the faults of one kind.
    let what: String
    /// The log's own, scrubbed.
    let cause: String
    let isFatal: Bool
    let at: Timestamp
    /// Such as the route's pattern or the kind of a job; never a path, a header or a body.
    let details: [String: String]
    let trace: TraceContext?
    let id: TraceContext.ID

    /// What is told apart when faults are counted, besides `what`.
    static let groups = ["route", "kind", "code"]
}

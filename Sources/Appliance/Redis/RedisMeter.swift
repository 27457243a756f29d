import NIOCore

/// What the client has done since the start.
final class RedisMeter: Sendable {
    /// From half of what a server on the same machine takes, to past every timeout.
    private static let bounds = [
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
        5, 10,
    ]

    /// From the call to the answer.
    let roundTrips = Histogram(bounds: bounds)
    private let answers = Counter()
    private let errors = Counter()
    private let losses = Counter()
    private let connections = Counter()

    func answered(after time: TimeAmount, isError: Bool) {
        roundTrips.record(.nanoseconds(time.nanoseconds))
        if isError { errors.next() } else { answers.next() }
    }

    func lost(_ count: Int) { for _ in 0..<count { losses.next() } }

    func connected() { connections.next() }

    /// Commands by what became of them: answered, refused by the server, or lost without an answer.
    var commands: [(outcome: String, count: UInt64)] {
        [("answered", answers.current), ("error", errors.current), ("lost", losses.current)]
    }

    /// Connections made, of both kinds.
    var connectionsMade: UInt64 { connections.current }
}

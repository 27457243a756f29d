import Domain
import Synchronization

/// A state in 16 parts, each under a lock of its own, so that locks are held short and apart. No
/// lock is held across an await.
struct Stripes<Part: Sendable>: Sendable {
    private final class Stripe: Sendable {
        let part: Mutex<Part>

        init(_ part: Part) { self.part = Mutex(part) }
    }

    static var count: Int { 16 }

    private let all: [Stripe]

    init(_ part: Part) { all = (0..<Self.count).map { _ in Stripe(part) } }

    /// Runs `body` on the part that an id is in.
    func withLock<Noun, Result: Sendable>(
        _ id: ID<Noun>, _ body: (inout Part) -> Result
    ) -> Result {
        withLock(hash: Int(truncatingIfNeeded: id.low), body)
    }

    /// On the part that a hash falls into.
    func withLock<Result: Sendable>(hash: Int, _ body: (inout Part) -> Result) -> Result {
        all[Int(UInt(bitPattern: hash) % UInt(Self.count))].part.withLock { body(&$0) }
    }

    /// On one part after the other, each under its lock.
    func map<Result: Sendable>(_ body: (inout Part) -> Result) -> [Result] {
        all.map { stripe in stripe.part.withLock { body(&$0) } }
    }

    func withEach(_ body: (inout Part) -> Void) {
        for stripe in all { stripe.part.withLock { body(&$0) } }
    }
}

import Domain
import Synchronization

/// How many metered requests the whole appliance let pass and refused, and why, since the last
/// fold. For the dashboard: what customers owe is counted by `Journal`. `kill -9` loses a second.
final class Traffic: Sendable {
    private let allowed = Atomic<Int64>(0)
    private let recent = Mutex(Recent())

    private struct Recent {
        var refused: [Problem.Code: Int64] = [:]
        /// What `take` has given away since the start.
        var taken = Counts()
    }

    struct Counts: Sendable {
        fileprivate(set) var allowed: Int64 = 0
        fileprivate(set) var refused: [Problem.Code: Int64] = [:]

        var isEmpty: Bool { allowed == 0 && refused.isEmpty }

        fileprivate mutating func add(_ other: Counts) {
            allowed += other.allowed
            refused.merge(other.refused, uniquingKeysWith: +)
        }

        fileprivate mutating func remove(_ other: Counts) {
            allowed -= other.allowed
            refused.merge(other.refused, uniquingKeysWith: -)
        }

        /// As `activity` names them.
        var byName: [(name: String, count: Int64)] {
            let refusals = refused.map { ("\(Traffic.refusedPrefix)\($0.rawValue)", $1) }
            return (allowed > 0 ? [(Traffic.allowedName, allowed)] : []) + refusals
        }
    }

    static let allowedName = "requests.allowed"
    static let refusedPrefix = "requests.refused."

    func allow() { allowed.wrappingAdd(1, ordering: .relaxed) }

    func refuse(_ code: Problem.Code) { recent.withLock { $0.refused[code, default: 0] += 1 } }

    func take() -> Counts {
        recent.withLock { recent in
            var counts = Counts()
            counts.allowed = allowed.exchange(0, ordering: .relaxed)
            swap(&recent.refused, &counts.refused)
            recent.taken.add(counts)
            return counts
        }
    }

    /// Since the start. Under the lock that `take` holds, so it never falls.
    var totals: Counts {
        recent.withLock { recent in
            var totals = recent.taken
            totals.allowed += allowed.load(ordering: .relaxed)
            totals.refused.merge(recent.refused, uniquingKeysWith: +)
            return totals
        }
    }

    /// The store did not take them.
    func putBack(_ counts: Counts) {
        recent.withLock { recent in
            allowed.wrappingAdd(counts.allowed, ordering: .relaxed)
            recent.refused.merge(counts.refused, uniquingKeysWith: +)
            recent.taken.remove(counts)
        }
    }
}

import Domain
import Synchronization

/// How many metered requests the whole appliance let pass and refused, and why, since the last
/// fold. For the dashboard: what customers owe is counted by `Journal`. `kill -9` loses a second.
final class Traffic: Sendable {
    private let allowed = Atomic<Int64>(0)
    private let recent = Mutex(Recent())

    private struct Recent {
        var refused: [Problem.Code: Int64] = [:]
    }

    struct Counts: Sendable {
        fileprivate(set) var allowed: Int64 = 0
        fileprivate(set) var refused: [Problem.Code: Int64] = [:]

        var isEmpty: Bool { allowed == 0 && refused.isEmpty }

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
            return counts
        }
    }

    /// The store did not take them.
    func putBack(_ counts: Counts) {
        recent.withLock { recent in
            allowed.wrappingAdd(counts.allowed, ordering: .relaxed)
            recent.refused.merge(counts.refused, uniquingKeysWith: +)
        }
    }
}

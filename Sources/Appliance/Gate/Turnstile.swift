import Domain
import Synchronization

/// Lets one task at a time through, in the order of their coming. Waiting is bounded by who may
/// come: each waiter is a request in flight or the one background loop.
final class Turnstile: Sendable {
    private struct State {
        var isTaken = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func pass<Value>(
        _ body: () async throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        await enter()
        do throws(Problem) {
            let value = try await body()
            leave()
            return value
        } catch {
            leave()
            throw error
        }
    }

    /// One of many, always the same for the same id: calls about one thing pass one at a time, and
    /// nearly all others beside them.
    struct Row: Sendable {
        private let turnstiles = (0..<64).map { _ in Turnstile() }

        subscript<Noun>(id: ID<Noun>) -> Turnstile {
            turnstiles[Int(id.low % UInt64(turnstiles.count))]
        }

        subscript(name: String) -> Turnstile {
            turnstiles[Int(UInt(bitPattern: name.hashValue) % UInt(turnstiles.count))]
        }
    }

    private func enter() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.isTaken {
                    state.waiters.append(continuation)
                    return false
                }
                state.isTaken = true
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    /// Hands over to the next one, who finds it taken: nobody slips in between.
    private func leave() {
        let next: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard !state.waiters.isEmpty else {
                state.isTaken = false
                return nil
            }
            return state.waiters.removeFirst()
        }
        next?.resume()
    }
}

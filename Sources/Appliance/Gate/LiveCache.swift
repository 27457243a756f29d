import Domain

/// What the hot path looks up: live state of the store, in memory, changed in place.
///
/// Invariants: a value is loaded by one task at a time (single flight); after `invalidate` returns,
/// no value read from the store before it is ever served, because a load in flight is marked stale
/// and repeated; at most `capacity` values that let go are kept, the ones not used lately going
/// first.
final class LiveCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Load {
        var isStale = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private struct State {
        /// Used since the last turn, and used in the turn before: two generations are an LRU that
        /// costs nothing on a hit.
        var young: [Key: Value] = [:]
        var old: [Key: Value] = [:]
        var loads: [Key: Load] = [:]
        /// So many are young when the next turn begins.
        var turnAt: Int
        var hits: UInt64 = 0
        var misses: UInt64 = 0
    }

    private let stripes: Stripes<State>
    private let youngMax: Int
    private let letsGo: @Sendable (Value) -> Bool
    private let hitsElsewhere = Counter()

    /// - Parameter letsGo: asked of a value that was not looked for lately: whether it may be
    ///   dropped, which it then is.
    init(capacity: Int, letsGo: @escaping @Sendable (Value) -> Bool = { _ in true }) {
        youngMax = max(1, capacity / 2 / Stripes<State>.count)
        stripes = Stripes(State(turnAt: youngMax))
        self.letsGo = letsGo
    }

    /// Counts a hit on a value of here that somebody still had.
    func noteHit() { hitsElsewhere.next() }

    /// Runs `body` on the value, which it may change; nil when it is not in memory.
    func with<Result: Sendable>(_ key: Key, _ body: (inout Value) -> Result) -> Result? {
        withLock(key) { state in
            // Counted under the lock that is held anyway.
            if let index = state.young.index(forKey: key) {
                state.hits &+= 1
                return body(&state.young.values[index])
            }
            guard var value = state.old.removeValue(forKey: key) else {
                state.misses &+= 1
                return nil
            }
            state.hits &+= 1
            let result = body(&value)
            insert(value, for: key, into: &state)
            return result
        }
    }

    /// The same, on a value that is put there when there is none.
    func with<Result: Sendable>(
        _ key: Key, orInsert fresh: Value, _ body: (inout Value) -> Result
    ) -> Result {
        withLock(key) { state in
            if let index = state.young.index(forKey: key) {
                return body(&state.young.values[index])
            }
            var value = state.old.removeValue(forKey: key) ?? fresh
            let result = body(&value)
            insert(value, for: key, into: &state)
            return result
        }
    }

    /// Fetches the value unless it is there; false when there is none to fetch.
    func load(
        _ key: Key, _ fetch: () async throws(Problem) -> Value?
    ) async throws(Problem) -> Bool {
        while true {
            switch begin(key) {
            case .present: return true
            case .wait: await wait(key)
            case .fetch:
                let value: Value?
                do throws(Problem) {
                    value = try await fetch()
                } catch {
                    end(key, inserting: nil)
                    throw error
                }
                if end(key, inserting: value) { return value != nil }
            }
        }
    }

    /// Keeps a value that did not come from the store.
    func put(_ key: Key, _ value: Value) {
        withLock(key) { state in
            state.old[key] = nil
            insert(value, for: key, into: &state)
        }
    }

    /// Drops the value; one that is being loaded is loaded again.
    func invalidate(_ key: Key) { _ = remove(key) }

    /// The same; returns what was dropped.
    func remove(_ key: Key) -> Value? {
        withLock(key) { state in
            state.loads[key]?.isStale = true
            let old = state.old.removeValue(forKey: key)
            return state.young.removeValue(forKey: key) ?? old
        }
    }

    /// Changes every value in memory; loads in flight are repeated.
    func updateAll(_ body: (inout Value) -> Void) {
        stripes.withEach { state in
            for index in state.young.values.indices { body(&state.young.values[index]) }
            for index in state.old.values.indices { body(&state.old.values[index]) }
            for key in state.loads.keys { state.loads[key]?.isStale = true }
        }
    }

    /// Drops all; loads in flight are repeated.
    func removeAll(_ didDrop: (Value) -> Void = { _ in }) {
        stripes.withEach { state in
            state.young.values.forEach(didDrop)
            state.old.values.forEach(didDrop)
            state.young = [:]
            state.old = [:]
            for key in state.loads.keys { state.loads[key]?.isStale = true }
        }
    }

    /// Makes the load in flight, if there is one, be repeated.
    func markLoadStale(_ key: Key) {
        withLock(key) { $0.loads[key]?.isStale = true }
    }

    var count: Int { stripes.map { $0.young.count + $0.old.count }.reduce(0, +) }

    /// How often what was looked for was there, and how often it was not, since the start.
    var looks: (hits: UInt64, misses: UInt64) {
        stripes.map { ($0.hits, $0.misses) }.reduce((hitsElsewhere.current, 0)) {
            ($0.0 + $1.0, $0.1 + $1.1)
        }
    }

    // MARK: Loading

    private enum Step { case present, wait, fetch }

    private func begin(_ key: Key) -> Step {
        withLock(key) { state in
            if state.young[key] != nil || state.old[key] != nil { return .present }
            if state.loads[key] != nil { return .wait }
            state.loads[key] = Load()
            return .fetch
        }
    }

    private func wait(_ key: Key) async {
        await withCheckedContinuation { continuation in
            let isOver = withLock(key) { state in
                guard state.loads[key] != nil else { return true }
                state.loads[key]?.waiters.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    /// False when the value was out of date before it arrived.
    @discardableResult
    private func end(_ key: Key, inserting value: Value?) -> Bool {
        let load = withLock(key) { state in
            let load = state.loads.removeValue(forKey: key)
            if let value, load?.isStale == false { insert(value, for: key, into: &state) }
            return load
        }
        for waiter in load?.waiters ?? [] { waiter.resume() }
        return load?.isStale == false
    }

    private func insert(_ value: Value, for key: Key, into state: inout State) {
        if state.young.count >= state.turnAt {
            let kept = state.old.filter { !letsGo($0.value) }
            state.old = state.young
            state.young = kept
            // Where many do not let go, they are not all asked again with each insertion.
            state.turnAt = max(youngMax, 2 * kept.count)
        }
        state.young[key] = value
    }

    private func withLock<Result: Sendable>(
        _ key: Key, _ body: (inout State) -> Result
    ) -> Result {
        stripes.withLock(hash: key.hashValue, body)
    }
}

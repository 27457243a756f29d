/// What ends by itself at a moment.
protocol Expiring {
    var id: ID<Self> { get }
    var expiresAt: Timestamp { get }
}

extension Reservation: Expiring {}
extension Lease: Expiring {}

/// A list that is kept in the order in which its entries end.
extension Array where Element: Expiring {
    /// Among those that end together, the newest last. Most end after all others, so the search
    /// begins there.
    mutating func insertByEnd(_ entry: Element) {
        var at = endIndex
        while at > startIndex, self[at - 1].expiresAt > entry.expiresAt { at -= 1 }
        insert(entry, at: at)
    }

    /// Asked for every request: no entry is copied.
    func hasEnded(at now: Timestamp) -> Bool { !isEmpty && now >= self[startIndex].expiresAt }

    /// Takes out those that have ended.
    mutating func removeEnded(at now: Timestamp) -> ArraySlice<Element> {
        let ended = prefix { now >= $0.expiresAt }
        removeFirst(ended.count)
        return ended
    }

    func find(_ id: ID<Element>) -> Element? { first { $0.id == id } }

    mutating func remove(_ id: ID<Element>) -> Element? {
        firstIndex { $0.id == id }.map { remove(at: $0) }
    }
}

import Synchronization

/// One cell, such as a counter, for each set of labels, found without a lock.
///
/// A table of fixed size with linear probing, each place of which is filled once and never emptied:
/// whoever looks for the same labels walks the same places, so they have one cell, whoever came
/// first. There are at most `most` of them (security G5); what comes after counts in `other`.
final class LabelledCells<Labels: Hashable & Sendable, Cell: Sendable>: Sendable {
    private final class Entry: Sendable {
        let labels: Labels
        let cell: Cell

        init(_ labels: Labels, _ cell: Cell) {
            self.labels = labels
            self.cell = cell
        }
    }

    private final class Place: Sendable {
        let entry = AtomicLazyReference<Entry>()
    }

    private let places: [Place]
    private let most: Int
    private let taken = Atomic<Int>(0)
    private let isCrowded = Atomic<Bool>(false)
    private let make: @Sendable () -> Cell
    /// For all labels that there was no room for.
    let other: Cell

    init(atMost most: Int, make: @escaping @Sendable () -> Cell) {
        self.most = most
        self.make = make
        other = make()
        // Half of them stay free, so that a walk is short.
        places = (0..<max(2, most * 2)).map { _ in Place() }
    }

    func cell(_ labels: Labels) -> Cell {
        let first = Int(UInt(bitPattern: labels.hashValue) % UInt(places.count))
        for step in 0..<places.count {
            let place = places[(first + step) % places.count]
            if let entry = place.entry.load() {
                if entry.labels == labels { return entry.cell }
                continue
            }
            guard reserve() else { break }
            let made = Entry(labels, make())
            let kept = place.entry.storeIfNil(made)
            if kept === made { return made.cell }
            // Somebody was faster, perhaps with other labels.
            taken.wrappingSubtract(1, ordering: .relaxed)
            if kept.labels == labels { return kept.cell }
        }
        isCrowded.store(true, ordering: .relaxed)
        return other
    }

    /// Those who lose a race hold a place for a moment: near the end, `other` may get some labels a
    /// little early, and never more than `most` have a cell.
    private func reserve() -> Bool {
        if taken.wrappingAdd(1, ordering: .relaxed).newValue <= most { return true }
        taken.wrappingSubtract(1, ordering: .relaxed)
        return false
    }

    /// What there is, in no order.
    var all: [(labels: Labels, cell: Cell)] {
        places.compactMap { $0.entry.load().map { ($0.labels, $0.cell) } }
    }

    /// Nil while there was room for everybody.
    var overflow: Cell? { isCrowded.load(ordering: .relaxed) ? other : nil }
}

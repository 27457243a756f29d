import Domain
import Store
import Synchronization

/// Writes what was counted into the counter file, and knows whose counts a batch has.
///
/// Used under the lock of the customer whose count it is: `CounterFile` asks for that. The folding
/// is one task's at a time.
final class Journal: Sendable {
    /// Where one customer's unfolded counts are.
    struct Places: Sendable {
        fileprivate struct Place: Sendable {
            let number: Int32
            let key: UsageDelta.Key
        }

        fileprivate var open: [Place] = []
        /// The newest batch that this customer is listed for.
        fileprivate var listedFor: UInt64 = 0

        /// Everything that was counted is in the store.
        var isEmpty: Bool { open.isEmpty }
    }

    /// Some customers of the closing batch, in the order of their ids.
    struct Part: Sendable {
        let batch: UInt64
        let users: ArraySlice<UserID>
        /// No other part of the batch follows.
        let isLast: Bool

        /// What the store is told of the part.
        var through: UserID? { isLast ? nil : users.last }
    }

    private struct Closing {
        let batch: UInt64
        /// Those whose counts the store does not have yet.
        var rest: ArraySlice<UserID>
    }

    private let file: CounterFile
    /// The customers with counts of the open batch.
    private let listed = Mutex<[UInt64: [UserID]]>([:])
    private let closing = Mutex<Closing?>(nil)

    init(file: CounterFile) { self.file = file }

    func write(
        _ bookings: [Booking], of user: UserID, _ customer: inout Customer, _ places: inout Places
    ) {
        guard !bookings.isEmpty else { return }
        list(user, &places)
        for booking in bookings {
            if let place = write(booking, of: user, &places) {
                customer.setPlace(Int64(place), of: booking)
            }
        }
        // A batch may have ended meanwhile: then some of it stands in the next one.
        list(user, &places)
    }

    /// For a customer whose state is shared by nodes: it knows of no place of any of them.
    func write(_ bookings: [Booking], of user: UserID, _ places: inout Places) {
        guard !bookings.isEmpty else { return }
        list(user, &places)
        for booking in bookings { _ = write(booking, of: user, &places) }
        list(user, &places)
    }

    /// Returns the place when it is another than the booking has.
    private func write(
        _ booking: Booking, of user: UserID, _ places: inout Places
    ) -> Int32? {
        if let place = booking.place, file.add(booking.cost, to: Int32(place)) { return nil }
        let key = UsageDelta.Key(
            user: user, key: booking.owner, metric: booking.metric, hour: booking.hourIndex)
        // The newest of them: one before it is full.
        if let known = places.open.last(where: { $0.key == key }),
            file.add(booking.cost, to: known.number)
        {
            return known.number
        }
        // None is left only past 4 million places: then the count is in memory alone, and what a
        // restart forgets of it is in the customer's favour.
        guard let number = file.open(key) else { return nil }
        places.open.append(Places.Place(number: number, key: key))
        _ = file.add(booking.cost, to: number)
        return number
    }

    private func list(_ user: UserID, _ places: inout Places) {
        let batch = file.openBatch
        guard places.listedFor != batch else { return }
        places.listedFor = batch
        listed.withLock { $0[batch, default: []].append(user) }
    }

    // MARK: Folding

    /// Ends the open batch, which becomes the closing one. False when nothing was counted in it, or
    /// while another is closing.
    func closeBatch() -> Bool {
        closing.withLock { closing in
            guard closing == nil, listed.withLock({ $0[file.openBatch] }) != nil,
                let batch = file.advance()
            else { return false }
            let users = listed.withLock { $0.removeValue(forKey: batch) } ?? []
            // Who had nothing left to fold in between may have been listed twice, and is folded
            // once.
            closing = Closing(batch: batch, rest: Set(users).sorted()[...])
            return true
        }
    }

    /// What of the closing batch is to be folded next; the same until `didFold`. Nil when there is
    /// none.
    func part(atMost count: Int) -> Part? {
        closing.withLock { closing in
            closing.map {
                Part(
                    batch: $0.batch, users: $0.rest.prefix(count), isLast: $0.rest.count <= count)
            }
        }
    }

    /// Customers with counts that the store does not have; who has some in both batches, twice.
    var backlog: Int {
        listed.withLock { $0.values.reduce(0) { $0 + $1.count } }
            + closing.withLock { $0?.rest.count ?? 0 }
    }

    /// Puts all counts so far on the disk. Blocks.
    func sync() -> Bool { file.sync() }

    /// What a customer has in a batch that is closed.
    func deltas(_ places: Places, batch: UInt64) -> [UsageDelta] {
        places.open.compactMap { place in
            let delta = file.delta(at: place.number, batch: batch)
            return delta == 0 ? nil : UsageDelta(key: place.key, value: delta)
        }
    }

    /// What a customer has in both batches, read under their lock: nothing is counted meanwhile.
    func unfolded(_ places: Places) -> [UnfoldedUse] {
        // In this order: a batch that ends in between is then seen twice, and not missed.
        let open = file.openBatch
        let batches = Set([open, file.closingBatch ?? open])
        return batches.flatMap { batch in
            deltas(places, batch: batch).map { UnfoldedUse(batch: batch, delta: $0) }
        }
    }

    /// The store has that part, for good.
    func didFold(_ part: Part) {
        closing.withLock { closing in
            guard part.isLast else {
                closing?.rest.removeFirst(part.users.count)
                return
            }
            file.didFold(part.batch)
            closing = nil
            // Who was listed while it ended has counted in the next one, and is listed there.
            listed.withLock { $0[part.batch] = nil }
        }
    }

    /// After a fold: gives back the places of hours that are over, and all of them when nothing was
    /// counted since.
    func tidy(_ customer: inout Customer, _ places: inout Places, folded batch: UInt64) {
        tidy(&places, folded: batch) { customer.forget(place: Int64($0)) }
    }

    func tidy(
        _ places: inout Places, folded batch: UInt64, willClose: (Int32) -> Void = { _ in }
    ) {
        for place in places.open { file.clear(place.number, batch: batch) }
        let newest = places.open.map(\.key.hour).max() ?? 0
        let isIdle = places.open.allSatisfy { file.isEmpty($0.number) }
        places.open.removeAll { place in
            guard isIdle || place.key.hour < newest, file.isEmpty(place.number) else {
                return false
            }
            willClose(place.number)
            return file.close(place.number)
        }
    }

    /// Whether the store has all that was counted there.
    func isFolded(_ places: Places) -> Bool { places.open.allSatisfy { file.isEmpty($0.number) } }

    /// The customer is gone, and the counts with them.
    func forget(_ places: Places) {
        for place in places.open {
            file.clear(place.number, batch: file.openBatch)
            if let closing = file.closingBatch { file.clear(place.number, batch: closing) }
            file.close(place.number)
        }
    }
}

import Domain
import Store
import Synchronization

/// Writes what was counted into the counter file, and knows whose counts a batch has.
///
/// Used under the lock of the customer whose count it is: `CounterFile` asks for that.
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

    private let file: CounterFile
    /// The customers with counts of a batch: the open one and the one that is being folded.
    private let listed = Mutex<[UInt64: [UserID]]>([:])

    init(file: CounterFile) { self.file = file }

    func write(
        _ bookings: [Booking], of user: UserID, _ customer: inout Customer, _ places: inout Places
    ) {
        guard !bookings.isEmpty else { return }
        list(user, &places)
        for booking in bookings { write(booking, of: user, &customer, &places) }
        // A batch may have ended meanwhile: then some of it stands in the next one.
        list(user, &places)
    }

    private func write(
        _ booking: Booking, of user: UserID, _ customer: inout Customer, _ places: inout Places
    ) {
        if let place = booking.place, file.add(booking.cost, to: Int32(place)) { return }
        let key = UsageDelta.Key(
            user: user, key: booking.owner, metric: booking.metric, hour: booking.hourIndex)
        // None is left only past 4 million places: then the count is in memory alone, and what a
        // restart forgets of it is in the customer's favour.
        guard let number = file.open(key) else { return }
        places.open.append(Places.Place(number: number, key: key))
        customer.setPlace(Int64(number), of: booking)
        _ = file.add(booking.cost, to: number)
    }

    private func list(_ user: UserID, _ places: inout Places) {
        let batch = file.openBatch
        guard places.listedFor != batch else { return }
        places.listedFor = batch
        listed.withLock { $0[batch, default: []].append(user) }
    }

    // MARK: Folding

    /// The batch that is to be folded now: one that a failed fold has left, or else the open one,
    /// if it counted anything. Its customers with it.
    func close() -> (batch: UInt64, users: [UserID])? {
        if let batch = file.closingBatch { return (batch, users(of: batch)) }
        guard !users(of: file.openBatch).isEmpty, let batch = file.advance() else { return nil }
        return (batch, users(of: batch))
    }

    private func users(of batch: UInt64) -> [UserID] { listed.withLock { $0[batch] ?? [] } }

    /// What a customer has in a batch that is closed.
    func deltas(_ places: Places, batch: UInt64) -> [UsageDelta] {
        places.open.compactMap { place in
            let delta = file.delta(at: place.number, batch: batch)
            return delta == 0 ? nil : UsageDelta(key: place.key, value: delta)
        }
    }

    /// The store has the batch, for good.
    func didFold(_ batch: UInt64) {
        file.didFold(batch)
        listed.withLock { $0[batch] = nil }
    }

    /// After a fold: gives back the places of hours that are over, and all of them when nothing was
    /// counted since.
    func tidy(_ customer: inout Customer, _ places: inout Places) {
        let newest = places.open.map(\.key.hour).max() ?? 0
        let isIdle = places.open.allSatisfy { file.isEmpty($0.number) }
        places.open.removeAll { place in
            guard isIdle || place.key.hour < newest, file.isEmpty(place.number) else {
                return false
            }
            customer.forget(place: Int64(place.number))
            return file.close(place.number)
        }
    }

    /// The customer is gone, and the counts with them.
    func forget(_ places: Places) {
        for place in places.open {
            file.clear(place.number, batch: file.openBatch)
            if let closing = file.closingBatch { file.clear(place.number, batch: closing) }
            file.close(place.number)
        }
    }
}

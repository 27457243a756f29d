/// Which reservations of one customer live, the soonest to end first.
package struct ReservationTable: Equatable, Sendable {
    package private(set) var live: [Reservation] = []

    var hasRoom: Bool { live.count < Reservation.perCustomerMax }

    mutating func add(_ reservation: Reservation) { live.insertByEnd(reservation) }

    mutating func remove(_ id: ReservationID) -> Reservation? { live.remove(id) }

    func hasEnded(at now: Timestamp) -> Bool { live.hasEnded(at: now) }

    mutating func removeEnded(at now: Timestamp) -> ArraySlice<Reservation> {
        live.removeEnded(at: now)
    }

    func find(_ id: ReservationID) -> Reservation? { live.find(id) }

    /// When a quota that is `over` its bound is so no longer, if nothing else is taken: holds end
    /// one by one, and at `windowEnd` what was used counts no more. For a demand that never fits,
    /// the end of the window.
    func roomAt(
        _ metric: String, by key: APIKeyID?, over: Int64, used: Int64, windowEnd: Timestamp
    ) -> Timestamp {
        var over = over
        var isNextWindow = false
        for hold in live where hold.metric == metric && (key == nil || hold.keyID == key) {
            if !isNextWindow, hold.expiresAt >= windowEnd {
                isNextWindow = true
                over -= used
                if over <= 0 { return windowEnd }
            }
            over -= hold.amount
            if over <= 0 { return hold.expiresAt }
        }
        return windowEnd
    }
}

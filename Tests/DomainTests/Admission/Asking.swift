import Domain
import Testing

/// Asking with a review of one's own, for tests that look at the decision alone.
extension Customer {
    mutating func admit(
        _ demand: Demand, key: KeyRules? = nil, at now: Timestamp
    ) -> Decision {
        var review = Review()
        return admit(demand, key: key, at: now, &review)
    }

    mutating func reserve(
        _ reservation: Reservation, key: KeyRules? = nil, at now: Timestamp
    ) -> Decision {
        var review = Review()
        return reserve(reservation, key: key, at: now, &review)
    }

    mutating func commit(
        _ id: ReservationID, _ amount: Int64, key: KeyRules? = nil, at now: Timestamp
    ) -> Decision {
        var review = Review()
        return commit(id, amount, key: key, at: now, &review)
    }

    mutating func lease(_ lease: Lease, key: KeyRules? = nil, at now: Timestamp) -> Decision {
        var review = Review()
        return self.lease(lease, key: key, at: now, &review)
    }

    func used(_ metric: String, _ window: Window, at now: Timestamp) -> Int64? {
        account.tally(metric)?.counter(window, at: now).used
    }
}

extension Decision {
    var isGranted: Bool { self == .granted }

    func refusal() throws -> Refusal {
        guard case .refused(let refusal) = self else { throw Unexpected(decision: self) }
        return refusal
    }

    private struct Unexpected: Error { let decision: Decision }
}

extension Ruleset {
    convenience init(json: String) throws {
        self.init(try Limits(json: JSONParser.parse(Array(json.utf8))))
    }
}

extension Standing {
    init(json: String, expiresAt: Timestamp? = nil) throws {
        self.init(planSlug: "pro", rules: try Ruleset(json: json), expiresAt: expiresAt)
    }
}

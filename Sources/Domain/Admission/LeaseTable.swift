/// Which leases of one customer live, the soonest to end first.
package struct LeaseTable: Equatable, Sendable {
    package private(set) var live: [Lease] = []

    var hasRoom: Bool { live.count < Lease.perCustomerMax }

    mutating func add(_ lease: Lease) { live.insertByEnd(lease) }

    mutating func remove(_ id: LeaseID) -> Lease? { live.remove(id) }

    func hasEnded(at now: Timestamp) -> Bool { live.hasEnded(at: now) }

    mutating func removeEnded(at now: Timestamp) { _ = live.removeEnded(at: now) }

    func find(_ id: LeaseID) -> Lease? { live.find(id) }

    /// How many of a resource are in use: by anybody, or by one key.
    package func inUse(_ resource: String, by key: APIKeyID? = nil) -> Int64 {
        Int64(live.count { $0.counts(resource, key) })
    }

    /// When one more fits under `bound`, if none is renewed or released. Nil when none ever does.
    func roomAt(_ resource: String, by key: APIKeyID?, under bound: Int64) -> Timestamp? {
        guard bound > 0 else { return nil }
        var left = inUse(resource, by: key)
        for lease in live where lease.counts(resource, key) {
            left -= 1
            if left < bound { return lease.expiresAt }
        }
        return nil
    }

    func nextEnd(_ resource: String, by key: APIKeyID?) -> Timestamp? {
        live.first { $0.counts(resource, key) }?.expiresAt
    }
}

extension Lease {
    fileprivate func counts(_ resource: String, _ key: APIKeyID?) -> Bool {
        self.resource == resource && (key == nil || key == keyID)
    }
}

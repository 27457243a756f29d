import Domain
import Store

/// What this node folds of customers that nodes share: what it has counted itself, and rates and
/// quotas as it saw them last. Of several nodes that save a rate, the newest state stays.
extension SharedCustomers {
    func unsaved(_ part: Journal.Part) -> (deltas: [UsageDelta], rates: [RateStates.Entry]) {
        var deltas: [UsageDelta] = []
        var rates: [RateStates.Entry] = []
        for user in part.users {
            deltas += places.deltas(of: user, batch: part.batch)
            rates += (records.with(user) { $0.customer?.slowRates(of: user) } ?? nil) ?? []
        }
        return (deltas, rates)
    }

    func didFold(_ part: Journal.Part) {
        for user in part.users { places.didFold(user, batch: part.batch) }
    }

    /// Each node finds them; the store takes them once.
    func news(of users: some Sequence<UserID>, at now: Timestamp) -> [QuotaNews] {
        users.flatMap { user in
            records.with(user) { $0.customer?.news(of: user, told: $0.told, at: now) ?? [] } ?? []
        }
    }

    func didTell(_ news: [QuotaNews]) {
        for item in news {
            records.with(item.user) { $0.told.note(item.use, item.threshold) }
        }
    }
}

extension Customer {
    /// As the store keeps them.
    func slowRates(of user: UserID) -> [RateStates.Entry] {
        slowRates().map { name, rate in
            RateStates.Entry(subject: "user:\(user)", name: name, rate: rate)
        }
    }
}

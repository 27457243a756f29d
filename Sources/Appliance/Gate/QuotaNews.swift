import Domain
import Store

/// What a customer is to be told of a quota: once for each metric, window and threshold. It is
/// found where counts are saved, never on the way of a request, and noted in the transaction that
/// saves them, with the order of the mail.
struct QuotaNews: Sendable {
    let user: UserID
    let use: QuotaUse
    let threshold: QuotaUse.Threshold
}

extension Customer {
    /// What there is to tell beyond what was told.
    func news(of user: UserID, told: QuotaNotes, at now: Timestamp) -> [QuotaNews] {
        quotasToTell(at: now).compactMap { use in
            guard let threshold = use.threshold, !told.has(use, threshold) else { return nil }
            return QuotaNews(user: user, use: use, threshold: threshold)
        }
    }
}

extension Appliance {
    /// For the transaction of a fold.
    func tell(_ news: [QuotaNews], _ db: any Connection, at now: Timestamp) throws(Problem) {
        for item in news {
            // Memory forgets at a restart; the store does not.
            guard
                try db.quotaAlerts.insert(
                    item.use, of: item.user, threshold: item.threshold, at: now),
                let account = try db.accounts.find(item.user), account.isActive
            else { continue }
            let occasion =
                switch item.threshold {
                case .near: Occasion.quotaNear(item.use)
                case .reached: Occasion.quotaReached(item.use)
                }
            try post(occasion, to: account.email, db, at: now)
        }
    }
}

import Domain

/// What was used of one metric in one hour, and is not in the usage counters yet.
package struct UsageDelta: Hashable, Sendable {
    package struct Key: Hashable, Sendable {
        package let user: UserID
        /// Nil: the whole account. A key with limits of its own is counted beside the account.
        package let key: APIKeyID?
        package let metric: String
        /// Number of the hour since 1970 (`Window.hour.index`); its day and month follow from it.
        package let hour: Int64

        package init(user: UserID, key: APIKeyID?, metric: String, hour: Int64) {
            self.user = user
            self.key = key
            self.metric = metric
            self.hour = hour
        }
    }

    package let key: Key
    /// Units of the metric; below 0 where more was given back than taken.
    package let value: Int64

    package init(key: Key, value: Int64) {
        self.key = key
        self.value = value
    }
}

/// What a batch has counted, of which the store may have been told by now.
package struct UnfoldedUse: Hashable, Sendable {
    package let batch: UInt64
    package let delta: UsageDelta

    package init(batch: UInt64, delta: UsageDelta) {
        self.batch = batch
        self.delta = delta
    }
}

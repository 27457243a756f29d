/// The name of a backup that Gatehouse chose: `gatehouse-20261125T030000.000Z.ghb`, or
/// `gatehouse-20261125T101502.113Z-before-schema-4.ghb` for one made before a migration.
///
/// Only what has such a name is ever deleted by retention: a file that somebody named is theirs.
package struct BackupName: Hashable, Sendable, LosslessStringConvertible {
    package let madeAt: Timestamp
    /// The schema that a migration was about to make.
    package let beforeSchema: Int?

    package static let suffix = ".ghb"
    private static let prefix = "gatehouse-"
    private static let migration = "-before-schema-"

    package init(madeAt: Timestamp, beforeSchema: Int? = nil) {
        self.madeAt = madeAt
        self.beforeSchema = beforeSchema
    }

    package var description: String {
        let time = madeAt.description.filter { $0 != "-" && $0 != ":" }
        return Self.prefix + time + (beforeSchema.map { Self.migration + "\($0)" } ?? "")
            + Self.suffix
    }

    /// Nil for any other name, however near.
    package init?(_ text: String) {
        guard text.hasPrefix(Self.prefix), text.hasSuffix(Self.suffix) else { return nil }
        let core = text.dropFirst(Self.prefix.count).dropLast(Self.suffix.count)
        let time = Array(core.prefix { $0 != "-" })
        // 20261125T030000.000Z
        guard time.count == 20, let moment = Timestamp(Self.extended(time)) else { return nil }
        let rest = core.dropFirst(time.count)
        if rest.isEmpty {
            self.init(madeAt: moment)
        } else {
            guard rest.hasPrefix(Self.migration),
                let schema = Int(rest.dropFirst(Self.migration.count))
            else { return nil }
            self.init(madeAt: moment, beforeSchema: schema)
        }
        // A time that can be written in two ways, a sign or a leading zero: no name of ours.
        guard description == text else { return nil }
    }

    private static func extended(_ time: [Character]) -> String {
        let date = "\(String(time[0..<4]))-\(String(time[4..<6]))-\(String(time[6..<8]))"
        return "\(date)T\(String(time[9..<11])):\(String(time[11..<13])):\(String(time[13...]))"
    }
}

/// How many backups are kept: grandfather, father, son.
///
/// The newest of each of the last so many days, weeks and months stays, where a day, week or month
/// without a backup does not count: when backups stop, nothing that is there grows too old to keep.
/// Days are UTC, weeks begin on Monday.
package struct BackupRetention: Equatable, Sendable {
    package var daily: Int
    package var weekly: Int
    package var monthly: Int

    package init(daily: Int, weekly: Int, monthly: Int) {
        self.daily = daily
        self.weekly = weekly
        self.monthly = monthly
    }

    /// Nothing is ever deleted.
    package var keepsAll: Bool { daily <= 0 && weekly <= 0 && monthly <= 0 }

    /// The backups that can go, in no order. The newest never does, nor does the newest of those
    /// that were made before a migration: it is the way back from an upgrade that went wrong.
    ///
    /// - Parameter good: backups that can be relied on. One that cannot neither goes nor lets
    ///   another go in its favour.
    package func expired(_ good: [BackupName]) -> [BackupName] {
        guard !keepsAll else { return [] }
        let sorted = good.sorted { $0.madeAt > $1.madeAt }
        var kept: Set<BackupName> = []
        if let newest = sorted.first { kept.insert(newest) }
        if let migration = sorted.first(where: { $0.beforeSchema != nil }) {
            kept.insert(migration)
        }
        kept.formUnion(Self.newest(of: daily, sorted) { Self.day($0) })
        // The first day of 1970 was a Thursday.
        kept.formUnion(Self.newest(of: weekly, sorted) { Civil.floor(Self.day($0) + 3, 7) })
        kept.formUnion(
            Self.newest(of: monthly, sorted) {
                let civil = Civil(day: Self.day($0))
                return civil.year * 12 + civil.month
            })
        return sorted.filter { !kept.contains($0) }
    }

    private static func day(_ name: BackupName) -> Int64 {
        Civil.floor(name.madeAt.milliseconds, Civil.millisecondsPerDay)
    }

    private static func newest(
        of count: Int, _ sorted: [BackupName], _ period: (BackupName) -> Int64
    ) -> Set<BackupName> {
        var kept: Set<BackupName> = []
        var last: Int64?
        for name in sorted where period(name) != last {
            guard kept.count < count else { break }
            last = period(name)
            kept.insert(name)
        }
        return kept
    }
}

/// A time of day in UTC, such as `03:00`.
package struct TimeOfDay: Equatable, Sendable, LosslessStringConvertible {
    package let hour: Int
    package let minute: Int

    /// `HH:MM`, from 00:00 to 23:59.
    package init?(_ text: String) {
        let digits = Array(text.utf8)
        guard digits.count == 5, digits[2] == UInt8(ascii: ":"),
            let hour = Int(text.prefix(2)), let minute = Int(text.suffix(2)),
            digits[0] >= UInt8(ascii: "0"), digits[3] >= UInt8(ascii: "0"),
            (0..<24).contains(hour), (0..<60).contains(minute)
        else { return nil }
        self.hour = hour
        self.minute = minute
    }

    package var description: String {
        "\(hour < 10 ? "0" : "")\(hour):\(minute < 10 ? "0" : "")\(minute)"
    }

    /// Each day at this time, as `Schedule` reads it.
    package var schedule: String { "\(minute) \(hour) * * *" }

    /// The last moment at or before `now` when it was this time.
    package func last(before now: Timestamp) -> Timestamp {
        let offset = Int64(hour * 60 + minute) * 60_000
        let day = Civil.floor(now.milliseconds - offset, Civil.millisecondsPerDay)
        return Timestamp(milliseconds: day * Civil.millisecondsPerDay + offset)
    }
}

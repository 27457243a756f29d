import Domain
import Support
import Testing

@Suite("Names of backups")
struct BackupNameTests {
    @Test("A name tells the time, and the schema that a migration was about to make")
    func roundTrip() throws {
        let moment = try #require(Timestamp("2026-11-25T03:00:00.000Z"))
        let plain = BackupName(madeAt: moment)
        #expect(plain.description == "gatehouse-20261125T030000.000Z.ghb")
        #expect(BackupName(plain.description) == plain)
        let before = BackupName(madeAt: moment, beforeSchema: 4)
        #expect(before.description == "gatehouse-20261125T030000.000Z-before-schema-4.ghb")
        #expect(BackupName(before.description) == before)
    }

    @Test(
        "Any other name is somebody's own",
        arguments: [
            "", ".ghb", "gatehouse-.ghb", "a.ghb", "gatehouse-20261125T030000.000Z.ghb.partial",
            "gatehouse-20261125T030000.000Z.GHB", "gatehouse-20261125T030000Z.ghb",
            "gatehouse-20261325T030000.000Z.ghb", "gatehouse-2026112-T030000.000Z.ghb",
            "gatehouse-20261125T030000.000Z-before-schema-.ghb",
            "gatehouse-20261125T030000.000Z-before-schema-04.ghb",
            "gatehouse-20261125T030000.000Z-before-schema-+4.ghb",
            "gatehouse-20261125T030000.000Z-keep.ghb", "../gatehouse-20261125T030000.000Z.ghb",
            "Gatehouse-20261125T030000.000Z.ghb", "gatehouse-20261125x030000.000Z.ghb",
            "gatehouse-20261125T030000é000Z.ghb",
        ])
    func foreign(text: String) { #expect(BackupName(text) == nil) }
}

@Suite("Which backups are kept")
struct BackupRetentionTests {
    private static let usual = BackupRetention(daily: 7, weekly: 4, monthly: 12)
    private static let first = Timestamp("2025-01-01T03:00:00.000Z") ?? .epoch

    private static func nights(_ count: Int, every: Int = 1) -> [BackupName] {
        (0..<count).map { BackupName(madeAt: first + .seconds(Int64($0 * every) * 86_400)) }
    }

    private static func kept(_ names: [BackupName], _ keep: BackupRetention = usual) -> [String] {
        Set(names).subtracting(keep.expired(names)).map(\.description).sorted()
    }

    @Test("Of two years of nights, seven days, four weeks and twelve months stay")
    func twoYears() {
        let all = Self.nights(730)  // to 2026-12-31, a Thursday
        let days = Self.kept(all).map { String($0.dropFirst(10).prefix(8)) }
        #expect(
            days == [
                "20260131", "20260228", "20260331", "20260430", "20260531", "20260630",
                "20260731", "20260831", "20260930", "20261031", "20261130", "20261213",
                "20261220", "20261225", "20261226", "20261227", "20261228", "20261229",
                "20261230", "20261231",
            ])
    }

    @Test("Night after night it is the same as at once, and never more than 23")
    func steady() {
        var there: [BackupName] = []
        for (index, night) in Self.nights(800).enumerated() {
            there.append(night)
            let gone = Set(Self.usual.expired(there))
            there.removeAll { gone.contains($0) }
            #expect(there.contains(night), "the newest went in night \(index)")
            #expect(there.count <= 23)
        }
        #expect(there.count >= 18)
        #expect(there.map(\.description) == Self.kept(Self.nights(800)))
    }

    @Test("When backups stop, what is there does not grow too old to keep")
    func stopped() {
        let old = Self.nights(3)
        #expect(Self.usual.expired(old).isEmpty)
        // A gap of a year between them: each is of a day, a week and a month that has one.
        #expect(Self.usual.expired(Self.nights(3, every: 365)).isEmpty)
    }

    @Test("Of one day the newest stays, and the last one before a migration")
    func day() {
        let times = (0..<24).map { Self.first + .seconds(Int64($0) * 3600 - 3 * 3600) }
        var names = times.map { BackupName(madeAt: $0) }
        let migrations = [
            BackupName(madeAt: times[3] + .seconds(60), beforeSchema: 2),
            BackupName(madeAt: times[5] + .seconds(60), beforeSchema: 3),
        ]
        names += migrations
        let daily = BackupRetention(daily: 1, weekly: 0, monthly: 0)
        #expect(
            Self.kept(names, daily)
                == [migrations[1].description, names[23].description].sorted())
    }

    @Test("All zero keeps everything; one alone keeps the newest all the same")
    func none() {
        let names = Self.nights(40)
        #expect(BackupRetention(daily: 0, weekly: 0, monthly: 0).expired(names).isEmpty)
        let weekly = BackupRetention(daily: 0, weekly: 2, monthly: 0)
        #expect(Self.kept(names, weekly).count == 2)
        #expect(Self.kept(names, weekly).last == names.last?.description)
        #expect(weekly.expired([]).isEmpty)
    }

    @Test("In any order, with any history: the newest stays, and what goes was there")
    func random() {
        var random = SplitMix64(seed: 21)
        for _ in 0..<200 {
            let names = (0..<Int(random.int(1...60))).map { _ in
                BackupName(
                    madeAt: Self.first + .seconds(random.int(0...100 * 86_400)),
                    beforeSchema: random.int(0...9) == 0 ? 2 : nil)
            }
            let keep = BackupRetention(
                daily: Int(random.int(0...4)), weekly: Int(random.int(0...3)),
                monthly: Int(random.int(0...3)))
            let gone = keep.expired(names)
            let newest = names.max { $0.madeAt < $1.madeAt }
            #expect(!gone.contains { $0.madeAt == newest?.madeAt })
            #expect(Set(gone).isSubset(of: names))
            // What was kept is kept again: deleting is done in one go.
            #expect(keep.expired(names.filter { !gone.contains($0) }).isEmpty)
        }
    }
}

@Suite("A time of day")
struct TimeOfDayTests {
    @Test("Its last moment is today's or yesterday's")
    func last() throws {
        let at = try #require(TimeOfDay("03:00"))
        for (now, expected) in [
            ("2026-11-25T03:00:00.000Z", "2026-11-25T03:00:00.000Z"),
            ("2026-11-25T02:59:59.999Z", "2026-11-24T03:00:00.000Z"),
            ("2026-11-25T23:59:59.999Z", "2026-11-25T03:00:00.000Z"),
            ("2026-03-01T00:00:00.000Z", "2026-02-28T03:00:00.000Z"),
        ] {
            #expect(at.last(before: try #require(Timestamp(now))).description == expected)
        }
    }

    @Test("As a schedule it comes each day at that time")
    func schedule() throws {
        let schedule = try Schedule(try #require(TimeOfDay("23:05")).schedule)
        for (now, expected) in [
            ("2026-11-25T23:04:59.999Z", "2026-11-25T23:05:00.000Z"),
            ("2026-11-25T23:05:00.000Z", "2026-11-26T23:05:00.000Z"),
        ] {
            let next = schedule.next(after: try #require(Timestamp(now)))
            #expect(next?.description == expected)
        }
    }

    @Test("HH:MM and nothing else", arguments: ["24:00", "3:00", "03:60", "03.00", "+3:00", ""])
    func refused(text: String) { #expect(TimeOfDay(text) == nil) }

    @Test("It is written as it is read", arguments: ["00:00", "03:05", "23:59"])
    func roundTrip(text: String) { #expect(TimeOfDay(text)?.description == text) }
}

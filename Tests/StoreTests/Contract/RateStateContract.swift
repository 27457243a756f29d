import Domain
import Store
import Testing

@Suite("Rate states")
struct RateStateContract {
    private static func entry(
        _ subject: String, _ name: String = "requests_per_minute", backlog: Int128 = 1,
        at milliseconds: Int64 = 1
    ) -> RateStates.Entry {
        RateStates.Entry(
            subject: subject, name: name,
            rate: RateLimiter(
                backlog: backlog, updatedAt: Timestamp(milliseconds: milliseconds)))
    }

    @Test(
        "A backlog comes back to the last digit",
        arguments: [0, 1, Int128(Int64.max) + 1, .max, .min])
    func roundTrip(backlog: Int128) async throws {
        try await withStore { db in
            let entry = Self.entry("user:a", backlog: backlog, at: .max)
            let loaded = try await db.write { db throws(Problem) in
                try db.rateStates.save([entry])
                return try db.rateStates.load("user:a")
            }
            #expect(loaded == [entry])
        }
    }

    @Test("One rate is found by its subject and its name")
    func find() async throws {
        try await withStore { db in
            let entry = Self.entry("user:a", "b", backlog: 8, at: 5)
            let found = try await db.write { db throws(Problem) in
                try db.rateStates.save([
                    Self.entry("user:a", "a"), entry, Self.entry("user:b", "b"),
                ])
                return [
                    try db.rateStates.find("user:a", "b"), try db.rateStates.find("user:a", "c"),
                ]
            }
            #expect(found == [entry.rate, nil])
        }
    }

    @Test("A later state takes the place of the one before; other subjects and names stay")
    func replaces() async throws {
        try await withStore { db in
            let other = Self.entry("user:b", backlog: 7)
            let second = Self.entry("user:a", "b", backlog: 8)
            let loaded = try await db.write { db throws(Problem) in
                try db.rateStates.save([Self.entry("user:a", "a"), second, other])
                try db.rateStates.save([Self.entry("user:a", "a", backlog: 9, at: 5)])
                return [try db.rateStates.load("user:a"), try db.rateStates.load("user:b")]
            }
            #expect(loaded == [[Self.entry("user:a", "a", backlog: 9, at: 5), second], [other]])
        }
    }

    @Test("Of states that several nodes save the newest stays, in whatever order they come")
    func newest() async throws {
        try await withStore { db in
            let loaded = try await db.write { db throws(Problem) in
                try db.rateStates.save([Self.entry("user:a", backlog: 5, at: 20)])
                try db.rateStates.save([Self.entry("user:a", backlog: 9, at: 10)])
                return try db.rateStates.load("user:a")
            }
            #expect(loaded == [Self.entry("user:a", backlog: 5, at: 20)])
        }
    }

    @Test("A subject without states has none")
    func missing() async throws {
        try await withStore { db in
            let loaded = try await db.write { db throws(Problem) in
                try db.rateStates.save([Self.entry("user:a")])
                return try db.rateStates.load("user:")
            }
            #expect(loaded.isEmpty)
        }
    }

    @Test("A backlog that is no number is damage")
    func damaged() async throws {
        try await withStore { db in
            try await db.execute("INSERT INTO rate_states VALUES ('user:a', 'b', '1e5', 1)")
            await #expect {
                try await db.read { db throws(Problem) in try db.rateStates.load("user:a") }
            } throws: {
                ($0 as? Problem)?.code == .internal
            }
        }
    }

    @Test("Pruning takes the oldest that are older than the moment, and no more than asked")
    func prune() async throws {
        try await withStore { db in
            try await db.write { db throws(Problem) in
                try db.rateStates.save(
                    (1...10).map { Self.entry("s\($0 % 3)", "n\($0)", at: $0) })
            }
            func prune(before moment: Int64, atMost most: Int) async throws -> Int {
                try await db.write { db throws(Problem) in
                    try db.rateStates.prune(
                        updatedBefore: Timestamp(milliseconds: moment), atMost: most)
                }
            }
            let left: SQL = "SELECT name FROM rate_states ORDER BY updated_at"
            #expect(try await prune(before: 6, atMost: 3) == 3)
            #expect(try await db.texts(left) == (4...10).map { "n\($0)" })
            #expect(try await prune(before: 6, atMost: 3) == 2)
            #expect(try await prune(before: 6, atMost: 3) == 0)
            #expect(try await db.texts(left) == (6...10).map { "n\($0)" })
        }
    }

    @Test("A run of guesses has no age until it is forgiven")
    func runs() async throws {
        try await withStore { db in
            try await db.write { db throws(Problem) in
                try db.rateStates.save([
                    Self.entry(RateStates.runs, "login:a", backlog: 1, at: 1),
                    Self.entry(RateStates.runs, "login:b", backlog: 0, at: 2),
                    Self.entry(RateStates.runs, "login:c", backlog: 0, at: 9),
                    Self.entry("user:a", "d", backlog: 5, at: 3),
                ])
            }
            let pruned = try await db.write { db throws(Problem) in
                try db.rateStates.prune(
                    updatedBefore: Timestamp(milliseconds: 9), atMost: 100)
            }
            #expect(pruned == 2)
            let left: SQL = "SELECT name FROM rate_states ORDER BY name"
            #expect(try await db.texts(left) == ["login:a", "login:c"])
        }
    }

    @Test("Of runs beyond the bound the shortest go, and of equal ones the oldest; rates stay")
    func runsBounded() async throws {
        try await withStore { db in
            let counts: [(String, Int128)] = [("a", 2), ("b", 10), ("c", 9), ("d", 2), ("e", 100)]
            try await db.write { db throws(Problem) in
                try db.rateStates.save(
                    counts.enumerated().map { index, run in
                        Self.entry(
                            RateStates.runs, run.0, backlog: run.1, at: Int64(index + 1))
                    } + [
                        Self.entry(RateStates.runs, "f", backlog: 0, at: 9),
                        Self.entry("user:a", "g", at: 1),
                    ])
            }
            func prune(keeping kept: Int, atMost most: Int) async throws -> Int {
                try await db.write { db throws(Problem) in
                    try db.rateStates.pruneRuns(keeping: kept, atMost: most)
                }
            }
            let left: SQL = "SELECT name FROM rate_states ORDER BY name"
            #expect(try await prune(keeping: 5, atMost: 9) == 0)
            #expect(try await prune(keeping: 4, atMost: 9) == 1)
            #expect(try await db.texts(left) == ["b", "c", "d", "e", "f", "g"])
            #expect(try await prune(keeping: 2, atMost: 1) == 1)
            #expect(try await prune(keeping: 2, atMost: 1) == 1)
            #expect(try await db.texts(left) == ["b", "e", "f", "g"])
        }
    }
}

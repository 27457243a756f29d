import Domain
import Store
import Testing

@Suite("Installation")
struct InstallationContract {
    @Test("A value is set, replaced and read; one that was never set is none")
    func values() async throws {
        try await withStore { db in
            let seen = try await db.write { db throws(Problem) in
                var seen = [try db.installation.value("a")]
                for value in ["1", "", "Zoë '; --"] {
                    try db.installation.set("a", value)
                    seen.append(try db.installation.value("a"))
                }
                try db.installation.set("b", "other")
                return seen + [try db.installation.value("a")]
            }
            #expect(seen == [nil, "1", "", "Zoë '; --", "Zoë '; --"])
            #expect(try await db.count("SELECT count(*) FROM installation") == 2)
        }
    }

    @Test("Each sequence begins at 1 and goes on by one, whatever the others do")
    func sequences() async throws {
        try await withStore { db in
            let first = try await db.write { db throws(Problem) in
                try ["a", "a", "b", "a"].map { name throws(Problem) in
                    try db.installation.next(name)
                }
            }
            #expect(first == [1, 2, 1, 3])
            let (next, kept, other) = try await db.write { db throws(Problem) in
                (
                    try db.installation.next("a"), try db.installation.value("a"),
                    try db.installation.value("b")
                )
            }
            #expect(next == 4 && kept == "4" && other == "1")
        }
    }

    @Test("A sequence goes on past 2^53, and a number of a unit that failed is given again")
    func sequenceEnds() async throws {
        try await withStore { db in
            let large = Int64(1) << 53
            try await db.write { db throws(Problem) in try db.installation.set("a", "\(large)") }
            let problem = await db.refusal { db throws(Problem) in
                _ = try db.installation.next("a")
                throw .notFound("thing")
            }
            #expect(problem?.code == .notFound)
            let next = try await db.write { db throws(Problem) in try db.installation.next("a") }
            #expect(next == large + 1)
        }
    }

    @Test("A sequence at its end gives no number, and stays there")
    func sequenceFull() async throws {
        try await withStore { db in
            try await db.write { db throws(Problem) in
                try db.installation.set("a", "\(Int64.max)")
            }
            for _ in 0..<2 {
                let problem = await db.refusal { db throws(Problem) in
                    try db.installation.next("a")
                }
                #expect(problem?.code == .internal)
            }
            let kept = try await db.read { db throws(Problem) in try db.installation.value("a") }
            #expect(kept == "\(Int64.max)")
        }
    }
}

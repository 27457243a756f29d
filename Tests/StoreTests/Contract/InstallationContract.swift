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
}

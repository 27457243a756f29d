import Domain
import Store
import Testing

@Suite("The deadline of a read")
struct DeadlineTests {
    // The one slow test of this room: the deadline is 5 s and no argument.
    @Test("A read that does not end is interrupted after 5 s, and its reader goes on")
    func interrupted() async throws {
        try await withSQLiteStore(readerCount: 1) { store, _ in
            let begin = ContinuousClock.now
            await #expect {
                // So long that the test ends in minutes even when nothing interrupts it.
                _ = try await store.count(
                    """
                    WITH RECURSIVE n (i) AS
                        (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)
                    SELECT count(*) FROM n
                    """)
            } throws: { error in
                let problem = error as? Problem
                return problem?.code == .unavailable
                    && problem?.detail == "The store took too long."
                    && problem?.retryAfter == .seconds(1)
            }
            let took = ContinuousClock.now - begin
            // How much longer depends on what else the machine does.
            #expect(took >= .seconds(5))
            let rows = try await store.count("SELECT count(*) FROM installation")
            #expect(rows == 0)
        }
    }
}

import Domain
import Testing

@testable import Store

/// The plans of PostgreSQL, which chooses among those that it could follow by how much there is. In
/// tables without rows it would read all of any: told not to where there is another way, it shows
/// whether there is one.
@Suite("Query plans of PostgreSQL", .enabled(if: Engine.wanted.contains(.postgres)))
struct PostgresPlanTests {
    /// Tables that are read from end to end, and why that is right.
    private static let exceptions = [
        "jobs.prune: schedules": "a handful of rows"
    ]

    @Test("No statement reads a whole table where an index can spare it, but for the exceptions")
    func scans() async throws {
        try await PostgresServer.shared.with { lent in
            let connection = try PostgresConnection(PostgresOptions(url: lent.url))
            _ = try connection.beginWriting()
            try connection.run("SET LOCAL enable_seqscan = off")
            let recorder = PlanRecorder(connection)
            try recorder.runAll()
            connection.rollBack()
            #expect(recorder.statements.count > 100)
            let scans = Set(recorder.steps.compactMap(Self.scan))
            let excepted = Set(Self.exceptions.keys)
            for scan in scans.subtracting(excepted).sorted() { Issue.record("\(scan)") }
            for scan in excepted.subtracting(scans).sorted() {
                Issue.record("not needed any more: \(scan)")
            }
        }
    }

    /// The call and the table, of a step that reads all of one.
    private static func scan(_ step: PlanRecorder.Step) -> String? {
        step.detail.firstRange(of: "Seq Scan on ").map { found in
            "\(step.call): \(step.detail[found.upperBound...].prefix { $0 != " " })"
        }
    }
}

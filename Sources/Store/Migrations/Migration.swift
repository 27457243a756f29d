/// One step of the schema. Released steps are never edited: a change is a new step.
///
/// The statements are SQLite's. INTEGER is 64 bits, times are milliseconds, ids and JSON are TEXT;
/// the PostgreSQL driver reads the same list with BIGINT, BYTEA and without STRICT.
package struct Migration: Sendable {
    package let name: String
    package let statements: [String]
    /// What PostgreSQL alone needs after them.
    package let onPostgres: [String]

    init(name: String, statements: [String], onPostgres: [String] = []) {
        self.name = name
        self.statements = statements
        self.onPostgres = onPostgres
    }

    /// In order; the position is the version.
    package static let all = [
        foundation, serviceCalls, secondFactors, administration, backgroundJobs, quotaNotices,
        severalNodes, guessRuns,
    ]
}

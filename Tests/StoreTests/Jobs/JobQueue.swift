import Domain
import Store
import Testing

/// The steps of a job's life, each in a transaction of its own, at seconds from one start.
struct JobQueue {
    static let start = Sample().now

    let db: any Database

    @discardableResult
    func enqueue(
        _ kind: String = "mail", _ payload: JSON = .object([]), tries: Int64 = 3,
        key: String? = nil, in seconds: Int64 = 0
    ) async throws -> JobID? {
        try await db.write { db throws(Problem) in
            try db.jobs.enqueue(
                kind, payload: payload, attemptsMax: tries, uniqueKey: key,
                runAt: Self.start + .seconds(seconds), at: Self.start)
        }
    }

    /// Each lease lasts 60 seconds.
    func claim(
        _ kind: String = "mail", atMost most: Int = 10, owner: String = "a-1",
        after seconds: Int64 = 0
    ) async throws -> [Jobs.Claim] {
        let now = Self.start + .seconds(seconds)
        return try await db.write { db throws(Problem) in
            try db.jobs.claim(kind, atMost: most, owner: owner, until: now + .seconds(60), at: now)
        }
    }

    func complete(_ claim: Jobs.Claim, after seconds: Int64 = 0) async throws -> Bool {
        try await db.write { db throws(Problem) in
            try db.jobs.complete(claim, at: Self.start + .seconds(seconds))
        }
    }

    /// Dead without a `next`.
    func fail(
        _ claim: Jobs.Claim, _ error: String = "error", next: Int64?, after seconds: Int64 = 0
    ) async throws -> Bool {
        try await db.write { db throws(Problem) in
            try db.jobs.fail(
                claim, error: error, next: next.map { Self.start + .seconds($0) },
                at: Self.start + .seconds(seconds))
        }
    }

    func release(_ claim: Jobs.Claim, after seconds: Int64 = 0) async throws -> Bool {
        try await db.write { db throws(Problem) in
            try db.jobs.release(claim, at: Self.start + .seconds(seconds))
        }
    }

    func renew(_ claim: Jobs.Claim, until seconds: Int64) async throws -> Bool {
        try await db.write { db throws(Problem) in
            try db.jobs.renew(claim, until: Self.start + .seconds(seconds))
        }
    }

    func takeBack(
        ofEverybody: Bool = false, except kept: [JobID] = [], after milliseconds: Int64
    ) async throws -> Int {
        try await db.write { db throws(Problem) in
            try db.jobs.takeBack(
                ofEverybody: ofEverybody, except: kept,
                at: Self.start + .milliseconds(milliseconds))
        }
    }

    func retry(_ id: JobID?, after seconds: Int64 = 0) async throws -> Job? {
        let id = try #require(id)
        return try await db.write { db throws(Problem) in
            try db.jobs.retry(id, at: Self.start + .seconds(seconds))
        }
    }

    func find(_ id: JobID?) async throws -> Job {
        let id = try #require(id)
        return try #require(try await db.read { db throws(Problem) in try db.jobs.find(id) })
    }

    func list(_ filter: Jobs.Filter = .init(), _ page: Page = .init(limit: 50)) async throws
        -> [Job]
    {
        try await db.read { db throws(Problem) in try db.jobs.list(filter, page) }
    }
}

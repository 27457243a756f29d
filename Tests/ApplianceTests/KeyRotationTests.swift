import Domain
import Glibc
import Store
import Support
import Testing

@testable import Appliance

/// A signing key that was rotated, wherever the keys are, and the row that tells of it.
@Suite("Rotated signing keys in the audit log")
struct KeyRotationTests {
    private static let now = Timestamp("2026-11-26T12:00:00.000Z") ?? .epoch
    /// When every node knows a key that was made now.
    private static let known = now + KeyRing.lead

    enum Place: CaseIterable { case file, store }

    private let house: KeyHouse

    init() throws {
        house = try KeyHouse(at: Self.now)
        mkdir(keys, 0o700)
    }

    private var keys: String { house.folder.path + "/keys" }

    private func ring(_ place: Place) async throws -> KeyRing {
        let path = keys + "/signing-keys.json"
        switch place {
        case .file:
            return try KeyRing(
                path: path, store: house.store, algorithm: .edDSA, tokenTTL: .seconds(900),
                now: Self.now)
        case .store:
            let ring = house.ring(former: path)
            try await ring.reload(at: Self.now)
            return ring
        }
    }

    /// The newest first, of a log whose chain holds.
    private func rows() async throws -> [AuditLog.Entry] {
        try await house.store.read { db throws(Problem) in
            let (broken, _) = try db.audit.verify(after: 0, previous: [], count: 100)
            guard broken == nil else { throw .internal(cause: "the chain does not hold") }
            return try db.audit.list(AuditLog.Filter(), before: nil, limit: 100)
        }
    }

    private func execute(_ sql: SQL) async throws {
        try await house.store.write { db throws(Problem) in _ = try db.execute(sql) }
    }

    private static func replaced(_ former: SigningKey, by next: SigningKey) -> JSON {
        ["kid": ["from": .string(former.id), "to": .string(next.id)], "algorithm": "EdDSA"]
    }

    @Test(
        "The row says who did it and names both keys, and nothing secret", arguments: Place.allCases
    )
    func told(_ place: Place) async throws {
        defer { house.done() }
        let ring = try await ring(place)
        let first = try ring.active(at: Self.now)
        let origin = Origin(requestID: "r-1", address: nil, userAgent: nil)
        try await ring.rotate(by: .shell, from: origin, at: Self.now)
        let second = try ring.active(at: Self.known)
        let rows = try await rows()
        #expect(rows.map(\.action) == ["signing_key.rotated"])
        let row = try #require(rows.first)
        #expect(row.actor == "shell" && row.requestID == "r-1" && row.at == Self.now)
        #expect(row.target == "signing_key:\(second.id)")
        #expect(row.meta == Self.replaced(first, by: second))
        for key in [first, second] {
            let secret = try #require(key.stored["secret"]?.text)
            #expect(!row.meta.encoded.contains(secret))
        }
    }

    @Test(
        "A key that is due is the system's doing, and one that is not leaves no row",
        arguments: Place.allCases)
    func due(_ place: Place) async throws {
        defer { house.done() }
        let ring = try await ring(place)
        let day = Duration.seconds(86_400)
        #expect(try await !ring.rotateIfDue(age: day, at: Self.now))
        #expect(try await rows().isEmpty)
        #expect(try await ring.rotateIfDue(age: day, at: Self.now + day))
        #expect(try await rows().map(\.actor) == ["system"])
    }

    @Test("Of nodes that find a key due at one time, one leaves a row")
    func together() async throws {
        defer { house.done() }
        let day = Duration.seconds(86_400)
        let later = Self.now + day
        var rings: [KeyRing] = []
        for _ in 0..<4 { rings.append(try await ring(.store)) }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for ring in rings {
                tasks.addTask { _ = try await ring.rotateIfDue(age: day, at: later) }
            }
            try await tasks.waitForAll()
        }
        #expect(try await rows().count == 1)
    }

    @Test("No key signs whose row could not be kept", arguments: Place.allCases)
    func withoutRow(_ place: Place) async throws {
        defer { house.done() }
        let ring = try await ring(place)
        let first = try ring.active(at: Self.now).id
        try await execute(
            """
            CREATE TRIGGER refused BEFORE INSERT ON audit_logs
            BEGIN SELECT RAISE(ABORT, 'refused'); END
            """)
        await #expect(throws: Problem.self) { try await ring.rotate(by: .shell, at: Self.now) }
        for each in [ring, try await self.ring(place)] {
            #expect(try each.active(at: Self.known).id == first)
            #expect(each.jwks(at: Self.now)["keys"]?.elements.count == 1)
        }
    }

    @Test("Where the store has the keys, those that could not be kept leave no row")
    func withoutKeys() async throws {
        defer { house.done() }
        let ring = try await ring(.store)
        try await execute(
            """
            CREATE TRIGGER refused BEFORE UPDATE ON installation
            BEGIN SELECT RAISE(ABORT, 'refused'); END
            """)
        await #expect(throws: Problem.self) { try await ring.rotate(by: .shell, at: Self.now) }
        #expect(try await rows().isEmpty)
    }

    @Test("A file that could not be written leaves a row too many, which the next one shows")
    func withoutFile() async throws {
        defer { house.done() }
        let ring = try await ring(.file)
        let first = try ring.active(at: Self.now)
        let away = house.folder.path + "/away"
        #expect(rename(keys, away) == 0)
        await #expect(throws: Problem.self) { try await ring.rotate(by: .shell, at: Self.now) }
        #expect(try ring.active(at: Self.now).id == first.id)
        #expect(rename(away, keys) == 0)
        try await ring.rotate(by: .shell, at: Self.now)
        let rows = try await rows()
        #expect(rows.count == 2)
        #expect(rows.first?.meta == Self.replaced(first, by: try ring.active(at: Self.now)))
        #expect(rows.last?.meta["kid"]?["from"] == .string(first.id))
        #expect(try await self.ring(.file).active(at: Self.now).id != first.id)
    }
}

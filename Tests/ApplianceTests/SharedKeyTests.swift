import Domain
import Store
import Support
import Testing

@testable import Appliance

/// What nodes of one store sign with. The store is SQLite's here; the scenario in Tests/api has the
/// same on PostgreSQL, between processes.
@Suite("Signing keys of several nodes")
struct SharedKeyTests {
    private static let now = Timestamp("2026-11-25T12:00:00.000Z") ?? .epoch
    private static let known = now + KeyRing.lead

    private let house: KeyHouse

    init() throws { house = try KeyHouse(at: Self.now) }

    private func ring(
        _ name: String = "a", _ algorithm: SigningAlgorithm = .edDSA, seal: SealingKeys? = nil
    ) -> KeyRing {
        house.ring(former: "\(house.folder.path)/\(name).json", algorithm, seal: seal)
    }

    private func row() async throws -> String? {
        try await house.store.read { db throws(Problem) in
            try db.installation.value(SigningKeyRow.name)
        }
    }

    @Test("The first node makes the key, at once, and the next one has the same")
    func first() async throws {
        defer { house.done() }
        let (a, b) = (ring("a"), ring("b"))
        #expect(throws: Problem.self) { try a.active(at: Self.now) }
        try await a.reload(at: Self.now)
        try await b.reload(at: Self.now)
        #expect(try a.active(at: Self.now).id == b.active(at: Self.now).id)
        #expect(a.jwks(at: Self.now)["keys"]?.elements.count == 1)
    }

    @Test("Nodes that start in one moment make one key")
    func together() async throws {
        defer { house.done() }
        let rings = (0..<8).map { ring("\($0)") }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for ring in rings { tasks.addTask { try await ring.reload(at: Self.now) } }
            try await tasks.waitForAll()
        }
        let ids = try Set(rings.map { try $0.active(at: Self.now).id })
        #expect(ids.count == 1)
    }

    @Test("A new key signs once every node knows it, and the former is trusted until it has ended")
    func rotation() async throws {
        defer { house.done() }
        let (a, b) = (ring("a"), ring("b"))
        try await a.reload(at: Self.now)
        try await b.reload(at: Self.now)
        let former = try a.active(at: Self.now).id
        try await a.rotate(by: .shell, at: Self.now)
        // The other node has not heard of it: what this one signs now, it knows.
        let soon = Self.known + .milliseconds(-1)
        #expect(try a.active(at: soon).id == former)
        try await b.reload(at: Self.now)
        let next = try a.active(at: Self.known).id
        #expect(next != former)
        #expect(try b.active(at: Self.known).id == next)
        #expect(b.find(next, at: Self.now) != nil)
        #expect(a.jwks(at: Self.now)["keys"]?.elements.count == 2)
        let end = Self.known + .seconds(960)
        #expect(b.find(former, at: end + .milliseconds(-1)) != nil)
        #expect(b.find(former, at: end) == nil)
    }

    @Test("Of two changes in a row no key signs before every node knows it")
    func rotationTwice() async throws {
        defer { house.done() }
        let a = ring()
        try await a.reload(at: Self.now)
        let first = try a.active(at: Self.now).id
        try await a.rotate(by: .shell, at: Self.now)
        let later = Self.now + .seconds(2)
        try await a.rotate(by: .shell, at: later)
        #expect(try a.active(at: Self.known + .milliseconds(-1)).id == first)
        let second = try a.active(at: Self.known).id
        let third = try a.active(at: later + KeyRing.lead).id
        #expect(Set([first, second, third]).count == 3)
    }

    @Test("A key that is due is replaced by one of the nodes")
    func due() async throws {
        defer { house.done() }
        let (a, b) = (ring("a"), ring("b"))
        try await a.reload(at: Self.now)
        try await b.reload(at: Self.now)
        let day = Duration.seconds(86_400)
        let early = try await a.rotateIfDue(age: day, at: Self.now)
        let later = Self.now + day
        let byA = try await a.rotateIfDue(age: day, at: later)
        let byB = try await b.rotateIfDue(age: day, at: later)
        #expect([early, byA, byB] == [false, true, false])
        #expect(try a.active(at: later + day).id == b.active(at: later + day).id)
    }

    @Test("A copy of the store has no key in it that signs")
    func sealed() async throws {
        defer { house.done() }
        let a = ring()
        try await a.reload(at: Self.now)
        let text = try #require(try await row())
        let bytes = try #require(Base64URL.decode(text.utf8))
        let kid = try a.active(at: Self.now).id
        #expect(bytes.firstRange(of: Array(kid.utf8)) == nil)
        let others = try SealingKeys(path: house.folder.path + "/other.json", now: Self.now)
        let stranger = ring("s", seal: others)
        await #expect(throws: Problem.self) { try await stranger.reload(at: Self.now) }
        let kept = try await row()
        #expect(kept == text)
    }

    @Test("What one process signed with before it shared its store is taken over")
    func takenOver() async throws {
        defer { house.done() }
        let alone = try KeyRing(
            path: house.folder.path + "/a.json", store: house.store, algorithm: .edDSA,
            tokenTTL: .seconds(900), now: Self.now)
        try await alone.rotate(by: .shell, at: Self.now)
        let (a, b) = (ring("a"), ring("b"))
        try await b.reload(at: Self.now)
        try await a.reload(at: Self.now)
        // The first was b, which had none: a's own is not looked at any more.
        #expect(try a.active(at: Self.now).id == b.active(at: Self.now).id)
        _ = try await house.store.write { db throws(Problem) in
            try db.execute("DELETE FROM installation WHERE name = \(SigningKeyRow.name)")
        }
        try await a.reload(at: Self.now)
        try await b.reload(at: Self.now)
        let id = try alone.active(at: Self.now).id
        #expect(try a.active(at: Self.now).id == id)
        #expect(try b.active(at: Self.now).id == id)
        #expect(b.jwks(at: Self.now)["keys"]?.elements.count == 2)
    }

    @Test("While nodes change over to another algorithm, those of the former go on signing")
    func algorithms() async throws {
        defer { house.done() }
        let (old, new) = (ring("old"), ring("new", .es256))
        try await old.reload(at: Self.now)
        let id = try old.active(at: Self.now).id
        try await new.reload(at: Self.now)
        #expect(try new.active(at: Self.now).algorithm == .es256)
        #expect(new.find(id, at: Self.now) == nil)
        try await old.reload(at: Self.now)
        #expect(try old.active(at: Self.now).id == id)
        let next = ring("next", .es256)
        try await next.reload(at: Self.now)
        #expect(try next.active(at: Self.now).id == new.active(at: Self.now).id)
    }

    @Test("What cannot be read changes nothing")
    func unreadable() async throws {
        let a = ring()
        try await a.reload(at: Self.now)
        let id = try a.active(at: Self.now).id
        house.done()
        await #expect(throws: Problem.self) { try await a.reload(at: Self.now) }
        await #expect(throws: Problem.self) { try await a.rotate(by: .shell, at: Self.now) }
        #expect(try a.active(at: Self.known).id == id)
    }
}

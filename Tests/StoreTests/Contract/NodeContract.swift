import Domain
import Store
import Testing

@Suite("Nodes")
struct NodeContract {
    private static func names(_ count: Int) -> [NodeName] {
        var sample = Sample()
        return (0..<count).map { _ in NodeName(using: &sample.random) }.sorted {
            $0.description < $1.description
        }
    }

    private static func list(_ db: any Database) async throws -> [Nodes.Entry] {
        try await db.read { db throws(Problem) in try db.nodes.list() }
    }

    @Test("One that enters is listed, and its beat counts up")
    func beats() async throws {
        try await withStore { db in
            let name = Self.names(1)[0]
            let now = Sample().now
            let lives = try await db.write { db throws(Problem) in
                try db.nodes.enter(name, version: "1.0", at: now)
                return try db.nodes.beat(name, at: now + .seconds(1))
            }
            #expect(lives)
            let entry = try #require(try await Self.list(db).first)
            #expect(entry.name == name && entry.beat == 2 && entry.epoch == nil)
            #expect(entry.version == "1.0" && entry.startedAt == now)
            #expect(entry.beatAt == now + .seconds(1))
        }
    }

    @Test("One that starts again has a new beat, and has reached nothing")
    func startsAgain() async throws {
        try await withStore { db in
            let name = Self.names(1)[0]
            let now = Sample().now
            let reached = try await db.write { db throws(Problem) in
                try db.nodes.enter(name, version: "1.0", at: now)
                return try db.nodes.reach("a", name)
            }
            #expect(reached)
            #expect(try await Self.list(db).map(\.epoch) == ["a"])
            try await db.write { db throws(Problem) in
                try db.nodes.enter(name, version: "1.1", at: now + .seconds(9))
            }
            let entry = try #require(try await Self.list(db).first)
            #expect(entry.beat == 2 && entry.epoch == nil && entry.version == "1.1")
            #expect(entry.startedAt == now + .seconds(9))
        }
    }

    @Test("One that left or was removed beats no more, and the others stay")
    func leaves() async throws {
        try await withStore { db in
            let names = Self.names(3)
            let now = Sample().now
            let lives = try await db.write { db throws(Problem) in
                for (index, name) in names.enumerated() {
                    try db.nodes.enter(name, version: "1", at: now + .seconds(Int64(index)))
                }
                try db.nodes.leave(names[1])
                let listed = try db.nodes.list()
                let (first, last) = (listed[0], listed[1])
                // It has beaten since it was listed.
                _ = try db.nodes.beat(last.name, at: now)
                for node in [first, last] { try db.nodes.remove(node.name, beat: node.beat) }
                return [
                    try db.nodes.beat(names[0], at: now), try db.nodes.beat(names[1], at: now),
                    try db.nodes.beat(names[2], at: now), try db.nodes.reach("a", names[0]),
                ]
            }
            #expect(lives == [false, false, true, false])
            #expect(try await Self.list(db).map(\.name) == [names[2]])
        }
    }

    @Test("A name is sixteen digits and letters, and nothing else is one")
    func names() {
        let name = Self.names(1)[0]
        #expect(NodeName(name.description) == name)
        for text in ["", "a", "\(name)a", "\(name.description.dropLast())/"] {
            #expect(NodeName(text) == nil, "\(text)")
        }
    }
}

import Domain
import Store
import Testing

@Suite("Rotating a key")
struct KeyRotationContract {
    /// A key in the store, and what rotating it twice gives.
    private struct Rotation {
        let key: APIKey
        let texts: [APIKeyText]
        let hashes: [[UInt8]]
        let end: Timestamp

        init(in db: any Database) async throws {
            var sample = Sample()
            let account = sample.account()
            let key = sample.key(of: account.id)
            self.key = key
            texts = (0..<2).map { _ in APIKeyText.random(using: &sample.random) }
            hashes = [sample.bytes(), sample.bytes()]
            end = sample.now + .seconds(3600)
            try await db.insert(account)
            try await db.write { db throws(Problem) in try db.apiKeys.insert(key) }
        }

        func rotate(_ number: Int, in db: any Database) async throws {
            let (id, text, hash, end) = (key.id, texts[number], hashes[number], end)
            try await db.write { db throws(Problem) in
                try db.apiKeys.rotate(id, to: text, hash: hash, overlapEnd: end)
            }
        }

        func find(_ publicID: String, in db: any Database) async throws -> APIKeys.Presented? {
            try await db.read { db throws(Problem) in try db.apiKeys.find(publicID: publicID) }
        }
    }

    @Test("Before it, the key is found by its public id, without an end")
    func before() async throws {
        try await withStore { db in
            let rotation = try await Rotation(in: db)
            let found = try await rotation.find(rotation.key.publicID, in: db)
            #expect(found?.key == rotation.key)
            #expect(found?.publicID == rotation.key.publicID)
            #expect(found?.secretHash == rotation.key.secretHash)
            #expect(found?.until == nil)
            #expect(try await rotation.find("nobody", in: db)?.publicID == nil)
        }
    }

    @Test("After it, both secrets find the same key, the old one with an end")
    func overlap() async throws {
        try await withStore { db in
            let rotation = try await Rotation(in: db)
            try await rotation.rotate(0, in: db)
            let new = try await rotation.find(rotation.texts[0].publicID, in: db)
            #expect(new?.secretHash == rotation.hashes[0])
            #expect(new?.until == nil)
            #expect(new?.key.publicID == rotation.texts[0].publicID)
            #expect(new?.key.lastFour == rotation.texts[0].lastFour)
            #expect(new?.key.previousPublicID == rotation.key.publicID)
            let old = try await rotation.find(rotation.key.publicID, in: db)
            #expect(old?.secretHash == rotation.key.secretHash)
            #expect(old?.until == rotation.end)
            #expect(old?.publicID == rotation.key.publicID)
            #expect(old?.key == new?.key)
        }
    }

    @Test("A second rotation ends the first secret for good")
    func twice() async throws {
        try await withStore { db in
            let rotation = try await Rotation(in: db)
            try await rotation.rotate(0, in: db)
            try await rotation.rotate(1, in: db)
            #expect(try await rotation.find(rotation.key.publicID, in: db)?.publicID == nil)
            let old = try await rotation.find(rotation.texts[0].publicID, in: db)
            #expect(old?.secretHash == rotation.hashes[0])
            let new = try await rotation.find(rotation.texts[1].publicID, in: db)
            #expect(new?.secretHash == rotation.hashes[1])
        }
    }

    @Test("Revoking ends the overlap too")
    func revoked() async throws {
        try await withStore { db in
            let rotation = try await Rotation(in: db)
            let moment = rotation.end - .seconds(60)
            try await rotation.rotate(0, in: db)
            _ = try await db.write { db throws(Problem) in
                try db.apiKeys.revoke(rotation.key.id, at: moment)
            }
            let old = try await rotation.find(rotation.key.publicID, in: db)
            #expect(old?.until == moment)
            #expect(old?.key.revokedAt == moment)
        }
    }
}

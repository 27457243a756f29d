import Domain
import Support
import Testing

@testable import Store

@Suite("Backup file")
struct BackupFileTests {
    /// Sealed, the payload before the store is 1 KB: a full last chunk is among these.
    @Test(
        "What is packed is unpacked, of any length",
        arguments: [false, true], [0, 1, 65_536, 131_072, 270_000])
    func roundTrip(isEncrypted: Bool, bytes: Int) throws {
        let backup = try BackupFixture(isEncrypted: isEncrypted, storeBytes: bytes)
        let folder = "\(backup.folder.path)/out"
        try Folder.make(folder)
        let read = try BackupFile.read(backup.path, key: backup.key, into: folder)
        #expect(read == backup.manifest)
        #expect(read.isEncrypted == isEncrypted)
        #expect(read.rows == 5)
        #expect(try FolderListing.files(in: folder) == ["gatehouse.db", "signing-keys.json"])
        #expect(try TestFile(path: "\(folder)/gatehouse.db").bytes() == backup.store)
        #expect(TestFile(path: "\(folder)/gatehouse.db").mode == 0o600)
        #expect(TestFile(path: backup.path).mode == 0o600)
    }

    @Test("A payload that fills its last chunk to the byte is read")
    func fullLastChunk() throws {
        let small = try BackupFixture(isEncrypted: true, storeBytes: 10_000)
        let header = BackupHeader.bytes + 16
        // As many digits in the manifest, so that it stays as long.
        let missing = 65_536 - (try small.bytes().count - header)
        let full = try BackupFixture(isEncrypted: true, storeBytes: 10_000 + missing)
        #expect(try full.bytes().count == header + 65_536)
        #expect(full.refusal(full.path, full.key) == nil)
    }

    @Test("A flipped bit anywhere is damage", arguments: [false, true])
    func flips(isEncrypted: Bool) throws {
        let backup = try BackupFixture(isEncrypted: isEncrypted)
        let whole = try backup.bytes()
        var random = SplitMix64(seed: isEncrypted ? 11 : 12)
        // Every byte of the header, many behind it, and a few anywhere.
        let first = Array(0..<BackupHeader.bytes)
        let manifest = (0..<100).map { _ in Int(random.int(96...1200)) }
        let anywhere = (0..<150).map { _ in Int(random.int(0...Int64(whole.count - 1))) }
        for place in first + manifest + anywhere {
            var damaged = whole
            damaged[place] ^= 1 << UInt8(random.int(0...7))
            let refusal = try backup.refusal(of: damaged)
            #expect(refusal?.isDamage == true, "byte \(place): \(String(describing: refusal))")
        }
    }

    @Test("A file that is cut off, or goes on, is damage", arguments: [false, true])
    func truncation(isEncrypted: Bool) throws {
        let backup = try BackupFixture(isEncrypted: isEncrypted)
        let whole = try backup.bytes()
        var random = SplitMix64(seed: 13)
        let chunk = 65_536 + 16
        let ends = (0...4).map { (number: Int) -> Int in 96 + number * chunk }
        let edges = ends.flatMap { (end: Int) -> [Int] in [end - 1, end, end + 1] }
        let anywhere = (0..<100).map { _ in Int(random.int(0...Int64(whole.count - 1))) }
        for length in [0, 1, 8, 95, whole.count - 1] + edges + anywhere
        where length < whole.count {
            let refusal = try backup.refusal(of: Array(whole.prefix(length)))
            #expect(refusal?.isDamage == true, "\(length) bytes: \(String(describing: refusal))")
        }
        for more in [1, 16, 17, chunk] {
            let longer = whole + [UInt8](repeating: 0, count: more)
            #expect(try backup.refusal(of: longer)?.isDamage == true, "\(more) bytes more")
        }
    }

    @Test("Chunks in another order, twice or left out are damage")
    func reordered() throws {
        let backup = try BackupFixture(isEncrypted: true)
        let whole = try backup.bytes()
        let head = Array(whole.prefix(96))
        let size = 65_536 + 16
        let chunks = stride(from: 96, to: whole.count, by: size).map {
            Array(whole[$0..<min($0 + size, whole.count)])
        }
        #expect(chunks.count == 5)
        let orders = [
            [1, 0, 2, 3, 4], [0, 2, 1, 3, 4], [0, 1, 3, 2, 4], [0, 1, 2, 4], [0, 1, 2, 3],
            [0, 0, 1, 2, 3, 4], [0, 1, 2, 3, 3, 4], [4], [0, 4], [],
        ]
        for order in orders {
            let file = head + order.flatMap { chunks[$0] }
            #expect(try backup.refusal(of: file)?.isDamage == true, "\(order)")
        }
        #expect(try backup.refusal(of: head + chunks.flatMap { $0 }) == nil)
    }

    @Test("A chunk of another backup under the same key does not open")
    func foreignChunk() throws {
        let one = try BackupFixture(isEncrypted: true)
        let other = try BackupFixture(isEncrypted: true)
        let mine = try one.bytes()
        let chunk = 96..<(96 + 65_536 + 16)
        #expect(one.refusal(other.path, one.key) == nil)
        let mixed = Array(mine[..<96]) + (try other.bytes())[chunk] + mine[chunk.upperBound...]
        #expect(try one.refusal(of: mixed)?.isDamage == true)
    }

    @Test("Without the key, or with another, the key is named and not damage")
    func wrongKey() throws {
        let backup = try BackupFixture(isEncrypted: true)
        #expect(backup.refusal(backup.path, nil)?.isKey == true)
        #expect(backup.refusal(backup.path, try BackupFixture.key(8))?.isKey == true)
        #expect(BackupKey([UInt8](repeating: 1, count: 31)) == nil)
        let plain = try BackupFixture(isEncrypted: false)
        #expect(plain.refusal(plain.path, backup.key) == nil)
    }

    @Test("Nothing of an encrypted backup shows in it")
    func confidential() throws {
        let backup = try BackupFixture(isEncrypted: true)
        let text = String(decoding: try backup.bytes(), as: UTF8.self)
        for word in ["manifest", "1.2.3", "gatehouse.db", "users", "\"keys\""] {
            #expect(!text.contains(word))
        }
    }

    @Test("What a killed backup left is removed by the next, what another one writes is not")
    func abandoned() throws {
        let folder = try TemporaryFolder()
        try TestFile(path: "\(folder.path)/store").append("x")
        try TestFile(path: "\(folder.path)/left.ghb.partial").append("x")
        let running = try DiskFile.create("\(folder.path)/running.ghb.partial")
        _ = try BackupFile.write(
            BackupFile.Contents(
                store: "\(folder.path)/store", signingKeys: nil, configuration: nil),
            facts: BackupFixture.facts, version: "1", at: BackupFixture.now,
            to: "\(folder.path)/a.ghb", key: nil)
        let names = try FolderListing.files(in: folder.path)
        #expect(names == ["a.ghb", "running.ghb.partial", "store"])
        withExtendedLifetime(running) {}
    }

    @Test("A file that is there already is not written over")
    func noOverwriting() throws {
        let backup = try BackupFixture(isEncrypted: false)
        let before = try backup.bytes()
        #expect(throws: BackupFailure.self) {
            try BackupFile.write(
                BackupFile.Contents(
                    store: "\(backup.folder.path)/store", signingKeys: nil, configuration: nil),
                facts: BackupFixture.facts, version: "1", at: BackupFixture.now,
                to: backup.path, key: nil)
        }
        #expect(try backup.bytes() == before)
        #expect(try FolderListing.files(in: backup.folder.path) == ["a.ghb", "keys", "store"])
    }
}

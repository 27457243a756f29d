import Domain
import Support
import Testing

@testable import Store

/// An installation made of a word: it stands in its store, its keys and its counts.
private struct House {
    let folder: String
    var store: TestFile { TestFile(path: folder + "/gatehouse.db") }
    var keys: TestFile { TestFile(path: folder + "/signing-keys.json") }
    var counters: TestFile { TestFile(path: folder + "/counters") }

    /// The word is in the write-ahead log alone, as after a kill.
    func build(_ word: String) throws {
        try SQLiteStore(file: store.path).close()
        let connection = try SQLiteFile.openWriter(store.path)
        try connection.run("INSERT INTO installation (name, value) VALUES ('word', '\(word)')")
        try keys.append(word)
        try counters.append(word)
    }

    /// The word that all of it says, once it is opened as a start does; nil for a mix.
    func word() throws -> String? {
        let store = try SQLiteStore(file: store.path)
        store.close()
        let connection = try SQLiteFile.openReader(self.store.path)
        guard try connection.text("PRAGMA integrity_check") == "ok" else { return nil }
        let word = try connection.text("SELECT value FROM installation WHERE name = 'word'")
        guard try keys.bytes() == Array(word.utf8) else { return nil }
        let counts = counters.size == nil ? nil : try counters.bytes()
        return counts == nil || counts == Array(word.utf8) ? word : nil
    }
}

@Suite("Restoring")
struct RestoreTests {
    private struct Scene {
        let folder: TemporaryFolder
        let backup: String
        var house: House { House(folder: folder.path + "/house") }

        init(hasOld: Bool = true) throws {
            folder = try TemporaryFolder()
            let other = House(folder: folder.path + "/other")
            try Folder.make(other.folder)
            try other.build("new")
            try Folder.remove(other.counters.path)
            backup = folder.path + "/new.ghb"
            let stopped = try StoppedStore(file: other.store.path)
            let making = BackupMaking(
                dataDirectory: other.folder, isStopped: true, configuration: nil, version: "1")
            try making.prepare()
            try stopped.copy(to: making.copyPath)
            _ = try making.finish(to: backup, key: nil, at: BackupFixture.now)
            making.clear()
            try Folder.make(house.folder)
            if hasOld { try house.build("old") }
        }

        /// Killed before the step of that number: nothing after it happens.
        func restore(
            killedAt fatal: Int = .max, dataDirectory: String? = nil
        ) throws -> Restore {
            var steps = 0
            return try Restore(
                of: backup, key: nil, store: house.store.path,
                dataDirectory: dataDirectory ?? house.folder, aside: "replaced",
                step: { () throws(BackupFailure) in
                    if steps == fatal { throw .failed("killed") }
                    steps += 1
                })
        }
    }

    @Test("The new installation is in place, the old one whole beside it")
    func whole() throws {
        let scene = try Scene()
        let restored = try scene.restore()
        #expect(try scene.house.word() == "new")
        #expect(scene.house.counters.size == nil)
        let aside = try #require(restored.aside)
        #expect(try House(folder: aside).word() == "old")
        #expect(try House(folder: aside).counters.bytes() == Array("old".utf8))
        let names = try FolderListing.files(in: scene.house.folder)
        #expect(!names.contains { $0.contains("restoring") })
    }

    @Test("Nothing is aside where nothing was")
    func fresh() throws {
        let scene = try Scene(hasOld: false)
        #expect(try scene.restore().aside == nil)
        #expect(try scene.house.word() == "new")
        #expect(!(try FolderListing.files(in: scene.house.folder)).contains("replaced"))
    }

    @Test("Killed before any step, the next start finds the old or the new one, never a mix")
    func killed() throws {
        var words: [String] = []
        for fatal in 0..<40 {
            let scene = try Scene()
            guard (try? scene.restore(killedAt: fatal)) == nil else { break }
            let word = try #require(try scene.house.word(), "a mix at step \(fatal)")
            words.append(word)
            // Whatever is left of it disturbs no later restore.
            _ = try Restore(
                of: scene.backup, key: nil, store: scene.house.store.path,
                dataDirectory: scene.house.folder, aside: "replaced-later")
            #expect(try scene.house.word() == "new")
        }
        // Two steps before the decision; then all that is to be moved.
        #expect(words.prefix(2) == ["old", "old"])
        #expect(words.dropFirst(2).allSatisfy { $0 == "new" })
        #expect(words.count >= 10)
    }

    @Test("Killed again while it is finished, it is still finished, and the old one is whole")
    func killedTwice() throws {
        for first in stride(from: 2, to: 12, by: 3) {
            for second in 0..<10 {
                let scene = try Scene()
                _ = try? scene.restore(killedAt: first)
                var steps = 0
                _ = try? RestoreSwap.finish(
                    store: scene.house.store.path,
                    step: { () throws(BackupFailure) in
                        if steps == second { throw .failed("killed") }
                        steps += 1
                    })
                #expect(try scene.house.word() == "new")
                #expect(try House(folder: scene.house.folder + "/replaced").word() == "old")
            }
        }
    }

    @Test("A damaged backup changes nothing")
    func damaged() throws {
        let scene = try Scene()
        let before = try FolderListing.files(in: scene.house.folder)
        try TestFile(path: scene.backup).overwrite([0xFF], at: 3000)
        #expect(throws: BackupFailure.self) { try scene.restore() }
        #expect(
            try FolderListing.files(in: scene.house.folder).filter { $0 != "gatehouse.db.lock" }
                == before.filter { $0 != "gatehouse.db.lock" })
        #expect(try scene.house.word() == "old")
    }

    @Test("While a daemon holds the store it is refused")
    func running() throws {
        let scene = try Scene()
        let store = try SQLiteStore(file: scene.house.store.path)
        defer { store.close() }
        #expect(throws: StoreRefusal.self) { try scene.restore() }
    }

    @Test("A store that lies elsewhere than the rest goes there, also after a kill")
    func apart() throws {
        for fatal in [Int.max, 3, 7, 9] {
            let scene = try Scene()
            let rest = scene.folder.path + "/rest"
            try Folder.make(rest)
            for name in ["counters", "signing-keys.json"] {
                try Folder.rename("\(scene.house.folder)/\(name)", to: "\(rest)/\(name)")
            }
            _ = try? scene.restore(killedAt: fatal, dataDirectory: rest)
            try SQLiteStore(file: scene.house.store.path).close()
            let connection = try SQLiteFile.openReader(scene.house.store.path)
            #expect(try connection.text("SELECT value FROM installation") == "new")
            #expect(try TestFile(path: rest + "/signing-keys.json").bytes() == Array("new".utf8))
            #expect(try FolderListing.files(in: rest) == ["replaced", "signing-keys.json"])
            #expect(
                try FolderListing.files(in: rest + "/replaced") == [
                    "counters", "signing-keys.json",
                ])
        }
    }
}

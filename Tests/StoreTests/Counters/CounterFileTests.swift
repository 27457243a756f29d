import Domain
import Glibc
import Support
import Synchronization
import Testing

@testable import Store

@Suite("Counter file")
struct CounterFileTests {
    private let home: CounterFolder

    init() throws { home = try CounterFolder() }

    @Test("What was counted is found by the next start, by customer, key, metric and hour")
    func recovers() throws {
        let keys: [UsageDelta.Key] = [
            .sample(1), .sample(1, key: 1), .sample(1, metric: "tokens"), .sample(2),
            .sample(2, hour: 498_733),
        ]
        let file = try home.open()
        for (index, key) in keys.enumerated() {
            let place = try #require(file.open(key))
            #expect(file.add(Int64(index + 1), to: place))
            #expect(file.add(100, to: place))
        }
        let found = try home.recovered(after: 0)
        #expect(found == Dictionary(uniqueKeysWithValues: zip(keys, 101...105)))
    }

    @Test("What was recovered is there until the reset, and then gone")
    func resets() throws {
        let file = try home.open()
        #expect(file.add(5, to: try #require(file.open(.sample(1)))))
        let next = try CounterFile(path: home.path)
        #expect(next.open(.sample(2)) == nil)
        #expect(
            try next.recover(after: FoldMark(batch: 0)) == [UsageDelta(key: .sample(1), value: 5)])
        #expect(try next.recover(after: FoldMark(batch: 0)).count == 1)
        next.reset(openingBatch: 3)
        #expect(try next.recover(after: FoldMark(batch: 0)) == [])
        #expect(next.openBatch == 3)
        #expect(next.open(.sample(2)) != nil)
    }

    @Test("The closing and the open batch are counted apart, and recovered together")
    func batches() throws {
        let file = try home.open()
        let place = try #require(file.open(.sample(1)))
        #expect(file.add(5, to: place))
        #expect(file.advance() == 1)
        #expect(file.closingBatch == 1)
        #expect(file.advance() == nil)
        #expect(file.add(7, to: place))
        #expect(file.delta(at: place, batch: 1) == 5)
        #expect(file.delta(at: place, batch: 2) == 7)
        #expect(try home.recovered(after: 0) == [.sample(1): 12])
        #expect(try home.recovered(after: 1) == [.sample(1): 7])
        #expect(try home.recovered(after: 2) == [:])
        file.didFold(1)
        #expect(file.closingBatch == nil)
        #expect(file.openBatch == 2)
        #expect(try home.recovered(after: 1) == [.sample(1): 7])
    }

    @Test("The end of another batch than the closing one changes nothing")
    func wrongBatch() throws {
        let file = try home.open()
        file.didFold(1)
        #expect(file.advance() == 1)
        file.didFold(2)
        file.didFold(0)
        #expect(file.closingBatch == 1)
    }

    @Test("Batches go on where their low 16 bits begin anew")
    func wrap() throws {
        let file = try CounterFile(path: home.path)
        file.reset(openingBatch: 65_533)
        let place = try #require(file.open(.sample(1)))
        for batch in UInt64(65_533)...65_540 {
            #expect(file.openBatch == batch)
            #expect(file.add(Int64(batch), to: place))
            #expect(file.advance() == batch)
            #expect(file.add(1, to: place))
            #expect(file.delta(at: place, batch: batch) == Int64(batch) + (batch > 65_533 ? 1 : 0))
            #expect(
                try home.recovered(after: batch - 1)
                    == [.sample(1): Int64(batch) + (batch > 65_533 ? 2 : 1)])
            file.didFold(batch)
        }
    }

    @Test("A lane that nobody cleared is gone before its number comes round again")
    func scrub() throws {
        let file = try home.open()
        let place = try #require(file.open(.sample(1)))
        #expect(file.add(5, to: place))
        for batch in UInt64(1)...100 {
            #expect(file.advance() == batch)
            file.didFold(batch)
        }
        #expect(try home.recovered(after: 0) == [:])
        #expect(file.mapping.base.load(fromByteOffset: Int(place) * 128 + 8, as: UInt64.self) == 0)
    }

    @Test("An add that would leave 40 bits is refused and changes nothing")
    func overflow() throws {
        let file = try home.open()
        let place = try #require(file.open(.sample(1)))
        #expect(file.add(CounterLane.most, to: place))
        #expect(!file.add(1, to: place))
        #expect(!file.add(.max, to: place))
        #expect(file.delta(at: place, batch: 1) == CounterLane.most)
        #expect(file.add(CounterLane.least, to: place))
        #expect(file.add(CounterLane.least + 1, to: place))
        #expect(!file.add(-1, to: place))
        #expect(!file.add(.min, to: place))
        #expect(try home.recovered(after: 0) == [.sample(1): CounterLane.least])
    }

    @Test("A place with counts that the store does not have cannot be closed")
    func close() throws {
        let file = try home.open()
        let place = try #require(file.open(.sample(1)))
        #expect(file.isEmpty(place))
        #expect(file.add(5, to: place))
        #expect(!file.close(place))
        #expect(file.advance() == 1)
        #expect(!file.isEmpty(place))
        #expect(!file.close(place))
        file.didFold(1)
        #expect(file.isEmpty(place))
        #expect(file.close(place))
        #expect(file.figures.slots == 0)
    }

    @Test("A place is used again, and what was counted before is not counted for the next one")
    func reuse() throws {
        let file = try home.open()
        for round in UInt64(1)...600 {
            let place = try #require(file.open(.sample(round)))
            #expect(place == 0)
            #expect(file.delta(at: place, batch: file.openBatch) == 0)
            #expect(file.add(Int64(round), to: place))
            #expect(try #require(file.advance()) == round)
            file.didFold(round)
            #expect(file.close(place))
        }
    }

    @Test("Clearing forgets that batch alone, even when it comes late")
    func clear() throws {
        let file = try home.open()
        let place = try #require(file.open(.sample(1)))
        #expect(file.add(5, to: place))
        #expect(file.advance() == 1)
        #expect(file.add(6, to: place))
        file.didFold(1)
        file.clear(place, batch: 1)
        #expect(file.delta(at: place, batch: 1) == 0)
        #expect(file.delta(at: place, batch: 2) == 6)
        #expect(file.advance() == 2)
        #expect(file.add(7, to: place))
        file.clear(place, batch: 1)
        #expect(file.delta(at: place, batch: 3) == 7)
    }

    @Test("64 threads that count in places of their own lose nothing, while batches are folded")
    func threads() throws {
        let file = try home.open()
        let customers = try (0..<64).map { number in
            CustomerCount(file: file, place: try #require(file.open(.sample(UInt64(number)))))
        }
        let threads = customers.map { customer in
            WorkThread(name: "adder") {
                for _ in 0..<2000 { customer.add(1) }
                customer.finish()
            }
        }
        var folded = Int64(0)
        var isDone = false
        for _ in 0..<1_000_000 where !isDone {
            isDone = customers.allSatisfy(\.isFinished)
            let batch = try #require(file.advance())
            folded += customers.reduce(0) { $0 + $1.delta(of: batch) }
            file.didFold(batch)
        }
        for thread in threads { try #require(thread).join() }
        #expect(folded == 64 * 2000)
        #expect(try home.recovered(after: file.openBatch - 1) == [:])
    }

    @Test("The file is its owner's alone")
    func mode() throws {
        _ = try home.open()
        let file = TestFile(path: home.path)
        #expect(file.mode == 0o600)
        #expect(chmod(home.path, 0o644) == 0)
        _ = try CounterFile(path: home.path)
        #expect(file.mode == 0o600)
    }

    @Test("A file with a header of something else is set aside, and another one begun")
    func damaged() throws {
        let file = try home.open()
        #expect(file.setAside == nil)
        for (number, at) in [0, 8, 12, 17, 24].enumerated() {
            try TestFile(path: home.path).overwrite([0xEE], at: at)
            let next = try CounterFile(path: home.path)
            #expect(next.setAside == "\(home.path).damaged-\(number + 1)")
            #expect(TestFile(path: "\(home.path).damaged-\(number + 1)").size != nil)
            #expect(try next.recover(after: FoldMark(batch: 0)) == [])
        }
    }

    @Test("A file without a whole header, or with half a segment, is no reason to stop")
    func cut() throws {
        let file = try home.open()
        #expect(file.add(5, to: try #require(file.open(.sample(1)))))
        #expect(truncate(home.path, CounterMapping.headerBytes + 4096) == 0)
        #expect(try home.recovered(after: 0) == [:])
        #expect(truncate(home.path, 20) == 0)
        #expect(try CounterFile(path: home.path).setAside != nil)
    }

    @Test("A folder that is not there is a refusal")
    func noFolder() {
        #expect(throws: StoreRefusal.self) { try CounterFile(path: home.path + "/no/file") }
    }
}

/// A customer as the caller of the file keeps one: a lock of its own around every add and read.
private final class CustomerCount: Sendable {
    private let file: CounterFile
    private let place: Int32
    private let isDone = Mutex(false)

    init(file: CounterFile, place: Int32) {
        self.file = file
        self.place = place
    }

    func add(_ amount: Int64) { isDone.withLock { _ in _ = file.add(amount, to: place) } }

    func delta(of batch: UInt64) -> Int64 {
        isDone.withLock { _ in file.delta(at: place, batch: batch) }
    }

    func finish() { isDone.withLock { $0 = true } }

    var isFinished: Bool { isDone.withLock { $0 } }
}

import Domain
import Glibc
import Support
import Synchronization

@testable import Store

/// A process that counts, folds into a real store, and is killed by its own hand in the middle.
///
/// Each adder writes to a side file of its own, with `write(2)`, what it is about to add and what
/// was added: those bytes are the kernel's as well, and outlive the process.
struct CounterLoad: Sendable {
    let folder: String
    let seed: UInt64

    static let adders = 4
    static let keysEach: UInt64 = 5

    private var storePath: String { folder + "/gatehouse.db" }
    private var countersPath: String { folder + "/counters" }

    /// As a first process does it: the customers that are counted.
    func prepare() async throws {
        let store = try SQLiteStore(file: storePath)
        defer { store.close() }
        for key in Self.keys.flatMap({ $0 }) { try await store.insertUser(key.user) }
    }

    /// By adder.
    static let keys: [[UsageDelta.Key]] = (0..<UInt64(adders)).map { adder in
        (0..<keysEach).map { .sample(adder * keysEach + $0, metric: "m\($0)") }
    }

    /// What every start does: what the process before had not folded is folded, once.
    private func start(_ store: SQLiteStore) async throws -> CounterFile {
        let file = try CounterFile(path: countersPath)
        let mark = try await store.read { db throws(Problem) in try db.usage.foldMark() }
        let deltas = try file.recover(after: mark)
        let isNew = try await store.write { db throws(Problem) in
            try db.usage.fold(deltas, batch: mark.batch + 2)
        }
        guard isNew else {
            throw TemporaryFolder.Failure(what: "the recovered batch was folded before")
        }
        file.reset(openingBatch: mark.batch + 3)
        return file
    }

    // MARK: The process that is killed

    func runUntilKilled() async throws {
        let store = try SQLiteStore(file: storePath)
        let file = try await start(store)
        let customers = Self.keys.map { $0.map { CountedKey($0, in: file) } }
        // Anywhere in the first few thousand adds of one of the adders, the others amid theirs.
        var random = SplitMix64(seed: seed)
        let fatalAdd = Int(random.int(20...6000))
        let fatalAdder = Int(random.int(0...Int64(Self.adders - 1)))
        let threads = (0..<Self.adders).map { adder in
            WorkThread(name: "adder") {
                let log = open(
                    "\(folder)/adds-\(adder)", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
                var random = SplitMix64(seed: seed &* 31 &+ UInt64(adder))
                for step in 0..<1_000_000 {
                    if adder == fatalAdder && step == fatalAdd { kill(getpid(), SIGKILL) }
                    let number = Int(random.int(0...Int64(Self.keysEach) - 1))
                    let amount = random.int(1...1000)
                    Record(key: number, amount: amount, isDone: false).append(to: log)
                    guard customers[adder][number].add(amount) else { return }
                    Record(key: number, amount: amount, isDone: true).append(to: log)
                }
            }
        }
        for _ in 0..<1_000_000 {
            guard let batch = file.advance() else {
                throw TemporaryFolder.Failure(what: "still closing")
            }
            // One adder's customers are one part; they are in the order of their ids.
            for (adder, own) in customers.enumerated() {
                let isLast = adder == Self.adders - 1
                let through = isLast ? nil : Self.keys[adder].last?.user
                let deltas = own.compactMap { $0.delta(of: batch) }
                let isNew = try await store.write { db throws(Problem) in
                    try db.usage.fold(deltas, batch: batch, through: through)
                }
                guard isNew else {
                    throw TemporaryFolder.Failure(what: "batch \(batch) was folded before")
                }
            }
            file.didFold(batch)
        }
        for thread in threads { thread?.join() }
    }

    // MARK: Afterwards

    /// What the store has of each key, after one more start.
    func settle() async throws -> [UsageDelta.Key: Int64] {
        let store = try SQLiteStore(file: storePath)
        defer { store.close() }
        _ = try await start(store)
        return try await store.read { db throws(Problem) in
            var found: [UsageDelta.Key: Int64] = [:]
            for key in Self.keys.flatMap({ $0 }) {
                let points = try db.usage.history(
                    of: key.user, metric: key.metric, window: .hour,
                    from: Window.hour.period(key.hour), to: Window.hour.period(key.hour))
                found[key] = points.first?.value ?? 0
            }
            return found
        }
    }

    /// What was added for certain, and what may have been, by key.
    func logged() -> [UsageDelta.Key: (acknowledged: Int64, attempted: Int64)] {
        var sums: [UsageDelta.Key: (acknowledged: Int64, attempted: Int64)] = [:]
        for (adder, keys) in Self.keys.enumerated() {
            for record in Record.all(in: "\(folder)/adds-\(adder)") {
                var sum = sums[keys[record.key]] ?? (0, 0)
                if record.isDone {
                    sum.acknowledged += record.amount
                } else {
                    sum.attempted += record.amount
                }
                sums[keys[record.key]] = sum
            }
        }
        return sums
    }

    /// Eight bytes of an adder's side file.
    private struct Record {
        let key: Int
        let amount: Int64
        let isDone: Bool

        func append(to log: Int32) {
            var word = UInt64(amount) << 16 | UInt64(key) << 1 | (isDone ? 1 : 0)
            write(log, &word, 8)
        }

        static func all(in path: String) -> [Record] {
            let log = open(path, O_RDONLY | O_CLOEXEC)
            guard log >= 0 else { return [] }
            defer { Glibc.close(log) }
            var records: [Record] = []
            var word: UInt64 = 0
            while read(log, &word, 8) == 8 {
                records.append(
                    Record(
                        key: Int(word >> 1 & 0x7FFF), amount: Int64(word >> 16),
                        isDone: word & 1 == 1))
            }
            return records
        }
    }
}

/// A key as the gate would keep it: a lock around every use of its place, and a new place now and
/// then.
private final class CountedKey: Sendable {
    private let key: UsageDelta.Key
    private let file: CounterFile
    private let place: Mutex<Int32?>

    init(_ key: UsageDelta.Key, in file: CounterFile) {
        self.key = key
        self.file = file
        place = Mutex(nil)
    }

    func add(_ amount: Int64) -> Bool {
        place.withLock { place in
            if let held = place, amount % 7 == 0, file.close(held) { place = nil }
            place = place ?? file.open(key)
            guard let place else { return false }
            return file.add(amount, to: place)
        }
    }

    func delta(of batch: UInt64) -> UsageDelta? {
        place.withLock { place in
            guard let place else { return nil }
            let value = file.delta(at: place, batch: batch)
            return value == 0 ? nil : UsageDelta(key: key, value: value)
        }
    }
}

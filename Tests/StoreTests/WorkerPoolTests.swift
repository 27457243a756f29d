import Domain
import Glibc
import Synchronization
import Testing

@testable import Store

@Suite("Worker pool")
struct WorkerPoolTests {
    private static func value<Value>(_ outcome: WorkerPool.Outcome<Value>) -> Value? {
        switch outcome {
        case .done(let value): value
        case .full: nil
        }
    }

    private static func isFull<Value>(_ outcome: WorkerPool.Outcome<Value>) -> Bool {
        switch outcome {
        case .done: false
        case .full: true
        }
    }

    @Test("It runs work on threads of its own, by its name, after their start has run")
    func ownThreads() async throws {
        let started = Mutex<Set<pthread_t>>([])
        let pool = try WorkerPool(name: "a name that is too long", threads: 2, queue: 64) {
            started.withLock { _ = $0.insert(pthread_self()) }
        }
        let used = await withTaskGroup(of: pthread_t?.self) { group in
            for _ in 0..<32 {
                group.addTask { Self.value(await pool.run { pthread_self() }) }
            }
            return await group.reduce(into: Set<pthread_t?>()) { $0.insert($1) }
        }
        let name = await pool.run {
            Optional(Result { try TestFile(path: "/proc/thread-self/comm").lines() })
        }
        pool.close()
        let threads = started.withLock { $0 }
        #expect(threads.count == 2)
        #expect(!used.contains(nil) && used.isSubset(of: Set(threads.map(Optional.some))))
        #expect(try Self.value(name)?.get() == ["a name that is "])
    }

    @Test("What the work returns is the answer, nothing too")
    func answers() async throws {
        let pool = try WorkerPool(name: "pool", threads: 1, queue: 1)
        let some = await pool.run { Optional(7) }
        let none = await pool.run { Int?.none }
        pool.close()
        #expect(Self.value(some) == 7)
        #expect(Self.value(none) == nil && !Self.isFull(none))
    }

    private final class Ran: Sendable {
        let numbers = Mutex<Set<Int>>([])
    }

    @Test("With its threads at work and its queue full it refuses, and the work never runs")
    func refuses() async throws {
        let pool = try WorkerPool(name: "pool", threads: 1, queue: 2)
        let gate = Gate()
        let ran = Ran()
        let refused = await withTaskGroup(of: Int?.self) { group in
            group.addTask { [pool] in
                _ = await pool.run { gate.pass() }
                return nil
            }
            await gate.reached()
            for number in 1...3 {
                group.addTask { [pool] in
                    let outcome = await pool.run { ran.numbers.withLock { _ = $0.insert(number) } }
                    return Self.isFull(outcome) ? number : nil
                }
            }
            // Nobody but the refused can be answered while the thread stands at the gate.
            let first = await group.next()
            gate.open()
            let others = await group.reduce(into: [Int?]()) { $0.append($1) }
            #expect(others == [nil, nil, nil])
            return first.flatMap { $0 }
        }
        pool.close()
        let number = try #require(refused)
        #expect(ran.numbers.withLock { $0 } == Set(1...3).subtracting([number]))
    }

    @Test("After close it refuses")
    func closed() async throws {
        let pool = try WorkerPool(name: "pool", threads: 1, queue: 2)
        pool.close()
        let outcome = await pool.run { 1 }
        #expect(Self.isFull(outcome))
    }

    @Test("Work that nobody waits for is done before close returns, or was not taken")
    func submit() async throws {
        let pool = try WorkerPool(name: "pool", threads: 1, queue: 2)
        let gate = Gate()
        let ran = Ran()
        #expect(pool.submit { gate.pass() })
        await gate.reached()
        let taken = (1...3).map { number in
            pool.submit { ran.numbers.withLock { _ = $0.insert(number) } }
        }
        #expect(taken == [true, true, false])
        gate.open()
        pool.close()
        #expect(!pool.submit {})
        #expect(ran.numbers.withLock { $0 } == [1, 2])
    }

    @Test("Two threads work at the same time")
    func parallel() async throws {
        let pool = try WorkerPool(name: "pool", threads: 2, queue: 2)
        let (first, second) = (Gate(), Gate())
        async let one: Void = { _ = await pool.run { first.pass() } }()
        async let two: Void = { _ = await pool.run { second.pass() } }()
        await first.reached()
        await second.reached()
        first.open()
        second.open()
        _ = await (one, two)
        pool.close()
    }
}

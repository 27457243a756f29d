import Domain
import Synchronization
import Testing

@testable import Store

@Suite("Bounded queue")
struct BoundedQueueTests {
    @Test("What was put first is taken first, at most as many as asked")
    func order() {
        let queue = BoundedQueue<Int>(capacity: 10)
        for value in 0..<10 { #expect(queue.put(value) == .put) }
        #expect(queue.take(atMost: 3) == [0, 1, 2])
        #expect(queue.put(10) == .put)
        #expect(queue.take(atMost: 100) == Array(3...10))
        #expect(queue.isEmpty)
    }

    @Test("A full queue takes nothing until something was taken from it")
    func full() {
        let queue = BoundedQueue<Int>(capacity: 2)
        #expect([1, 2, 3].map { queue.put($0) } == [.put, .put, .full])
        #expect(queue.take(atMost: 1) == [1])
        #expect([4, 5].map { queue.put($0) } == [.put, .full])
        #expect(queue.take(atMost: 9) == [2, 4])
    }

    @Test("A queue without room takes nothing")
    func none() {
        #expect(BoundedQueue<Int>(capacity: 0).put(1) == .full)
    }

    @Test("A closed queue takes nothing, gives out what it has, and then ends")
    func closed() {
        let queue = BoundedQueue<Int>(capacity: 2)
        for value in [1, 2] { #expect(queue.put(value) == .put) }
        queue.close()
        #expect(queue.put(3) == .closed)
        #expect(queue.take(atMost: 1) == [1])
        #expect(queue.take(atMost: 1) == [2])
        #expect(queue.take(atMost: 1) == nil)
        #expect(queue.take(atMost: 1) == nil)
    }

    @Test("Closing wakes everybody who waits")
    func wakes() throws {
        let queue = BoundedQueue<Int>(capacity: 1)
        let ended = Mutex(0)
        let threads = try (0..<4).map { _ in
            try #require(
                WorkThread(name: "waits") {
                    if queue.take(atMost: 1) == nil { ended.withLock { $0 += 1 } }
                })
        }
        queue.close()
        for thread in threads { thread.join() }
        #expect(ended.withLock { $0 } == 4)
    }

    @Test("Between many threads nothing is lost and nothing comes twice")
    func threads() throws {
        let queue = BoundedQueue<Int>(capacity: 16)
        let taken = Mutex<[Int]>([])
        let takers = try (0..<3).map { _ in
            try #require(
                WorkThread(name: "takes") {
                    while let some = queue.take(atMost: 4) { taken.withLock { $0 += some } }
                })
        }
        let putters = try (0..<3).map { putter in
            try #require(
                WorkThread(name: "puts") {
                    for value in 0..<1000 { while queue.put(putter * 1000 + value) == .full {} }
                })
        }
        for putter in putters { putter.join() }
        queue.close()
        for taker in takers { taker.join() }
        #expect(taken.withLock { $0.sorted() } == Array(0..<3000))
    }
}

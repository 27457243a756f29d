import Domain
import Synchronization
import Testing

@testable import Appliance

@Suite("LiveCache")
struct LiveCacheTests {
    private static let capacity = 320

    @Test("As many values as there is room for are kept, those that were looked for lately too")
    func bounded() {
        let cache = LiveCache<Int, Int>(capacity: Self.capacity)
        for number in 0..<10_000 {
            cache.put(number, number)
            #expect(cache.with(7) { $0 } == (number < 7 ? nil : 7), "\(number)")
            #expect(cache.count <= Self.capacity)
        }
        #expect(cache.count >= Self.capacity / 4)
        #expect(cache.with(9_999) { $0 } == 9_999)
        #expect(cache.with(8) { $0 } == nil)
    }

    @Test("A value that does not let go stays, and to find that out stays cheap")
    func held() {
        let asked = Atomic(0)
        let cache = LiveCache<Int, Int>(capacity: Self.capacity) { value in
            asked.add(1, ordering: .relaxed)
            return value < 0
        }
        let count = 20_000
        for number in 0..<count { cache.put(number, number) }
        for number in 0..<count { #expect(cache.with(number) { $0 } == number) }
        // Each value of a turn is asked once; turns get further apart as more are held.
        #expect(asked.load(ordering: .relaxed) < 8 * count)
    }

    @Test("Once they let go, they leave")
    func letGo() {
        let isHeld = Atomic(true)
        let cache = LiveCache<Int, Int>(capacity: Self.capacity) { _ in
            !isHeld.load(ordering: .relaxed)
        }
        for number in 0..<5000 { cache.put(number, number) }
        #expect(cache.count == 5000)
        isHeld.store(false, ordering: .relaxed)
        for number in 5000..<30_000 { cache.put(number, number) }
        #expect(cache.count <= Self.capacity)
    }

    @Test("What is removed is handed over: one value, or all of them")
    func removed() {
        let cache = LiveCache<Int, Int>(capacity: 10_000)
        for number in 0..<100 { cache.put(number, number) }
        #expect(cache.remove(3) == 3)
        #expect(cache.remove(3) == nil)
        var dropped: [Int] = []
        cache.removeAll { dropped.append($0) }
        #expect(dropped.sorted() == (0..<100).filter { $0 != 3 })
        #expect(cache.count == 0)
    }

    @Test("Hits and misses are counted, also those of values that somebody still had")
    func looks() {
        let cache = LiveCache<Int, Int>(capacity: Self.capacity)
        cache.put(1, 1)
        _ = cache.with(1) { $0 }
        _ = cache.with(2) { $0 }
        cache.noteHit()
        #expect(cache.looks == (hits: 2, misses: 1))
    }
}

import Domain
import Support
import Testing

@testable import Store

/// A counter file under a random load, with a copy of its first places after every single store.
private final class Film {
    private static let places = 8

    /// The places at one moment, and the last batch that the store had then.
    struct Frame {
        let words: [UInt64]
        let folded: UInt64
        /// What was counted and not folded, by key.
        let truth: [UsageDelta.Key: Int64]
    }

    private(set) var frames: [Frame] = []
    /// Every value that a batch's delta of a key ever had.
    private(set) var values: [UsageDelta.Key: [UInt64: Set<Int64>]] = [:]
    private var random: SplitMix64
    private let home: CounterFolder
    private let file: CounterFile
    private var folded: UInt64 = 0
    private var held: [(key: UsageDelta.Key, place: Int32)] = []
    private var deltas: [UsageDelta.Key: [UInt64: Int64]] = [:]

    init(seed: UInt64) throws {
        random = SplitMix64(seed: seed)
        home = try CounterFolder()
        file = try home.open()
        // A segment is mapped with the first place.
        file.close(try #require(file.open(.sample(0))))
        record()
    }

    private func words() -> [UInt64] {
        let raw = UnsafeRawBufferPointer(
            start: file.mapping.base, count: Self.places * CounterSlot.bytes)
        return Array(raw.bindMemory(to: UInt64.self))
    }

    private func record(_ words: [UInt64]? = nil) {
        let live = deltas.mapValues { batches in
            batches.filter { $0.key > folded }.values.reduce(0, +)
        }
        frames.append(
            Frame(
                words: words ?? self.words(), folded: folded, truth: live.filter { $0.value != 0 }))
    }

    /// Frames of all the moments between two stores; the last one must be how the file stands now.
    private func record(_ writes: [CounterSlot.Write], at place: Int32, over before: [UInt64]) {
        var image = before
        for write in writes {
            image[Int(place) * CounterSlot.words + write.word] = write.value
            record(image)
        }
        #expect(image == words())
    }

    func step() throws {
        switch random.int(0...9) {
        case 0...1: try open()
        case 2: close()
        case 3:
            if file.closingBatch == nil { _ = file.advance() }
        case 4:
            guard let closing = file.closingBatch else { return }
            folded = closing
            record()
            file.didFold(closing)
        default: add()
        }
        record()
    }

    private func open() throws {
        guard held.count < Self.places else { return }
        let number = UInt64(random.int(1...20))
        let key = UsageDelta.Key.sample(number, key: random.chance(30) ? number : nil)
        guard !held.contains(where: { $0.key == key }) else { return }
        let before = words()
        let place = try #require(file.open(key))
        let about = words()[Int(place) * CounterSlot.words + CounterSlot.Word.about]
        let generation = CounterSlot.generation(about: about)
        record(
            try #require(CounterSlot.opening(key, generation: generation)), at: place, over: before)
        held.append((key, place))
    }

    private func close() {
        guard let index = held.indices.randomElement(using: &random) else { return }
        let before = words()
        guard file.close(held[index].place) else { return }
        record(CounterSlot.closing, at: held[index].place, over: before)
        held.remove(at: index)
    }

    private func add() {
        guard let (key, place) = held.randomElement(using: &random) else { return }
        let amount = random.int(-3...1000)
        #expect(file.add(amount, to: place))
        let batch = file.openBatch
        deltas[key, default: [:]][batch, default: 0] += amount
        let sum = deltas[key]?[batch] ?? 0
        values[key, default: [:]][batch, default: [0]].insert(sum)
    }

    func recovered(_ words: [UInt64], after folded: UInt64) -> [UsageDelta.Key: Int64] {
        var sums: [UsageDelta.Key: Int64] = [:]
        CounterFile.collect(words, after: FoldMark(batch: folded), into: &sums)
        return sums.filter { $0.value != 0 }
    }

    /// Whether each lane of this key could have been that at some time.
    func wasTrue(_ value: Int64, of key: UsageDelta.Key, after folded: UInt64) -> Bool {
        let first = values[key]?[folded + 1] ?? [0]
        let second = values[key]?[folded + 2] ?? [0]
        return first.contains { second.contains(value - $0) }
    }
}

@Suite("Counter file, torn")
struct CounterFileTearingTests {
    @Test(
        "Stopped after any store, it holds exactly what was counted and not folded",
        arguments: [UInt64](1...8))
    func killed(seed: UInt64) throws {
        let film = try Film(seed: seed)
        for _ in 0..<400 { try film.step() }
        for (index, frame) in film.frames.enumerated() {
            let found = film.recovered(frame.words, after: frame.folded)
            if found != frame.truth {
                Issue.record("seed \(seed), frame \(index): \(found), not \(frame.truth)")
            }
        }
    }

    @Test(
        "Cut off from power, with words, places or sectors of any age, no count is wrong",
        arguments: [UInt64](1...8))
    func tornByPower(seed: UInt64) throws {
        let film = try Film(seed: seed)
        for _ in 0..<400 { try film.step() }
        var random = SplitMix64(seed: seed &+ 1000)
        // Words of 8 bytes; a place; a sector of 512.
        for width in [1, CounterSlot.words, 64] {
            for _ in 0..<800 {
                let last = Int(random.int(1...Int64(film.frames.count - 1)))
                let late = film.frames[last]
                // Mostly neighbours in time, sometimes as far apart as the film allows.
                let first =
                    random.chance(70)
                    ? Int(random.int(Int64(max(0, last - 40))...Int64(last)))
                    : Int(random.int(0...Int64(last)))
                let early = film.frames[first]
                var isEarly = false
                let torn = late.words.indices.map { at in
                    if at % width == 0 { isEarly = random.chance(50) }
                    return isEarly ? early.words[at] : late.words[at]
                }
                for (key, value) in film.recovered(torn, after: late.folded)
                where !film.wasTrue(value, of: key, after: late.folded) {
                    Issue.record("seed \(seed), \(first) and \(last): \(key) has \(value)")
                }
            }
        }
    }
}

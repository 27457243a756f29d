import CLinux
import Domain
import Glibc
import Synchronization

/// Counts that are not in the store yet, in a memory-mapped file: `kill -9` loses none of them.
///
/// **What.** Counting in the store would cost a commit for each request. Here an add is one store
/// of one word in shared mapped memory, which belongs to the kernel: it keeps the page, and writes
/// it to the disk in its own time, however the process ends. A power cut takes what the kernel had
/// not written; the fold into the store, each `limits.checkpoint_interval` (1 s), bounds that, and
/// what is lost was in the customer's favour. Only while a fold takes longer than that is the file
/// synced.
///
/// **Batches.** A count is a delta of a numbered batch, and numbers only grow. Adds go to the
/// *open* batch; at most one older batch is *closing*, which means being folded into the store, in
/// transactions that record how far they went. So after a crash the store itself says what it has
/// (`FoldMark`), and of all other batches there can only be two: `recover` returns those. A place
/// has two lanes, for even and for odd numbers; a lane of any other batch counts as zero, so
/// nothing has to be cleared in time.
///
/// **Invariants.**
/// - At every instruction a place reads as free, or as one key's with what was counted for it: a
///   lane is one word, a header counts only with its checksum, and a lane only with its header's
///   generation (`CounterSlot`, `CounterLane`). No count is ever read as another key's.
/// - A page is mapped only after its block on the disk is allocated: on a full disk a write to a
///   hole would be SIGBUS. Where that fails, memory takes the segment's place, `isDegraded` says
///   so, and after each fold the disk is tried again.
/// - A lane's number has 16 bits. A stale lane never lives until its number comes round again: each
///   fold wipes some places (`scrub`), and all of them within 16,384 folds.
///
/// **What the caller keeps.**
/// - One process has the file; the store's lock covers it, it is that store's, and restoring
///   another store removes it.
/// - Adds to one place come one at a time, under the customer's own lock, and `delta(at:batch:)` of
///   a closing batch is read under the same lock after `advance`: an add is then either in it or in
///   the next batch.
/// - Every batch that `advance` closes is recorded in the store before `didFold`, also one without
///   deltas; better not to advance when nothing was counted.
/// - A place is not used after `close`.
///
/// **Rejected.** A log of adds: it grows with the traffic, and must be read back. Absolute values:
/// whether the store has them is unknown after a crash, and two writers' values cannot be merged.
/// One count for each place, emptied after the fold: a crash between the two counts it twice.
/// Syncing each add, or the store with `synchronous=OFF`: slower, and no better against a kill.
///
/// Unchecked, because mapped words are read and written by atomic instructions alone, and the
/// mapping changes only under the mutex.
package final class CounterFile: @unchecked Sendable {
    package typealias Key = UsageDelta.Key
    package typealias Delta = UsageDelta

    /// 4,194,304 places in 512 MiB: a bound that only a wrong use would meet.
    package static let segmentsMax = 512

    private struct State {
        var segments = CounterSegments()
        var isReady = false
        /// The disk was full since the last fold: asking it again for each place would be slow.
        var isDiskFull = false
        /// Where the next scrub goes on.
        var scrubbed = 0
    }

    let mapping: CounterMapping
    private let state = Mutex(State())
    /// The open batch's number, twice, and 1 more while the batch before it is closing.
    private let batches = Atomic<UInt64>(0)

    /// Opens or creates the file, with mode 0600. One that is not a counter file of this format is
    /// set aside as `<path>.damaged-<n>`. Nothing can be opened before `reset`.
    ///
    /// - Parameters:
    ///   - segmentsMax: 8192 places each.
    ///   - allocate: a seam for tests of a full disk.
    package init(
        path: String, segmentsMax: Int = segmentsMax,
        allocate: @escaping @Sendable (Int32, Int, Int) -> Int32 = { posix_fallocate($0, $1, $2) }
    ) throws(StoreRefusal) {
        mapping = try CounterMapping(path: path, segmentsMax: segmentsMax, allocate: allocate)
    }

    /// Where a file that could not be trusted was set aside, if there was one.
    package var setAside: String? { mapping.setAside }

    // MARK: Counting

    /// The batch that adds go to.
    package var openBatch: UInt64 { batches.load(ordering: .acquiring) >> 1 }

    /// The batch that is being folded, if one is.
    package var closingBatch: UInt64? {
        let batches = batches.load(ordering: .acquiring)
        return batches & 1 == 1 ? batches >> 1 - 1 : nil
    }

    /// Adds to the open batch; `amount` may be negative. False, and nothing added, when the batch's
    /// delta would leave 40 bits.
    package func add(_ amount: Int64, to place: Int32) -> Bool {
        let slot = slot(place)
        let batch = openBatch
        let generation = slot.generation
        let before = slot.lane(of: batch).delta(of: batch, generation: generation)
        let (sum, hasOverflowed) = before.addingReportingOverflow(amount)
        guard !hasOverflowed,
            let lane = CounterLane(delta: sum, batch: batch, generation: generation)
        else { return false }
        slot.store(lane.word, at: Self.lane(of: batch))
        return true
    }

    /// What a batch, the open or the closing one, has counted in a place.
    package func delta(at place: Int32, batch: UInt64) -> Int64 {
        let slot = slot(place)
        return slot.lane(of: batch).delta(of: batch, generation: slot.generation)
    }

    /// Forgets a batch's count after its fold. Optional: its number alone makes it void.
    package func clear(_ place: Int32, batch: UInt64) {
        let slot = slot(place)
        let word = slot.load(Self.lane(of: batch))
        guard CounterLane(word: word).delta(of: batch, generation: slot.generation) != 0
        else { return }
        // The lane may be a newer batch's by now: then it stays.
        slot.replace(word, with: 0, at: Self.lane(of: batch))
    }

    /// Whether the store has all that was counted in a place.
    package func isEmpty(_ place: Int32) -> Bool {
        guard delta(at: place, batch: openBatch) == 0 else { return false }
        guard let closing = closingBatch else { return true }
        return delta(at: place, batch: closing) == 0
    }

    /// A place for a key, with nothing counted. A key has one place at a time: a second one counts
    /// too, but nobody else knows of the first.
    ///
    /// Nil when the metric is longer than 40 bytes, when all places are taken, or before `reset`.
    package func open(_ key: Key) -> Int32? {
        guard key.metric.utf8.count <= CounterSlot.metricBytesMax,
            let place = state.withLock({ take(&$0) })
        else { return nil }
        let slot = slot(place)
        CounterSlot.open(key, generation: slot.generation &+ 1) { write in
            slot.store(write.value, at: write.word)
        }
        return place
    }

    /// Frees a place. False, and nothing done, while it holds counts that the store does not have.
    @discardableResult
    package func close(_ place: Int32) -> Bool {
        guard isEmpty(place) else { return false }
        let slot = slot(place)
        for write in CounterSlot.closing { slot.store(write.value, at: write.word) }
        state.withLock { $0.segments.giveBack(Int(place)) }
        return true
    }

    // MARK: Batches

    /// The open batch becomes the closing one, and the next one opens. Returns the number of the
    /// closing one; nil when another is still closing.
    package func advance() -> UInt64? {
        state.withLock { state in
            guard state.isReady, closingBatch == nil else { return nil }
            let closing = openBatch
            batches.store((closing + 1) << 1 | 1, ordering: .releasing)
            return closing
        }
    }

    /// The store has that batch, for good: it ends, and places that are not needed are given back.
    package func didFold(_ batch: UInt64) {
        state.withLock { state in
            guard closingBatch == batch else { return }
            batches.store((batch + 1) << 1, ordering: .releasing)
            state.isDiskFull = false
            scrub(&state)
            let removed = state.segments.compact()
            for segment in removed { mapping.unmap(segment) }
            if !removed.isEmpty { mapping.truncate(toSegments: state.segments.fileCount) }
        }
    }

    /// Puts all that was counted on the disk. Blocks for as long as the disk takes; false when it
    /// fails.
    package func sync() -> Bool { mapping.sync() }

    /// Forgets everything, and opens that batch. For the start, once what `recover` returned is in
    /// the store. The batch is a later one than any that the store or the file has.
    package func reset(openingBatch batch: UInt64) {
        state.withLock { state in
            for segment in 0..<state.segments.count { mapping.unmap(segment) }
            mapping.truncate(toSegments: 0)
            state = State(isReady: true)
            batches.store(batch << 1, ordering: .releasing)
        }
    }

    package struct Figures: Sendable, Equatable {
        /// Places that are taken.
        package let slots: Int
        package let segments: Int
        /// The file's length.
        package let bytes: Int
        /// Some counts are in memory alone, because the disk was full.
        package let isDegraded: Bool
    }

    package var figures: Figures {
        state.withLock { state in
            Figures(
                slots: state.segments.places, segments: state.segments.mapped,
                bytes: mapping.fileBytes, isDegraded: state.segments.hasMemory)
        }
    }
}

// MARK: Under the mutex

extension CounterFile {
    private func take(_ state: inout State) -> Int32? {
        guard state.isReady else { return nil }
        let place =
            state.segments.take(.file)
            ?? (growFile(&state) ? state.segments.take(.file) : nil)
            ?? state.segments.take(.memory)
            ?? (growMemory(&state) ? state.segments.take(.memory) : nil)
        return place.map { Int32($0) }
    }

    private func growFile(_ state: inout State) -> Bool {
        let segment = state.segments.nextFree
        guard segment < mapping.segmentsMax, !state.isDiskFull else { return false }
        guard mapping.mapFile(segment) else {
            state.isDiskFull = true
            return false
        }
        state.segments.insert(.file, at: segment)
        return true
    }

    private func growMemory(_ state: inout State) -> Bool {
        let segment = state.segments.nextFree
        guard segment < mapping.segmentsMax, mapping.mapMemory(segment) else { return false }
        state.segments.insert(.memory, at: segment)
        return true
    }

    /// Places wiped in one fold: all that there can be within 16,384 folds, a quarter of the way
    /// round of a lane's batch number.
    private static let scrubbedEach = 256

    /// Zeroes lanes of batches that are neither open nor just folded. An add may go on meanwhile:
    /// it takes such a lane for zero as well, and what it has written is not replaced.
    private func scrub(_ state: inout State) {
        let places = state.segments.count * CounterSegments.placesEach
        guard places > 0 else { return }
        let live = [openBatch, openBatch &- 1].map { UInt16(truncatingIfNeeded: $0) }
        for step in 0..<min(places, Self.scrubbedEach) {
            let place = (state.scrubbed + step) % places
            guard state.segments.isMapped(place / CounterSegments.placesEach) else { continue }
            let slot = slot(Int32(place))
            for lane in 0...1 {
                let word = slot.load(lane)
                guard word != 0, !live.contains(CounterLane(word: word).batch) else { continue }
                slot.replace(word, with: 0, at: lane)
            }
        }
        state.scrubbed = (state.scrubbed + Self.scrubbedEach) % places
    }
}

// MARK: Words

extension CounterFile {
    private static func lane(of batch: UInt64) -> Int { Int(batch & 1) }

    private func slot(_ place: Int32) -> Slot {
        Slot(base: mapping.base + Int(place) * CounterSlot.bytes)
    }

    /// A place in the mapped memory, word by word.
    private struct Slot {
        let base: UnsafeMutableRawPointer

        func load(_ word: Int) -> UInt64 { gatehouse_load_word(base + word * 8) }

        func store(_ value: UInt64, at word: Int) { gatehouse_store_word(base + word * 8, value) }

        func replace(_ expected: UInt64, with value: UInt64, at word: Int) {
            gatehouse_replace_word(base + word * 8, expected, value)
        }

        func lane(of batch: UInt64) -> CounterLane {
            CounterLane(word: load(CounterFile.lane(of: batch)))
        }

        var generation: UInt8 { CounterSlot.generation(about: load(CounterSlot.Word.about)) }
    }
}
